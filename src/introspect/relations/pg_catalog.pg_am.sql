-- The access methods that Postgres brings.
SELECT r.oid, r.amname, r.amhandler, r.amtype
FROM pg_catalog.pg_am AS r
WHERE r.oid < 16384
