-- The session's user owns what is shown; every other OID is unknown, in Postgres' words.
SELECT COALESCE((SELECT s.usename FROM map.session AS s WHERE s.useroid = $1), ('unknown (OID=' || ($1)::pg_catalog.text || ')')::pg_catalog.name)
