-- What policy grants: SELECT on each column that is shown. Of another user nothing is said.
SELECT CASE WHEN lookup.relations ? ($2)::pg_catalog.text THEN pg_catalog.upper(($4)::pg_catalog.text) OPERATOR(pg_catalog.~) '(^|,)\s*SELECT\s*(,|$)' AND EXISTS (SELECT FROM map.session AS s WHERE s.usename = ($1)::pg_catalog.text OR s.useroid::pg_catalog.text = ($1)::pg_catalog.text) END
