-- Built in.
SELECT r.oid, r.opfmethod, r.opfname, r.opfnamespace, (SELECT s.useroid FROM map.session AS s) AS opfowner
FROM pg_catalog.pg_opfamily AS r
WHERE r.oid < 16384
