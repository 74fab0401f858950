-- Replication is the warehouse's affair.
SELECT NULL::pg_catalog.oid AS subid
WHERE false
