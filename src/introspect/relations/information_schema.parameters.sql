-- The warehouse's functions are its affair, and nobody asks here for the parameters of built in ones.
SELECT NULL::pg_catalog.name AS specific_name
WHERE false
