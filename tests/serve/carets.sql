--: Statements with a mistake, with empty lines between them: Postgres and pgveil must point at the same character.

--: The text itself.

SELECT FROM WHERE

SELECT 1 +

SELECT (1 + 2

SELECT region region region FROM finance_orders

SELECT 'unfinished FROM finance_orders

SELECT "unfinished FROM finance_orders

SELECT 1 /* unfinished

SELECT é FROM finance_orders WHERE AND

SELECT 1
FROM finance_orders
WHERE region = 'EU' ORDER

SELECT 1; SELECT 2 FROM; SELECT 3

SELEC 1

SELECT * FROM finance_orders LIMIT 1 LIMIT 2

--: Relations.

SELECT 1 FROM nothing

SELECT 1 FROM finance_orders, nothing n

SELECT (SELECT max(x) FROM nothing) FROM finance_orders

SELECT 1 FROM finance_orders o JOIN (SELECT 1 FROM nothing) x ON true

WITH a AS (SELECT 1 FROM nothing) SELECT * FROM a

SELECT 'ä', 'ö' FROM finance_orders WHERE EXISTS (SELECT 1 FROM nothing)

SELECT 1; SELECT 1 FROM nothing

SELECT o.region FROM finance_orders

SELECT finance_orders.region FROM finance_orders o

SELECT x.* FROM finance_orders o

EXPLAIN SELECT 1 FROM nothing

COPY (SELECT 1 FROM nothing) TO STDOUT

--: Columns.

SELECT nothing FROM finance_orders

SELECT region, nothing FROM finance_orders

SELECT o.nothing FROM finance_orders o

SELECT finance_orders.nothing FROM finance_orders

SELECT 'ü' || nothing FROM finance_orders

SELECT region FROM finance_orders WHERE lower(nothing) = 'x'

SELECT region FROM finance_orders WHERE order_id IN (SELECT nothing FROM finance_orders)

SELECT region FROM finance_orders o WHERE EXISTS (SELECT 1 FROM marketing_campaigns c WHERE c.nothing = o.order_id)

SELECT region FROM finance_orders GROUP BY region HAVING sum(nothing) > 1

SELECT region FROM finance_orders ORDER BY nothing

SELECT sum(total) OVER (PARTITION BY nothing) FROM finance_orders

SELECT 1 FROM finance_orders o JOIN marketing_campaigns c ON o.nothing = c.campaign_id

SELECT 1 FROM finance_orders JOIN marketing_campaigns USING (nothing)

SELECT x.nothing FROM (SELECT region FROM finance_orders) x

WITH x AS (SELECT region FROM finance_orders) SELECT nothing FROM x

SELECT region FROM finance_orders UNION SELECT nothing FROM finance_orders

SELECT 1; SELECT 2; SELECT nothing FROM finance_orders

SELECT
    region,
    -- what is it?
    nothing
FROM finance_orders

--: Functions and operators, which the warehouse resolves.

SELECT lower(1) FROM finance_orders

SELECT lower(order_id) FROM finance_orders

SELECT region, upper(lower(order_id)) FROM finance_orders

SELECT no_such_function(region) FROM finance_orders

SELECT 'ß', lower(o.order_id) FROM finance_orders o

SELECT pg_catalog.lower(order_id) FROM finance_orders

SELECT sum(region) FROM finance_orders

SELECT count(*) FILTER (WHERE upper(total) = 'X') FROM finance_orders

SELECT avg(region) OVER (ORDER BY order_id) FROM finance_orders

SELECT 1 + region FROM finance_orders

SELECT region + 1 FROM finance_orders

SELECT total + 1 + region FROM finance_orders

SELECT (total + 1) * (region + 1) FROM finance_orders

SELECT region = 1 FROM finance_orders

SELECT 1 FROM finance_orders WHERE region = 1 AND total = 2

SELECT 1 FROM finance_orders WHERE total = 2 AND region = 1

SELECT 1 FROM finance_orders WHERE region IN (1, 2)

SELECT 1 FROM finance_orders WHERE region NOT IN (1, 2)

SELECT 1 FROM finance_orders WHERE region IN (SELECT order_id FROM finance_orders)

SELECT 1 FROM finance_orders WHERE region = ANY (ARRAY[1, 2])

SELECT 1 FROM finance_orders WHERE region BETWEEN 1 AND 2

SELECT 1 FROM finance_orders WHERE order_id LIKE 'a%'

SELECT 1 FROM finance_orders WHERE order_id NOT LIKE 'a%'

SELECT 1 FROM finance_orders WHERE order_id ~ 'a'

SELECT 1 FROM finance_orders o JOIN finance_orders p ON o.region = p.order_id

SELECT 1 FROM finance_orders o, LATERAL (SELECT o.region + 1) x

SELECT CASE WHEN region > 1 THEN 2 END FROM finance_orders

SELECT - region FROM finance_orders

SELECT extract(year FROM region) FROM finance_orders

SELECT region AT TIME ZONE 'UTC' FROM finance_orders

SELECT finance_orders.total + finance_orders.region FROM finance_orders

SELECT 1 FROM finance_orders OFFSET 1 LIMIT lower(1)

WITH a AS (SELECT region FROM finance_orders), b AS (SELECT region + 1 FROM a) SELECT * FROM b

SELECT region FROM finance_orders UNION ALL SELECT lower(1) FROM finance_orders

SELECT 1; SELECT 'é', lower(1) FROM finance_orders

SELECT lower(1); SELECT lower('a')

PREPARE x AS SELECT lower(1) FROM finance_orders

PREPARE x (bigint) AS SELECT upper($1) FROM finance_orders

COPY (SELECT lower(order_id) FROM finance_orders) TO STDOUT

EXPLAIN SELECT lower(order_id) FROM finance_orders

EXPLAIN (COSTS off) SELECT region + 1 FROM finance_orders

SELECT lower(1)
FROM finance_orders -- region + 1
WHERE region = 'EU'
