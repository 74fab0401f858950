-- Activity is the warehouse's affair.
SELECT NULL::pg_catalog.int8 AS buffers_clean
WHERE false
