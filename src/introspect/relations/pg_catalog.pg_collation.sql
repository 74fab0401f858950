-- Built in collations (initdb's from the system's locales are among them).
SELECT r.oid, r.collname, r.collnamespace, r.collprovider, r.collisdeterministic, r.collencoding, r.collcollate, r.collctype, r.colliculocale, r.collversion
FROM pg_catalog.pg_collation AS r
WHERE r.oid < 16384
