-- Built in functions, without definitions.
SELECT (SELECT s.datname FROM map.session AS s) AS specific_catalog, n.nspname AS specific_schema, (p.proname || '_' || p.oid::pg_catalog.text)::pg_catalog.name AS specific_name,
  (SELECT s.datname FROM map.session AS s) AS routine_catalog, n.nspname AS routine_schema, p.proname AS routine_name,
  CASE p.prokind WHEN 'f' THEN 'FUNCTION'::pg_catalog.text WHEN 'p' THEN 'PROCEDURE'::pg_catalog.text END AS routine_type,
  CASE WHEN p.prokind <> 'p' THEN CASE WHEN t.typelem <> 0 AND t.typlen = -1 THEN 'ARRAY'::pg_catalog.text ELSE pg_catalog.format_type(t.oid, NULL) END END AS data_type,
  CASE WHEN p.prokind <> 'p' THEN (SELECT s.datname FROM map.session AS s) END AS type_udt_catalog, CASE WHEN p.prokind <> 'p' THEN 'pg_catalog'::pg_catalog.name END AS type_udt_schema, CASE WHEN p.prokind <> 'p' THEN t.typname END AS type_udt_name,
  CASE WHEN p.prokind <> 'p' THEN '0'::pg_catalog.text END AS dtd_identifier, 'EXTERNAL'::pg_catalog.text AS routine_body, 'GENERAL'::pg_catalog.text AS parameter_style,
  CASE WHEN p.provolatile = 'i' THEN 'YES'::pg_catalog.text ELSE 'NO'::pg_catalog.text END AS is_deterministic, 'MODIFIES'::pg_catalog.text AS sql_data_access,
  CASE WHEN p.prokind <> 'p' THEN CASE WHEN p.proisstrict THEN 'YES'::pg_catalog.text ELSE 'NO'::pg_catalog.text END END AS is_null_call, 'YES'::pg_catalog.text AS schema_level_routine, 0 AS max_dynamic_result_sets,
  CASE WHEN p.prosecdef THEN 'DEFINER'::pg_catalog.text ELSE 'INVOKER'::pg_catalog.text END AS security_type, 'NO'::pg_catalog.text AS as_locator, 'NO'::pg_catalog.text AS is_udt_dependent
FROM shown.pg_namespace AS n
JOIN shown.pg_proc AS p ON n.oid = p.pronamespace
LEFT JOIN shown.pg_type AS t ON p.prorettype = t.oid
