-- Comments on roles, databases and tablespaces are the warehouse's affair.
SELECT NULL::pg_catalog.text
