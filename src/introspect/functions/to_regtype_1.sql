-- The OID of a visible type by its own name or by that of the standard; a hidden one is unknown. Postgres' own function would tell
-- an error from a missing schema.
SELECT (SELECT pg_catalog.min(t.oid) FROM shown.pg_type AS t WHERE t.typname = ($1)::pg_catalog.text OR t.oid < 16384 AND pg_catalog.format_type(t.oid, NULL) = ($1)::pg_catalog.text)
