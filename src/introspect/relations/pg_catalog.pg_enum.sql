-- Labels of the enums that visible columns have.
SELECT e.oid, e.enumtypid, e.enumsortorder, e.enumlabel
FROM map.types AS y
JOIN pg_catalog.pg_enum AS e ON e.enumtypid = y.oid
