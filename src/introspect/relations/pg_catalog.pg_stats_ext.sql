-- Statistics hold values of rows.
SELECT NULL::pg_catalog.name AS schemaname
WHERE false
