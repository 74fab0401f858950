-- No product has parents or partitions for a client.
SELECT NULL::pg_catalog.oid AS inhrelid
WHERE false
