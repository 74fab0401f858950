-- What policy grants: SELECT on each column that is shown.
SELECT CASE WHEN lookup.relations ? ($1)::pg_catalog.text THEN pg_catalog.upper(($3)::pg_catalog.text) OPERATOR(pg_catalog.~) '(^|,)\s*SELECT\s*(,|$)' END
