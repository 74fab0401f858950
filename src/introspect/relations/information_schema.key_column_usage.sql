-- The columns of visible keys, shown although the user may only SELECT. A key refers to the whole of another, so the position
-- there is found in that key's columns.
SELECT (SELECT s.datname FROM map.session AS s) AS constraint_catalog, k.schema_name AS constraint_schema, k.name AS constraint_name, (SELECT s.datname FROM map.session AS s) AS table_catalog, k.schema_name AS table_schema, k.relname AS table_name,
  k.column_names[u.i] AS column_name, u.i AS ordinal_position,
  CASE WHEN k.contype = 'f' THEN (SELECT pg_catalog.array_position(r.numbers, k.ref_numbers[u.i]) FROM map.keys AS r WHERE r.index_oid = k.ref_index_oid AND r.contype <> 'f') END AS position_in_unique_constraint
FROM map.keys AS k
CROSS JOIN LATERAL pg_catalog.generate_series(1, k.natts::pg_catalog.int4) AS u(i)
