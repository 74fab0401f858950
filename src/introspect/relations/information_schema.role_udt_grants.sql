-- No composite type but the products' own.
SELECT NULL::pg_catalog.name AS udt_name
WHERE false
