-- As Postgres defines it: what initdb made.
SELECT (SELECT s.datname FROM map.session AS s) AS collation_catalog, 'pg_catalog'::pg_catalog.name AS collation_schema, c.collname AS collation_name, 'NO PAD'::pg_catalog.text AS pad_attribute
FROM shown.pg_collation AS c
WHERE c.collencoding IN (-1, 6)
