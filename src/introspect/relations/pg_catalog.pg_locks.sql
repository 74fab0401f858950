-- What the warehouse's connection holds carries the rewritten statements.
SELECT NULL::pg_catalog.text AS locktype
WHERE false
