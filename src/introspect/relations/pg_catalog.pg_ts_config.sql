-- Built in.
SELECT r.oid, r.cfgname, r.cfgnamespace, (SELECT s.useroid FROM map.session AS s) AS cfgowner, r.cfgparser
FROM pg_catalog.pg_ts_config AS r
WHERE r.oid < 16384
