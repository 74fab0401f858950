-- As Postgres defines it: the database's encoding.
SELECT NULL::pg_catalog.name AS character_set_catalog, NULL::pg_catalog.name AS character_set_schema, 'UTF8'::pg_catalog.name AS character_set_name, 'UCS'::pg_catalog.name AS character_repertoire,
  'UTF8'::pg_catalog.name AS form_of_use, (SELECT s.datname FROM map.session AS s) AS default_collate_catalog, 'pg_catalog'::pg_catalog.name AS default_collate_schema, 'default'::pg_catalog.name AS default_collate_name
FROM map.session AS m
