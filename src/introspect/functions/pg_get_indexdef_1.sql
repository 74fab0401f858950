-- The made definition of a visible key's index; Postgres' own for a built in one; nothing for a hidden one.
SELECT CASE WHEN $1 < 16384 THEN pg_catalog.pg_get_indexdef($1) ELSE lookup.index_definitions ->> ($1)::pg_catalog.text END
