-- Domains of visible columns.
SELECT (SELECT s.datname FROM map.session AS s) AS domain_catalog, n.nspname AS domain_schema, t.typname AS domain_name,
  CASE WHEN bt.typelem <> 0 AND bt.typlen = -1 THEN 'ARRAY'::pg_catalog.text WHEN nbt.nspname = 'pg_catalog' THEN pg_catalog.format_type(t.typbasetype, NULL) ELSE 'USER-DEFINED'::pg_catalog.text END AS data_type,
  information_schema._pg_char_max_length(t.typbasetype, t.typtypmod) AS character_maximum_length, information_schema._pg_char_octet_length(t.typbasetype, t.typtypmod) AS character_octet_length,
  information_schema._pg_numeric_precision(t.typbasetype, t.typtypmod) AS numeric_precision, information_schema._pg_numeric_precision_radix(t.typbasetype, t.typtypmod) AS numeric_precision_radix,
  information_schema._pg_numeric_scale(t.typbasetype, t.typtypmod) AS numeric_scale, information_schema._pg_datetime_precision(t.typbasetype, t.typtypmod) AS datetime_precision,
  (SELECT s.datname FROM map.session AS s) AS udt_catalog, nbt.nspname AS udt_schema, bt.typname AS udt_name, '1'::pg_catalog.text AS dtd_identifier
FROM shown.pg_type AS t
JOIN shown.pg_namespace AS n ON n.oid = t.typnamespace
JOIN shown.pg_type AS bt ON bt.oid = t.typbasetype
JOIN shown.pg_namespace AS nbt ON nbt.oid = bt.typnamespace
WHERE t.typtype = 'd'
