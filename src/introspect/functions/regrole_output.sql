-- The session's user; every other role is a number.
SELECT CASE WHEN $1 = (SELECT s.useroid FROM map.session AS s) THEN (SELECT pg_catalog.quote_ident(s.usename) FROM map.session AS s) ELSE ($1)::pg_catalog.text END
