-- The governed schemas. In Postgres only owners see them here; tools read it as the list of schemas.
SELECT (SELECT s.datname FROM map.session AS s) AS catalog_name, n.nspname AS schema_name, (SELECT s.usename FROM map.session AS s) AS schema_owner
FROM shown.pg_namespace AS n
