-- A product is no partition, whatever its relation is.
SELECT NULL::pg_catalog.oid
