-- System relations without what counts the warehouse's objects (reltuples, relpages); products as plain tables; the indexes of their
-- visible keys. Everybody's owner is the session's user, so that a join with pg_roles loses no row.
SELECT c.oid, c.relname, c.relnamespace, c.reltype, c.reloftype, (SELECT s.useroid FROM map.session AS s) AS relowner, c.relam,
  '0'::pg_catalog.oid AS relfilenode, c.reltablespace, 0::pg_catalog.int4 AS relpages, '-1'::pg_catalog.float4 AS reltuples,
  0::pg_catalog.int4 AS relallvisible, '0'::pg_catalog.oid AS reltoastrelid, c.relhasindex, c.relisshared, c.relpersistence, c.relkind,
  c.relnatts, c.relchecks, c.relhasrules, c.relhastriggers, c.relhassubclass, c.relrowsecurity, c.relforcerowsecurity, c.relispopulated,
  c.relreplident, c.relispartition, '0'::pg_catalog.oid AS relrewrite, '0'::pg_catalog.xid AS relfrozenxid, '0'::pg_catalog.xid AS relminmxid
FROM pg_catalog.pg_class AS c
WHERE c.oid < 16384 AND c.relnamespace <> 99
UNION ALL
SELECT p.oid, p.relname, p.schema_oid, p.type_oid, '0'::pg_catalog.oid, (SELECT s.useroid FROM map.session AS s), '2'::pg_catalog.oid,
  '0'::pg_catalog.oid, '0'::pg_catalog.oid, 0::pg_catalog.int4, '-1'::pg_catalog.float4,
  0::pg_catalog.int4, '0'::pg_catalog.oid, p.has_index, false, 'p'::pg_catalog."char", 'r'::pg_catalog."char",
  p.natts, 0::pg_catalog.int2, false, p.has_foreign_key, false, false, false, true,
  'd'::pg_catalog."char", false, '0'::pg_catalog.oid, '0'::pg_catalog.xid, '0'::pg_catalog.xid
FROM map.products AS p
UNION ALL
SELECT k.index_oid, k.name, k.schema_oid, '0'::pg_catalog.oid, '0'::pg_catalog.oid, (SELECT s.useroid FROM map.session AS s), '403'::pg_catalog.oid,
  '0'::pg_catalog.oid, '0'::pg_catalog.oid, 0::pg_catalog.int4, '-1'::pg_catalog.float4,
  0::pg_catalog.int4, '0'::pg_catalog.oid, false, false, 'p'::pg_catalog."char", 'i'::pg_catalog."char",
  k.natts, 0::pg_catalog.int2, false, false, false, false, false, true,
  'n'::pg_catalog."char", false, '0'::pg_catalog.oid, '0'::pg_catalog.xid, '0'::pg_catalog.xid
FROM map.keys AS k
WHERE k.contype <> 'f'
