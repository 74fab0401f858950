-- Statistics hold values of rows.
SELECT NULL::pg_catalog.oid AS stxoid
WHERE false
