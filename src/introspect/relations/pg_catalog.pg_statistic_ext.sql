-- Statistics hold values of rows.
SELECT NULL::pg_catalog.oid AS oid
WHERE false
