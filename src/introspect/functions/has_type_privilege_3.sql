-- Of built in objects, for the session's user.
SELECT pg_catalog.upper(($3)::pg_catalog.text) OPERATOR(pg_catalog.~) '(^|,)\s*USAGE\s*(,|$)' AND ($1)::pg_catalog.text IN (lookup.session ->> 'usename', lookup.session ->> 'useroid')
