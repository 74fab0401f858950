-- Facts of the time zone database.
SELECT z.name, z.abbrev, z.utc_offset, z.is_dst
FROM pg_catalog.pg_timezone_names AS z
