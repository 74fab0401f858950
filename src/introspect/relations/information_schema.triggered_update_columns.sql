-- Triggers are the warehouse's affair.
SELECT NULL::pg_catalog.name AS trigger_name
WHERE false
