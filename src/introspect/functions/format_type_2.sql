-- Built in types by Postgres' own; the types of visible columns and row types by the map, so that no schema of the warehouse
-- shows; others as Postgres writes an unknown one.
SELECT CASE WHEN $1 IS NULL THEN NULL::pg_catalog.text WHEN $1 < 16384 THEN pg_catalog.format_type($1, $2) ELSE COALESCE(lookup.types ->> ($1)::pg_catalog.text, '???') END
