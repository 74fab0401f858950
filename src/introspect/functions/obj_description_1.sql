-- As with a class, for whichever there is.
SELECT CASE WHEN $1 < 16384 THEN pg_catalog.obj_description($1) ELSE COALESCE(lookup.product_descriptions ->> ($1)::pg_catalog.text, lookup.schema_descriptions ->> ($1)::pg_catalog.text) END
