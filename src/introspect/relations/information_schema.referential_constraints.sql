-- Foreign keys between visible products.
SELECT (SELECT s.datname FROM map.session AS s) AS constraint_catalog, k.schema_name AS constraint_schema, k.name AS constraint_name,
  (SELECT s.datname FROM map.session AS s) AS unique_constraint_catalog, r.schema_name AS unique_constraint_schema, r.name AS unique_constraint_name, 'NONE'::pg_catalog.text AS match_option,
  CASE k.on_update WHEN 'c' THEN 'CASCADE'::pg_catalog.text WHEN 'n' THEN 'SET NULL'::pg_catalog.text WHEN 'd' THEN 'SET DEFAULT'::pg_catalog.text WHEN 'r' THEN 'RESTRICT'::pg_catalog.text ELSE 'NO ACTION'::pg_catalog.text END AS update_rule, CASE k.on_delete WHEN 'c' THEN 'CASCADE'::pg_catalog.text WHEN 'n' THEN 'SET NULL'::pg_catalog.text WHEN 'd' THEN 'SET DEFAULT'::pg_catalog.text WHEN 'r' THEN 'RESTRICT'::pg_catalog.text ELSE 'NO ACTION'::pg_catalog.text END AS delete_rule
FROM map.keys AS k
JOIN map.keys AS r ON r.index_oid = k.ref_index_oid AND r.contype <> 'f'
WHERE k.contype = 'f'
