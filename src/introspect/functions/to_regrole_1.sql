-- The session's user alone.
SELECT s.useroid FROM map.session AS s WHERE pg_catalog.quote_ident(s.usename) = ($1)::pg_catalog.text
