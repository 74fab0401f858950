-- The session's user alone.
SELECT m.usename, m.useroid AS usesysid, false AS usecreatedb, false AS usesuper, false AS userepl, false AS usebypassrls, '********'::pg_catalog.text AS passwd
FROM map.session AS m
