-- Whether the client's search path finds it.
SELECT CASE WHEN $1 < 16384 THEN pg_catalog.pg_type_is_visible($1) ELSE (lookup.visible_types ->> ($1)::pg_catalog.text)::pg_catalog.bool END
