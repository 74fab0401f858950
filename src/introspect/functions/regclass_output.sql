-- The governed name, qualified unless the search path finds it; an OID that is not shown is its number, as in Postgres for one
-- that does not exist.
SELECT CASE WHEN $1 < 16384 THEN ($1)::pg_catalog.regclass::pg_catalog.text ELSE COALESCE(lookup.relation_names ->> ($1)::pg_catalog.text, ($1)::pg_catalog.text) END
