-- Replication is the warehouse's affair.
SELECT NULL::pg_catalog.name AS pubname
WHERE false
