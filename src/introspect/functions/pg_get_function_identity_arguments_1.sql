-- For built in functions; the warehouse's own are not shown.
SELECT CASE WHEN $1 < 16384 THEN pg_catalog.pg_get_function_identity_arguments($1) END
