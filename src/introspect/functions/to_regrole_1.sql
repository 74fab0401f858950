-- The session's user alone.
SELECT CASE WHEN pg_catalog.quote_ident(lookup.session ->> 'usename') = ($1)::pg_catalog.text THEN (lookup.session ->> 'useroid')::pg_catalog.oid END
