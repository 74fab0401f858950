-- Built in operators.
SELECT r.oid, r.oprname, r.oprnamespace, (SELECT s.useroid FROM map.session AS s) AS oprowner, r.oprkind, r.oprcanmerge, r.oprcanhash, r.oprleft,
  r.oprright, r.oprresult, r.oprcom, r.oprnegate, r.oprcode, r.oprrest, r.oprjoin
FROM pg_catalog.pg_operator AS r
WHERE r.oid < 16384
