-- What initdb installs (plpgsql); which other extensions the warehouse has is its affair.
SELECT r.oid, r.extname, (SELECT s.useroid FROM map.session AS s) AS extowner, r.extnamespace, r.extrelocatable, r.extversion
FROM pg_catalog.pg_extension AS r
WHERE r.oid < 16384
