-- Roles and privileges of the warehouse are its affair; pgveil's own show in pgveil.me and in the privilege functions.
SELECT NULL::pg_catalog.oid AS objoid
WHERE false
