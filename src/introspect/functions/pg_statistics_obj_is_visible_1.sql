-- No statistics object is shown.
SELECT NULL::pg_catalog.bool
