-- The OID of a governed schema by its name.
SELECT (lookup.schemas ->> ($1)::pg_catalog.text)::pg_catalog.oid
