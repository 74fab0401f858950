-- The session's user is a member of himself alone.
SELECT EXISTS (SELECT FROM map.session AS s WHERE (s.usename = ($1)::pg_catalog.text OR s.useroid::pg_catalog.text = ($1)::pg_catalog.text) AND (s.usename = ($2)::pg_catalog.text OR s.useroid::pg_catalog.text = ($2)::pg_catalog.text))
