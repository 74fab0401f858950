-- As Postgres defines it, over the governed relations.
SELECT n.nspname AS schemaname, c.relname AS tablename, i.relname AS indexname, NULL::pg_catalog.name AS tablespace, pg_catalog.pg_get_indexdef(i.oid) AS indexdef
FROM pg_catalog.pg_index AS x
JOIN pg_catalog.pg_class AS c ON c.oid = x.indrelid
JOIN pg_catalog.pg_class AS i ON i.oid = x.indexrelid
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
WHERE c.oid < 16384 AND c.relnamespace <> 99 AND c.relkind IN ('r', 'm', 'p')
UNION ALL
SELECT k.schema_name, k.relname, k.name, NULL::pg_catalog.name, k.index_definition
FROM map.keys AS k
WHERE k.contype <> 'f'
