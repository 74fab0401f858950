-- Constraints of the system's relations, and the visible keys of products under names made from the product's; foreign keys between visible
-- products alone. No check constraint of a product: its text would show the warehouse's rules.
SELECT c.oid, c.conname, c.connamespace, c.contype, c.condeferrable, c.condeferred, c.convalidated, c.conrelid, c.contypid, c.conindid, c.conparentid,
  c.confrelid, c.confupdtype, c.confdeltype, c.confmatchtype, c.conislocal, c.coninhcount, c.connoinherit, c.conkey, c.confkey, c.conpfeqop, c.conppeqop,
  c.conffeqop, c.conexclop
FROM pg_catalog.pg_constraint AS c
WHERE c.oid < 16384
UNION ALL
SELECT k.conoid, k.name, k.schema_oid, k.contype, false, false, true, k.oid, '0'::pg_catalog.oid,
  CASE WHEN k.contype = 'f' THEN k.ref_index_oid ELSE k.index_oid END, '0'::pg_catalog.oid,
  k.ref_oid, k.on_update, k.on_delete, CASE WHEN k.contype = 'f' THEN 's'::pg_catalog."char" ELSE ' '::pg_catalog."char" END, true, 0, true, k.numbers, k.ref_numbers,
  NULL::pg_catalog.oid[], NULL::pg_catalog.oid[], NULL::pg_catalog.oid[], NULL::pg_catalog.oid[]
FROM map.keys AS k
