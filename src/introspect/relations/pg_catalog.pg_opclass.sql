-- Built in.
SELECT r.oid, r.opcmethod, r.opcname, r.opcnamespace, (SELECT s.useroid FROM map.session AS s) AS opcowner, r.opcfamily, r.opcintype, r.opcdefault,
  r.opckeytype
FROM pg_catalog.pg_opclass AS r
WHERE r.oid < 16384
