-- A product over a foreign table is a table.
SELECT NULL::pg_catalog.name AS foreign_table_name
WHERE false
