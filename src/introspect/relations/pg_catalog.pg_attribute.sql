-- Columns of system relations as they are, and a product's contract columns under the contract's numbers; never a system column of a
-- product, a default, an option or a privilege. `numbers` is indexed by the real attnum: its absolute value is the contract's number,
-- below zero where this user sees a mask (which may be NULL, so NOT NULL does not show), NULL or 0 for a column outside of the contract.
-- domain: atttypid = system, types.oid
SELECT a.attrelid, a.attname, a.atttypid, -1::pg_catalog.int4 AS attstattarget, a.attlen, a.attnum, a.attndims, -1::pg_catalog.int4 AS attcacheoff,
  a.atttypmod, a.attbyval, a.attalign, a.attstorage, a.attcompression, a.attnotnull, false AS atthasdef, false AS atthasmissing,
  ''::pg_catalog."char" AS attidentity, ''::pg_catalog."char" AS attgenerated, a.attisdropped, a.attislocal, a.attinhcount, a.attcollation
FROM pg_catalog.pg_attribute AS a
WHERE a.attrelid < 16384
UNION ALL
SELECT p.oid, a.attname, COALESCE(p.retyped[a.attnum], a.atttypid), -1::pg_catalog.int4,
  CASE WHEN p.retyped[a.attnum] IS NULL THEN a.attlen ELSE (SELECT t.typlen FROM pg_catalog.pg_type AS t WHERE t.oid = p.retyped[a.attnum]) END,
  pg_catalog.abs(p.numbers[a.attnum])::pg_catalog.int2, a.attndims, -1::pg_catalog.int4,
  COALESCE(p.retypmods[a.attnum], a.atttypmod),
  CASE WHEN p.retyped[a.attnum] IS NULL THEN a.attbyval ELSE (SELECT t.typbyval FROM pg_catalog.pg_type AS t WHERE t.oid = p.retyped[a.attnum]) END,
  CASE WHEN p.retyped[a.attnum] IS NULL THEN a.attalign ELSE (SELECT t.typalign FROM pg_catalog.pg_type AS t WHERE t.oid = p.retyped[a.attnum]) END,
  CASE WHEN p.retyped[a.attnum] IS NULL THEN a.attstorage ELSE (SELECT t.typstorage FROM pg_catalog.pg_type AS t WHERE t.oid = p.retyped[a.attnum]) END,
  a.attcompression, a.attnotnull AND p.numbers[a.attnum] > 0, false, false,
  ''::pg_catalog."char", ''::pg_catalog."char", false, true, 0, a.attcollation
FROM map.columns AS p
JOIN pg_catalog.pg_attribute AS a ON a.attrelid = p.relid
WHERE p.numbers[a.attnum] <> 0 AND NOT a.attisdropped
UNION ALL
SELECT i.oid, a.attname, a.atttypid, -1::pg_catalog.int4, a.attlen, i.attnum, a.attndims, -1::pg_catalog.int4, a.atttypmod, a.attbyval, a.attalign,
  a.attstorage, a.attcompression, false, false, false, ''::pg_catalog."char", ''::pg_catalog."char", false, true, 0, a.attcollation
FROM map.index_columns AS i
JOIN pg_catalog.pg_attribute AS a ON a.attrelid = i.relid AND a.attnum = i.real_attnum
