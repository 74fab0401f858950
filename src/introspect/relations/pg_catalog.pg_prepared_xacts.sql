-- What the warehouse's connection holds carries the rewritten statements.
SELECT NULL::pg_catalog.xid AS transaction
WHERE false
