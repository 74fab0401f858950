-- What policy grants: SELECT on each column that is shown. Of another user nothing is said.
SELECT CASE WHEN lookup.relations ? ($2)::pg_catalog.text THEN pg_catalog.upper(($4)::pg_catalog.text) OPERATOR(pg_catalog.~) '(^|,)\s*SELECT\s*(,|$)' AND ($1)::pg_catalog.text IN (lookup.session ->> 'usename', lookup.session ->> 'useroid') END
