-- Activity is the warehouse's affair.
SELECT NULL::pg_catalog.int4 AS pid
WHERE false
