-- The one database that the client is connected to, under the warehouse's name in pgveil; no other database of the cluster
-- exists.
SELECT m.datoid AS oid, m.datname, m.useroid AS datdba, d.encoding, d.datlocprovider, false AS datistemplate, true AS datallowconn, false AS dathasloginevt,
  -1 AS datconnlimit, '0'::pg_catalog.xid AS datfrozenxid, '1'::pg_catalog.xid AS datminmxid, '1663'::pg_catalog.oid AS dattablespace, d.datcollate, d.datctype, d.datcollversion
FROM map.session AS m
JOIN pg_catalog.pg_database AS d ON d.datname = pg_catalog.current_database()
