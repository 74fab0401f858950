-- Replication is the warehouse's affair.
SELECT NULL::pg_catalog.name AS slot_name
WHERE false
