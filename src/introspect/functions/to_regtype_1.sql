-- A built in type or one of a visible column. Only a name that can be Postgres' own is asked of the warehouse: any other would
-- tell which of its schemas exist.
SELECT COALESCE((lookup.type_oids ->> ($1)::pg_catalog.text)::pg_catalog.oid,
  CASE WHEN ($1)::pg_catalog.text OPERATOR(pg_catalog.~) '^(pg_catalog[.])?[^.]*$' THEN pg_catalog.to_regtype(($1)::pg_catalog.text)::pg_catalog.oid END)
