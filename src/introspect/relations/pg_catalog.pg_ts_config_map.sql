-- Built in.
SELECT r.mapcfg, r.maptokentype, r.mapseqno, r.mapdict
FROM pg_catalog.pg_ts_config_map AS r
WHERE r.mapcfg < 16384
