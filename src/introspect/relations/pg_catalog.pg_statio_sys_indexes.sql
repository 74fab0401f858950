-- The indexes that there are, without a figure.
SELECT c.oid AS relid, i.oid AS indexrelid, n.nspname AS schemaname, c.relname, i.relname AS indexrelname
FROM shown.pg_index AS x
JOIN shown.pg_class AS c ON c.oid = x.indrelid
JOIN shown.pg_class AS i ON i.oid = x.indexrelid
JOIN shown.pg_namespace AS n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 't', 'm') AND c.oid < 16384
