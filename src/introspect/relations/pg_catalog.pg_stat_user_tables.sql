-- The relations that there are, without a figure: what the warehouse counted shows what others do and how large things are.
SELECT c.oid AS relid, n.nspname AS schemaname, c.relname
FROM shown.pg_class AS c
JOIN shown.pg_namespace AS n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 't', 'm', 'p') AND c.oid >= 16384
