-- Activity is the warehouse's affair.
SELECT NULL::pg_catalog.oid AS datid
WHERE false
