-- Built in: none.
SELECT r.oid, r.trftype, r.trflang, r.trffromsql, r.trftosql
FROM pg_catalog.pg_transform AS r
WHERE r.oid < 16384
