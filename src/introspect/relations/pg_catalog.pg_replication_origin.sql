-- Replication is the warehouse's affair.
SELECT NULL::pg_catalog.oid AS roident
WHERE false
