-- No large object is a product.
SELECT NULL::pg_catalog.oid AS loid
WHERE false
