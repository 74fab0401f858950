-- What policy grants: SELECT on what is shown, nothing else. Of another user nothing is said.
SELECT CASE WHEN lookup.relations ? ($2)::pg_catalog.text THEN pg_catalog.upper(($3)::pg_catalog.text) OPERATOR(pg_catalog.~) '(^|,)\s*SELECT\s*(,|$)' AND EXISTS (SELECT FROM map.session AS s WHERE s.usename = ($1)::pg_catalog.text OR s.useroid::pg_catalog.text = ($1)::pg_catalog.text) END
