-- No composite type but the products' own.
SELECT NULL::pg_catalog.name AS user_defined_type_name
WHERE false
