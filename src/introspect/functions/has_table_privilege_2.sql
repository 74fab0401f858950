-- What policy grants: SELECT on what is shown, nothing else. By OID or by name; NULL for what is not shown, as in Postgres for
-- what does not exist.
SELECT CASE WHEN lookup.relations ? ($1)::pg_catalog.text THEN pg_catalog.upper(($2)::pg_catalog.text) OPERATOR(pg_catalog.~) '(^|,)\s*SELECT\s*(,|$)' END
