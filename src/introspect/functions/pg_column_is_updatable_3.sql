-- Nothing can be written through pgveil.
SELECT false
