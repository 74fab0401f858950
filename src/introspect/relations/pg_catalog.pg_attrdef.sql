-- No default of a product's column: its text may name what is hidden.
SELECT NULL::pg_catalog.oid AS oid
WHERE false
