-- Built in objects alone.
SELECT CASE WHEN $1 < 16384 AND $2 < 16384 THEN pg_catalog.pg_describe_object($1, $2, $3) END
