-- No sequence is a product.
SELECT NULL::pg_catalog.oid AS seqrelid
WHERE false
