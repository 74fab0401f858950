-- Of built in objects.
SELECT pg_catalog.upper(($2)::pg_catalog.text) OPERATOR(pg_catalog.~) '(^|,)\s*EXECUTE\s*(,|$)'
