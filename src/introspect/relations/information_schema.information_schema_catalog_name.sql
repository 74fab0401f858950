-- The database under the name that clients connect to.
SELECT s.datname AS catalog_name
FROM map.session AS s
