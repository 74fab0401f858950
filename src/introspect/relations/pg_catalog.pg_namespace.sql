-- The system's own schemas and one for each domain.
SELECT n.oid AS oid, n.nspname AS nspname, n.nspowner AS nspowner
FROM pg_catalog.pg_namespace AS n
WHERE n.nspname IN ('pg_catalog', 'information_schema')
UNION ALL
SELECT s.oid, s.nspname, 10
FROM map.schemas AS s
