-- The system's own types and the row types of products.
SELECT t.oid AS oid, t.typname AS typname, t.typnamespace AS typnamespace, t.typowner AS typowner, t.typlen AS typlen,
       t.typtype AS typtype, t.typcategory AS typcategory, t.typrelid AS typrelid, t.typelem AS typelem,
       t.typarray AS typarray, t.typbasetype AS typbasetype, t.typtypmod AS typtypmod, t.typnotnull AS typnotnull
FROM pg_catalog.pg_type AS t
WHERE t.oid < CAST(16384 AS pg_catalog.oid)
UNION ALL
SELECT m.type_oid, m.relname, m.schema_oid, CAST(10 AS pg_catalog.oid), -1, 'c', 'C', m.oid, CAST(0 AS pg_catalog.oid),
       m.array_oid, CAST(0 AS pg_catalog.oid), -1, false
FROM map.products AS m
