-- As Postgres defines it, over the governed pg_class: products, and the system's tables.
SELECT n.nspname AS schemaname, c.relname AS tablename, (SELECT s.usename FROM map.session AS s) AS tableowner, NULL::pg_catalog.name AS tablespace,
  c.relhasindex AS hasindexes, c.relhasrules AS hasrules, c.relhastriggers AS hastriggers, c.relrowsecurity AS rowsecurity
FROM shown.pg_class AS c
JOIN shown.pg_namespace AS n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p')
