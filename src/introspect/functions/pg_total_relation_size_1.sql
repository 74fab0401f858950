-- Sizes are the warehouse's affair: NULL, as for a relation that does not exist.
SELECT NULL::pg_catalog.int8
