-- As Postgres defines it, for the columns of tables: an array column's element.
SELECT (SELECT s.datname FROM map.session AS s) AS object_catalog, n.nspname AS object_schema, c.relname AS object_name, 'TABLE'::pg_catalog.text AS object_type, a.attnum::pg_catalog.text AS collection_type_identifier,
  CASE WHEN nbt.nspname = 'pg_catalog' THEN pg_catalog.format_type(bt.oid, NULL) ELSE 'USER-DEFINED'::pg_catalog.text END AS data_type,
  (SELECT s.datname FROM map.session AS s) AS udt_catalog, nbt.nspname AS udt_schema, bt.typname AS udt_name, ('a' || a.attnum::pg_catalog.text) AS dtd_identifier
FROM shown.pg_namespace AS n
JOIN shown.pg_class AS c ON n.oid = c.relnamespace
JOIN shown.pg_attribute AS a ON a.attrelid = c.oid
JOIN shown.pg_type AS t ON t.oid = a.atttypid
JOIN shown.pg_type AS bt ON bt.oid = t.typelem
JOIN shown.pg_namespace AS nbt ON nbt.oid = bt.typnamespace
WHERE a.attnum > 0 AND c.relkind IN ('r', 'v') AND t.typelem <> 0 AND t.typlen = -1
