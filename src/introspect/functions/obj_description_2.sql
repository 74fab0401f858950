-- The contract's text for products and domains, Postgres' own for built in objects, none for others. A class that is not built
-- in has no comments.
SELECT CASE WHEN $1 < 16384 THEN pg_catalog.obj_description($1, $2) WHEN $2 = 'pg_class' THEN lookup.product_descriptions ->> ($1)::pg_catalog.text
  WHEN $2 = 'pg_namespace' THEN lookup.schema_descriptions ->> ($1)::pg_catalog.text END
