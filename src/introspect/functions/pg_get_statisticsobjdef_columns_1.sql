SELECT NULL::pg_catalog.text
