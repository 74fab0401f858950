-- The session's user; every other role is a number.
SELECT CASE WHEN ($1)::pg_catalog.text = lookup.session ->> 'useroid' THEN pg_catalog.quote_ident(lookup.session ->> 'usename') ELSE ($1)::pg_catalog.text END
