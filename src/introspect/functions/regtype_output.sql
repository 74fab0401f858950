-- As format_type without a modifier; an unknown OID is its number.
SELECT CASE WHEN $1 < 16384 THEN ($1)::pg_catalog.regtype::pg_catalog.text ELSE COALESCE(lookup.types ->> ($1)::pg_catalog.text, ($1)::pg_catalog.text) END
