-- The system's own columns and those of contracts, in their order.
SELECT a.attrelid AS attrelid, a.attname AS attname, a.atttypid AS atttypid, a.attnum AS attnum, a.attlen AS attlen,
       a.atttypmod AS atttypmod, a.attnotnull AS attnotnull, a.atthasdef AS atthasdef, a.attisdropped AS attisdropped,
       a.attcollation AS attcollation, a.attidentity AS attidentity, a.attgenerated AS attgenerated
FROM pg_catalog.pg_attribute AS a
WHERE a.attrelid < CAST(16384 AS pg_catalog.oid)
UNION ALL
SELECT m.oid, a.attname, a.atttypid, CAST(k.n AS pg_catalog.int2), a.attlen, a.atttypmod, a.attnotnull, false, false,
       a.attcollation, '', ''
FROM map.products AS m
CROSS JOIN LATERAL unnest(m.attnums) WITH ORDINALITY AS k(attnum, n)
JOIN pg_catalog.pg_attribute AS a ON a.attrelid = m.relid AND a.attnum = k.attnum
