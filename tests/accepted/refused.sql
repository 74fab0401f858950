-- path: shop
-- Harmless, and refused all the same: docs/known-limitations.md says what to write instead.
SELECT * FROM ROWS FROM (json_to_record('{"a": 1}') AS (a int), generate_series(1, 2)) AS t(a, n);
(((SELECT id FROM orders) ORDER BY 1) LIMIT 1) OFFSET 0;
SELECT OPERATOR(pg_catalog.-) 5;
