-- What is checked of them. The SQL of a check is its owner's affair.
SELECT k.product_id, k.name, k.type, k.columns, k.severity
FROM map.own_checks AS k
