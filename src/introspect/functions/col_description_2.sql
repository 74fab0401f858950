-- The contract's text for a product's column, Postgres' own for built in relations, none for others.
SELECT CASE WHEN $1 < 16384 THEN pg_catalog.col_description($1, $2) ELSE lookup.column_descriptions #>> ARRAY[($1)::pg_catalog.text, ($2)::pg_catalog.text] END
