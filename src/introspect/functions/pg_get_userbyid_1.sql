-- The session's user owns what is shown; every other OID is unknown, in Postgres' words.
SELECT (CASE WHEN ($1)::pg_catalog.text = lookup.session ->> 'useroid' THEN lookup.session ->> 'usename' ELSE 'unknown (OID=' || ($1)::pg_catalog.text || ')' END)::pg_catalog.name
