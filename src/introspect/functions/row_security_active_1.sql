-- No row security is shown; pgveil's filters are none.
SELECT false
