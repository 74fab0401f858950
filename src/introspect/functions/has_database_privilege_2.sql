-- CONNECT to the one database that there is.
SELECT CASE WHEN ($1)::pg_catalog.text IN (lookup.session ->> 'datname', lookup.session ->> 'datoid') THEN pg_catalog.upper(($2)::pg_catalog.text) OPERATOR(pg_catalog.~) '(^|,)\s*CONNECT\s*(,|$)' END
