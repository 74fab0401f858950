-- What keys stand on: a foreign key on the columns that it refers to.
SELECT (SELECT s.datname FROM map.session AS s) AS table_catalog, k.schema_name AS table_schema, k.relname AS table_name, k.column_names[u.i] AS column_name,
  (SELECT s.datname FROM map.session AS s) AS constraint_catalog, k.schema_name AS constraint_schema, k.name AS constraint_name
FROM map.keys AS k
CROSS JOIN LATERAL pg_catalog.generate_series(1, k.natts::pg_catalog.int4) AS u(i)
WHERE k.contype <> 'f'
UNION ALL
SELECT (SELECT s.datname FROM map.session AS s), r.schema_name, r.relname, r.column_names[pg_catalog.array_position(r.numbers, k.ref_numbers[u.i])], (SELECT s.datname FROM map.session AS s), k.schema_name, k.name
FROM map.keys AS k
JOIN map.keys AS r ON r.index_oid = k.ref_index_oid AND r.contype <> 'f'
CROSS JOIN LATERAL pg_catalog.generate_series(1, k.natts::pg_catalog.int4) AS u(i)
WHERE k.contype = 'f'
