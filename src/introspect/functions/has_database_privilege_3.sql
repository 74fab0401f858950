-- CONNECT to the one database that there is. Of another user nothing is said.
SELECT CASE WHEN ($2)::pg_catalog.text IN (lookup.session ->> 'datname', lookup.session ->> 'datoid') THEN pg_catalog.upper(($3)::pg_catalog.text) OPERATOR(pg_catalog.~) '(^|,)\s*CONNECT\s*(,|$)' AND ($1)::pg_catalog.text IN (lookup.session ->> 'usename', lookup.session ->> 'useroid') END
