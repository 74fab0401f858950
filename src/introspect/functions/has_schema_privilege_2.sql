-- USAGE of what is shown; nobody creates anything through pgveil.
SELECT CASE WHEN lookup.schemas ? ($1)::pg_catalog.text THEN pg_catalog.upper(($2)::pg_catalog.text) OPERATOR(pg_catalog.~) '(^|,)\s*USAGE\s*(,|$)' END
