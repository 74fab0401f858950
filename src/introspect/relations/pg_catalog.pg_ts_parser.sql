-- Built in.
SELECT r.oid, r.prsname, r.prsnamespace, r.prsstart, r.prstoken, r.prsend, r.prsheadline, r.prslextype
FROM pg_catalog.pg_ts_parser AS r
WHERE r.oid < 16384
