-- Replication is the warehouse's affair.
SELECT NULL::pg_catalog.oid AS oid
WHERE false
