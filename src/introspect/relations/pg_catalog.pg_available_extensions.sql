-- Nobody creates an extension through pgveil.
SELECT NULL::pg_catalog.name AS name
WHERE false
