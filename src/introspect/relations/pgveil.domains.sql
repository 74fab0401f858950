-- Domains with a visible product.
SELECT d.domain, d.products
FROM (SELECT p.domain AS domain, pg_catalog.count(*) AS products FROM map.own_products AS p GROUP BY p.domain) AS d
