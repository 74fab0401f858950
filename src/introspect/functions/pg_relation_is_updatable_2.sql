-- Nothing can be written through pgveil.
SELECT 0
