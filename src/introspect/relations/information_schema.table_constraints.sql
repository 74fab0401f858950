-- The visible keys, and NOT NULL as Postgres names it. Postgres hides them from whom may only SELECT, and BI tools then see no
-- keys: here they show.
SELECT (SELECT s.datname FROM map.session AS s) AS constraint_catalog, k.schema_name AS constraint_schema, k.name AS constraint_name, (SELECT s.datname FROM map.session AS s) AS table_catalog, k.schema_name AS table_schema, k.relname AS table_name,
  CASE k.contype WHEN 'f' THEN 'FOREIGN KEY'::pg_catalog.text WHEN 'p' THEN 'PRIMARY KEY'::pg_catalog.text ELSE 'UNIQUE'::pg_catalog.text END AS constraint_type,
  'NO'::pg_catalog.text AS is_deferrable, 'NO'::pg_catalog.text AS initially_deferred, 'YES'::pg_catalog.text AS enforced,
  CASE WHEN k.contype = 'u' THEN 'YES'::pg_catalog.text END AS nulls_distinct
FROM map.keys AS k
UNION ALL
SELECT (SELECT s.datname FROM map.session AS s), n.nspname, (n.oid::pg_catalog.text || '_' || r.oid::pg_catalog.text || '_' || a.attnum::pg_catalog.text || '_not_null')::pg_catalog.name, (SELECT s.datname FROM map.session AS s), n.nspname, r.relname,
  'CHECK'::pg_catalog.text, 'NO'::pg_catalog.text, 'NO'::pg_catalog.text, 'YES'::pg_catalog.text, NULL::pg_catalog.text
FROM shown.pg_namespace AS n
JOIN shown.pg_class AS r ON n.oid = r.relnamespace
JOIN shown.pg_attribute AS a ON r.oid = a.attrelid
WHERE r.oid >= 16384 AND r.relkind = 'r' AND a.attnotnull AND a.attnum > 0
