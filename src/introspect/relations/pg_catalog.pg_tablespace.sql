-- The two that every cluster has; not where they lie.
SELECT r.oid, r.spcname, (SELECT s.useroid FROM map.session AS s) AS spcowner
FROM pg_catalog.pg_tablespace AS r
WHERE r.oid < 16384
