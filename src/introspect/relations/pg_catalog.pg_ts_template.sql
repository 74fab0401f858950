-- Built in.
SELECT r.oid, r.tmplname, r.tmplnamespace, r.tmplinit, r.tmpllexize
FROM pg_catalog.pg_ts_template AS r
WHERE r.oid < 16384
