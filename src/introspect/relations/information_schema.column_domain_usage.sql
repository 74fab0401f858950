-- Empty: no product has generated columns, and domains show in columns.
SELECT NULL::pg_catalog.name AS table_name
WHERE false
