-- What foreign keys refer to, and keys their own table.
SELECT (SELECT s.datname FROM map.session AS s) AS table_catalog, k.schema_name AS table_schema, k.relname AS table_name, (SELECT s.datname FROM map.session AS s) AS constraint_catalog, k.schema_name AS constraint_schema, k.name AS constraint_name
FROM map.keys AS k
WHERE k.contype <> 'f'
UNION ALL
SELECT (SELECT s.datname FROM map.session AS s), r.schema_name, r.relname, (SELECT s.datname FROM map.session AS s), k.schema_name, k.name
FROM map.keys AS k
JOIN map.keys AS r ON r.index_oid = k.ref_index_oid AND r.contype <> 'f'
WHERE k.contype = 'f'
