-- cut: $1 = p.oid
SELECT CASE WHEN $1 < 16384 THEN ($1)::pg_catalog.regclass::pg_catalog.text ELSE (SELECT pg_catalog.quote_ident(p.schema_name) || '.' || pg_catalog.quote_ident(p.relname) FROM map.products AS p WHERE p.oid = $1) END
