-- Built in objects have their names, others are numbers.
SELECT CASE WHEN ($1)::pg_catalog.oid < 16384 THEN ($1)::pg_catalog.oid::pg_catalog.regcollation::pg_catalog.text ELSE ($1)::pg_catalog.oid::pg_catalog.text END
