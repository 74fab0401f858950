-- Nobody publishes through pgveil.
SELECT false
