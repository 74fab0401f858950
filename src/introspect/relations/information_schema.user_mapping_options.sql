-- Foreign servers are the warehouse's affair.
SELECT NULL::pg_catalog.name AS foreign_server_name
WHERE false
