-- Postgres lets no ordinary user read it.
SELECT NULL::pg_catalog.text AS feature_id
WHERE false
