-- Rules are the warehouse's affair.
SELECT NULL::pg_catalog.name AS schemaname
WHERE false
