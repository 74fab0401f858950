-- What psycopg2 2.9.13 sends of its own: registration of types.
-- name: register_composite
BEGIN;
-- name: register_composite (2)
SELECT t.oid, typarray, attname, atttypid
FROM pg_type t
JOIN pg_namespace ns ON typnamespace = ns.oid
JOIN pg_attribute a ON attrelid = typrelid
WHERE typname = 'orders' AND nspname = 'sales'
    AND attnum > 0 AND NOT attisdropped
ORDER BY attnum;
-- name: register_composite (3)
ROLLBACK;
-- name: register_hstore
SELECT t.oid, typarray
FROM pg_type t JOIN pg_namespace ns
    ON typnamespace = ns.oid
WHERE typname = 'hstore';
