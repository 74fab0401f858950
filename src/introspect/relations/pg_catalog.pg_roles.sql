-- The session's user alone, as an ordinary role. Whom else pgveil or the warehouse knows is not shown.
SELECT m.usename AS rolname, false AS rolsuper, true AS rolinherit, false AS rolcreaterole, false AS rolcreatedb, true AS rolcanlogin, false AS rolreplication,
  -1 AS rolconnlimit, '********'::pg_catalog.text AS rolpassword, NULL::pg_catalog.timestamptz AS rolvaliduntil, false AS rolbypassrls, m.useroid AS oid
FROM map.session AS m
