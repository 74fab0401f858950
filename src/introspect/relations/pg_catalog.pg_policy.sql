-- Row security of the warehouse is hidden; pgveil's row filters are no policies.
SELECT NULL::pg_catalog.oid AS oid
WHERE false
