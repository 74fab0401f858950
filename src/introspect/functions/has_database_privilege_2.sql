-- CONNECT to the one database that there is.
SELECT CASE WHEN EXISTS (SELECT FROM map.session AS m WHERE m.datname = ($1)::pg_catalog.text OR m.datoid::pg_catalog.text = ($1)::pg_catalog.text) THEN pg_catalog.upper(($2)::pg_catalog.text) OPERATOR(pg_catalog.~) '(^|,)\s*CONNECT\s*(,|$)' END
