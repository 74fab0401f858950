-- What pgveil's policy grants: SELECT on each visible column, masked or not.
SELECT (SELECT s.usename FROM map.session AS s) AS grantor, (SELECT s.usename FROM map.session AS s) AS grantee, (SELECT s.datname FROM map.session AS s) AS table_catalog, n.nspname AS table_schema, c.relname AS table_name, a.attname AS column_name,
  'SELECT'::pg_catalog.text AS privilege_type, 'NO'::pg_catalog.text AS is_grantable
FROM shown.pg_namespace AS n
JOIN shown.pg_class AS c ON n.oid = c.relnamespace
JOIN shown.pg_attribute AS a ON a.attrelid = c.oid
WHERE c.oid >= 16384 AND c.relkind = 'r' AND a.attnum > 0
