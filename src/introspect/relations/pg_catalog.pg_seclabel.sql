-- Comments on roles, databases and tablespaces, and labels, are the warehouse's affair.
SELECT NULL::pg_catalog.oid AS objoid
WHERE false
