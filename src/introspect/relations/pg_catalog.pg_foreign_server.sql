-- Foreign servers are the warehouse's affair; a product over a foreign table is a table.
SELECT NULL::pg_catalog.oid AS oid
WHERE false
