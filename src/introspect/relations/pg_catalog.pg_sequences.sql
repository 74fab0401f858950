-- No sequence is a product.
SELECT NULL::pg_catalog.name AS schemaname
WHERE false
