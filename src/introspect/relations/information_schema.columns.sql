-- As Postgres defines it, over the governed relations: no default, no identity, nothing updatable.
SELECT (SELECT s.datname FROM map.session AS s) AS table_catalog, nc.nspname AS table_schema, c.relname AS table_name, a.attname AS column_name, a.attnum::pg_catalog.int4 AS ordinal_position,
  CASE WHEN a.attnotnull OR t.typtype = 'd' AND t.typnotnull THEN 'NO'::pg_catalog.text ELSE 'YES'::pg_catalog.text END AS is_nullable,
  CASE WHEN t.typtype = 'd' THEN
    CASE WHEN bt.typelem <> 0 AND bt.typlen = -1 THEN 'ARRAY'::pg_catalog.text WHEN nbt.nspname = 'pg_catalog' THEN pg_catalog.format_type(t.typbasetype, NULL) ELSE 'USER-DEFINED'::pg_catalog.text END
  ELSE
    CASE WHEN t.typelem <> 0 AND t.typlen = -1 THEN 'ARRAY'::pg_catalog.text WHEN nt.nspname = 'pg_catalog' THEN pg_catalog.format_type(a.atttypid, NULL) ELSE 'USER-DEFINED'::pg_catalog.text END
  END AS data_type,
  information_schema._pg_char_max_length(CASE WHEN t.typtype = 'd' THEN t.typbasetype ELSE a.atttypid END, CASE WHEN t.typtype = 'd' THEN t.typtypmod ELSE a.atttypmod END) AS character_maximum_length,
  information_schema._pg_char_octet_length(CASE WHEN t.typtype = 'd' THEN t.typbasetype ELSE a.atttypid END, CASE WHEN t.typtype = 'd' THEN t.typtypmod ELSE a.atttypmod END) AS character_octet_length,
  information_schema._pg_numeric_precision(CASE WHEN t.typtype = 'd' THEN t.typbasetype ELSE a.atttypid END, CASE WHEN t.typtype = 'd' THEN t.typtypmod ELSE a.atttypmod END) AS numeric_precision,
  information_schema._pg_numeric_precision_radix(CASE WHEN t.typtype = 'd' THEN t.typbasetype ELSE a.atttypid END, CASE WHEN t.typtype = 'd' THEN t.typtypmod ELSE a.atttypmod END) AS numeric_precision_radix,
  information_schema._pg_numeric_scale(CASE WHEN t.typtype = 'd' THEN t.typbasetype ELSE a.atttypid END, CASE WHEN t.typtype = 'd' THEN t.typtypmod ELSE a.atttypmod END) AS numeric_scale,
  information_schema._pg_datetime_precision(CASE WHEN t.typtype = 'd' THEN t.typbasetype ELSE a.atttypid END, CASE WHEN t.typtype = 'd' THEN t.typtypmod ELSE a.atttypmod END) AS datetime_precision,
  information_schema._pg_interval_type(CASE WHEN t.typtype = 'd' THEN t.typbasetype ELSE a.atttypid END, CASE WHEN t.typtype = 'd' THEN t.typtypmod ELSE a.atttypmod END) AS interval_type,
  CASE WHEN nco.nspname IS NOT NULL THEN (SELECT s.datname FROM map.session AS s) END AS collation_catalog, nco.nspname AS collation_schema, co.collname AS collation_name,
  CASE WHEN t.typtype = 'd' THEN (SELECT s.datname FROM map.session AS s) END AS domain_catalog, CASE WHEN t.typtype = 'd' THEN nt.nspname END AS domain_schema, CASE WHEN t.typtype = 'd' THEN t.typname END AS domain_name,
  (SELECT s.datname FROM map.session AS s) AS udt_catalog, COALESCE(nbt.nspname, nt.nspname) AS udt_schema, COALESCE(bt.typname, t.typname) AS udt_name,
  a.attnum::pg_catalog.text AS dtd_identifier, 'NO'::pg_catalog.text AS is_self_referencing, 'NO'::pg_catalog.text AS is_identity, 'NO'::pg_catalog.text AS identity_cycle,
  'NEVER'::pg_catalog.text AS is_generated, 'NO'::pg_catalog.text AS is_updatable
FROM shown.pg_attribute AS a
JOIN shown.pg_class AS c ON a.attrelid = c.oid
JOIN shown.pg_namespace AS nc ON c.relnamespace = nc.oid
JOIN shown.pg_type AS t ON a.atttypid = t.oid
JOIN shown.pg_namespace AS nt ON t.typnamespace = nt.oid
LEFT JOIN (shown.pg_type AS bt JOIN shown.pg_namespace AS nbt ON bt.typnamespace = nbt.oid) ON t.typtype = 'd' AND t.typbasetype = bt.oid
LEFT JOIN (shown.pg_collation AS co JOIN shown.pg_namespace AS nco ON co.collnamespace = nco.oid)
  ON a.attcollation = co.oid AND (nco.nspname <> 'pg_catalog' OR co.collname <> 'default')
WHERE a.attnum > 0 AND NOT a.attisdropped AND c.relkind IN ('r', 'v', 'p')
