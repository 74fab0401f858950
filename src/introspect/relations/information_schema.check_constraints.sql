-- NOT NULL of visible columns alone, as Postgres names it; no check of the warehouse.
SELECT (SELECT s.datname FROM map.session AS s) AS constraint_catalog, n.nspname AS constraint_schema,
  (n.oid::pg_catalog.text || '_' || r.oid::pg_catalog.text || '_' || a.attnum::pg_catalog.text || '_not_null')::pg_catalog.name AS constraint_name,
  pg_catalog.quote_ident(a.attname) || ' IS NOT NULL' AS check_clause
FROM shown.pg_namespace AS n
JOIN shown.pg_class AS r ON n.oid = r.relnamespace
JOIN shown.pg_attribute AS a ON r.oid = a.attrelid
WHERE r.oid >= 16384 AND r.relkind = 'r' AND a.attnotnull AND a.attnum > 0
