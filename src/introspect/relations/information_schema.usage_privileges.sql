-- Roles and privileges of the warehouse are its affair.
SELECT NULL::pg_catalog.name AS object_name
WHERE false
