-- No stored expression is shown: each column that could be asked for is NULL.
SELECT NULL::pg_catalog.text
