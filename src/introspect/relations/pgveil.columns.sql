-- The columns of their contracts, and whether this user sees a mask.
SELECT c.product_id, c.position, c.name, c.type, c.description, c.nullable, c.pii, c.masked, c.mask
FROM map.own_columns AS c
