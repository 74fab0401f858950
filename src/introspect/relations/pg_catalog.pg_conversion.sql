-- Built in.
SELECT r.oid, r.conname, r.connamespace, (SELECT s.useroid FROM map.session AS s) AS conowner, r.conforencoding, r.contoencoding, r.conproc,
  r.condefault
FROM pg_catalog.pg_conversion AS r
WHERE r.oid < 16384
