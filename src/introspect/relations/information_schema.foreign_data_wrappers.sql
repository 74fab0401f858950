-- Foreign servers are the warehouse's affair.
SELECT NULL::pg_catalog.name AS foreign_data_wrapper_name
WHERE false
