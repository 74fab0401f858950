-- The system's two schemas, and one for each domain with a visible product (and public, pgveil). The warehouse's own do not exist,
-- pg_toast neither: what lies there belongs to hidden tables.
SELECT n.oid, n.nspname, (SELECT s.useroid FROM map.session AS s) AS nspowner
FROM pg_catalog.pg_namespace AS n
WHERE n.oid < 16384 AND n.nspname IN ('pg_catalog', 'information_schema')
UNION ALL
SELECT m.oid, m.nspname, (SELECT s.useroid FROM map.session AS s)
FROM map.schemas AS m
