-- The system's own relations and the products.
SELECT c.oid AS oid, c.relname AS relname, c.relnamespace AS relnamespace, c.reltype AS reltype, c.relowner AS relowner,
       c.relam AS relam, c.relkind AS relkind, c.relnatts AS relnatts, c.relpersistence AS relpersistence
FROM pg_catalog.pg_class AS c
WHERE c.oid < CAST(16384 AS pg_catalog.oid)
UNION ALL
SELECT m.oid, m.relname, m.schema_oid, m.type_oid, CAST(10 AS pg_catalog.oid),
       CAST(2 AS pg_catalog.oid), 'r', pg_catalog.cardinality(m.attnums), 'p'
FROM map.products AS m
