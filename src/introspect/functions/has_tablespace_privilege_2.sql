-- Nobody creates anything through pgveil.
SELECT false
