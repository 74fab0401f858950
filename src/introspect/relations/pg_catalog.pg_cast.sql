-- Built in casts.
SELECT r.oid, r.castsource, r.casttarget, r.castfunc, r.castcontext, r.castmethod
FROM pg_catalog.pg_cast AS r
WHERE r.oid < 16384
