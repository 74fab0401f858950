-- Built in languages, without privileges.
SELECT r.oid, r.lanname, (SELECT s.useroid FROM map.session AS s) AS lanowner, r.lanispl, r.lanpltrusted, r.lanplcallfoid, r.laninline,
  r.lanvalidator
FROM pg_catalog.pg_language AS r
WHERE r.oid < 16384
