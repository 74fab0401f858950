-- Comments on the system's objects, and the contract's texts on domains, products and their columns; never a comment of the warehouse.
SELECT d.objoid, d.classoid, d.objsubid, d.description
FROM pg_catalog.pg_description AS d
WHERE d.objoid < 16384
UNION ALL
SELECT q.oid, '1259'::pg_catalog.oid, q.attnum::pg_catalog.int4, q.description
FROM map.column_descriptions AS q
UNION ALL
SELECT p.oid, '1259'::pg_catalog.oid, 0, p.description
FROM map.products AS p
WHERE p.description IS NOT NULL
UNION ALL
SELECT m.oid, '2615'::pg_catalog.oid, 0, m.description
FROM map.schemas AS m
WHERE m.description IS NOT NULL
