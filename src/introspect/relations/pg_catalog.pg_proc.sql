-- Built in functions; no source, default, setting or privilege. The warehouse's own functions are not shown, those that policy
-- allows neither: their signatures may name what is hidden.
SELECT r.oid, r.proname, r.pronamespace, (SELECT s.useroid FROM map.session AS s) AS proowner, r.prolang, r.procost, r.prorows, r.provariadic,
  r.prosupport, r.prokind, r.prosecdef, r.proleakproof, r.proisstrict, r.proretset, r.provolatile, r.proparallel, r.pronargs,
  r.pronargdefaults, r.prorettype, r.proargtypes, r.proallargtypes, r.proargmodes, r.proargnames
FROM pg_catalog.pg_proc AS r
WHERE r.oid < 16384
