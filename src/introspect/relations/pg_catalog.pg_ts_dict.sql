-- Built in.
SELECT r.oid, r.dictname, r.dictnamespace, (SELECT s.useroid FROM map.session AS s) AS dictowner, r.dicttemplate, r.dictinitoption
FROM pg_catalog.pg_ts_dict AS r
WHERE r.oid < 16384
