-- The OID of a visible relation by its name; a hidden one is unknown, like one that does not exist.
SELECT (lookup.relations ->> ($1)::pg_catalog.text)::pg_catalog.oid
