-- What the warehouse counted shows what others do.
SELECT NULL::pg_catalog.int8
