-- The system's views without their definitions; a product is a table, whatever it stands on.
SELECT n.nspname AS schemaname, c.relname AS viewname, (SELECT s.usename FROM map.session AS s) AS viewowner
FROM shown.pg_class AS c
JOIN shown.pg_namespace AS n ON n.oid = c.relnamespace
WHERE c.relkind = 'v'
