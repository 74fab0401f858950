-- Between objects of the system alone.
SELECT r.classid, r.objid, r.objsubid, r.refclassid, r.refobjid, r.refobjsubid, r.deptype
FROM pg_catalog.pg_depend AS r
WHERE r.objid < 16384 AND r.refobjid < 16384
