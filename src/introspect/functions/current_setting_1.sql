-- A setting that SHOW ALL lists, with the value that pgveil keeps or the warehouse connection's (NULL in the map); NULL for
-- others.
SELECT CASE WHEN lookup.settings ? pg_catalog.lower(($1)::pg_catalog.text) THEN COALESCE(lookup.settings ->> pg_catalog.lower(($1)::pg_catalog.text), pg_catalog.current_setting(($1)::pg_catalog.text)) END
