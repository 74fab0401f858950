-- The made definition of a visible key; Postgres' own for a built in one; nothing for a hidden one.
SELECT CASE WHEN $1 < 16384 THEN pg_catalog.pg_get_constraintdef($1, $2) ELSE lookup.constraint_definitions ->> ($1)::pg_catalog.text END
