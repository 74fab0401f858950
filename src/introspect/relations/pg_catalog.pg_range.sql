-- Built in ranges, and those of visible columns' types.
SELECT r.rngtypid, r.rngsubtype, r.rngmultitypid, r.rngcollation, r.rngsubopc, r.rngcanonical, r.rngsubdiff
FROM pg_catalog.pg_range AS r
WHERE r.rngtypid < 16384
UNION ALL
SELECT r.rngtypid, r.rngsubtype, r.rngmultitypid, r.rngcollation, r.rngsubopc, '-'::pg_catalog.regproc, '-'::pg_catalog.regproc
FROM map.types AS y
JOIN pg_catalog.pg_range AS r ON r.rngtypid = y.oid
WHERE r.rngsubtype < 16384
