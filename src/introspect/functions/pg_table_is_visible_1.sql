-- Whether the client's search path finds it; an OID that is not shown is NULL, as in Postgres for one that does not exist.
SELECT CASE WHEN $1 < 16384 THEN pg_catalog.pg_table_is_visible($1) ELSE (lookup.visible_relations ->> ($1)::pg_catalog.text)::pg_catalog.bool END
