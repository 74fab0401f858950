-- Of built in objects, for the session's user.
SELECT pg_catalog.upper(($3)::pg_catalog.text) OPERATOR(pg_catalog.~) '(^|,)\s*EXECUTE\s*(,|$)' AND EXISTS (SELECT FROM map.session AS s WHERE s.usename = ($1)::pg_catalog.text OR s.useroid::pg_catalog.text = ($1)::pg_catalog.text)
