-- The system's views without definitions; products are tables.
SELECT (SELECT s.datname FROM map.session AS s) AS table_catalog, nc.nspname AS table_schema, c.relname AS table_name, 'NONE'::pg_catalog.text AS check_option, 'NO'::pg_catalog.text AS is_updatable,
  'NO'::pg_catalog.text AS is_insertable_into, 'NO'::pg_catalog.text AS is_trigger_updatable, 'NO'::pg_catalog.text AS is_trigger_deletable, 'NO'::pg_catalog.text AS is_trigger_insertable_into
FROM shown.pg_namespace AS nc
JOIN shown.pg_class AS c ON nc.oid = c.relnamespace
WHERE c.relkind = 'v'
