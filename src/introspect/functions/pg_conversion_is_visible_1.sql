-- Built in objects by Postgres' own; others are not shown.
SELECT CASE WHEN $1 < 16384 THEN pg_catalog.pg_conversion_is_visible($1) END
