-- The made definition of a visible key's index, or one of its columns; Postgres' own for a built in one; nothing for a hidden
-- one.
SELECT CASE WHEN $1 < 16384 THEN pg_catalog.pg_get_indexdef($1, $2, $3) WHEN $2 = 0 THEN lookup.index_definitions ->> ($1)::pg_catalog.text
  WHEN lookup.index_definitions ? ($1)::pg_catalog.text THEN COALESCE(lookup.index_columns #>> ARRAY[($1)::pg_catalog.text, ($2)::pg_catalog.text], '') END
