-- Collations that initdb made, the operating system's among them.
SELECT r.oid, r.collname, r.collnamespace, (SELECT s.useroid FROM map.session AS s) AS collowner, r.collprovider, r.collisdeterministic,
  r.collencoding, r.collcollate, r.collctype, r.colliculocale, r.colllocale, r.collicurules, r.collversion
FROM pg_catalog.pg_collation AS r
WHERE r.oid < 16384
