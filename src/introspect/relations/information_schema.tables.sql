-- As Postgres defines it, over the governed relations. Nothing can be inserted through pgveil, so is_insertable_into is NO.
SELECT (SELECT s.datname FROM map.session AS s) AS table_catalog, nc.nspname AS table_schema, c.relname AS table_name,
  CASE WHEN c.relkind IN ('r', 'p') THEN 'BASE TABLE'::pg_catalog.text ELSE 'VIEW'::pg_catalog.text END AS table_type,
  'NO'::pg_catalog.text AS is_insertable_into, 'NO'::pg_catalog.text AS is_typed
FROM shown.pg_namespace AS nc
JOIN shown.pg_class AS c ON nc.oid = c.relnamespace
WHERE c.relkind IN ('r', 'v', 'p')
