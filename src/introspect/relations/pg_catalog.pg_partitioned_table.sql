-- For a client no product has parents or partitions.
SELECT NULL::pg_catalog.oid AS partrelid
WHERE false
