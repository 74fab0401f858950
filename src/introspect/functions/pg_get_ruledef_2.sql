-- Definitions of what is not shown, and sources, are the warehouse's affair: as for an object that does not exist.
SELECT NULL::pg_catalog.text
