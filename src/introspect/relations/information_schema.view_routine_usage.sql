-- What a view stands on is the warehouse's affair.
SELECT NULL::pg_catalog.name AS table_name
WHERE false
