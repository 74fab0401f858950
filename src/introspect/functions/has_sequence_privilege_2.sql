-- There is none.
SELECT NULL::pg_catalog.bool
