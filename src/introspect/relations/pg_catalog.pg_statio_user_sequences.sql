-- No sequence is a product.
SELECT NULL::pg_catalog.oid AS relid
WHERE false
