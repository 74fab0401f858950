-- What pgveil's policy grants: SELECT on each visible product.
SELECT (SELECT s.usename FROM map.session AS s) AS grantor, (SELECT s.usename FROM map.session AS s) AS grantee, (SELECT s.datname FROM map.session AS s) AS table_catalog, p.schema_name AS table_schema, p.relname AS table_name,
  'SELECT'::pg_catalog.text AS privilege_type, 'NO'::pg_catalog.text AS is_grantable, 'YES'::pg_catalog.text AS with_hierarchy
FROM map.products AS p
