-- Where a relation lies is the warehouse's affair; Postgres says nothing of its own two either.
SELECT CASE WHEN $1 IN (1663, 1664) THEN ''::pg_catalog.text END
