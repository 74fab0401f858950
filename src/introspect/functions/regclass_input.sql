-- A cast of a text that is no constant to regclass, where its OID is what matters: the OID of a visible relation by its name,
-- or the OID itself. NULL where Postgres would say 42P01.
SELECT (lookup.relations ->> ($1)::pg_catalog.text)::pg_catalog.oid
