-- Built in.
SELECT r.oid, r.amprocfamily, r.amproclefttype, r.amprocrighttype, r.amprocnum, r.amproc
FROM pg_catalog.pg_amproc AS r
WHERE r.oid < 16384
