-- A product is a table, whatever it stands on.
SELECT NULL::pg_catalog.name AS schemaname
WHERE false
