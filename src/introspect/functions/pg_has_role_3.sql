-- The session's user is a member of himself alone.
SELECT (($1)::pg_catalog.text IN (lookup.session ->> 'usename', lookup.session ->> 'useroid') AND ($2)::pg_catalog.text IN (lookup.session ->> 'usename', lookup.session ->> 'useroid'))
