-- No sequence is a product.
SELECT NULL::pg_catalog.name AS sequence_name
WHERE false
