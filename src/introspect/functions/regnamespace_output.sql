-- The governed schema's name; an OID that is not shown is its number.
SELECT COALESCE(lookup.schema_names ->> ($1)::pg_catalog.text, ($1)::pg_catalog.text)
