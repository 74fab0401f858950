SELECT json_build_object(
    'schema', n.nspname,
    'name', c.relname,
    'oid', c.oid::int8,
    'schema_oid', n.oid::int8,
    'columns', json_agg(json_build_object(
        'name', a.attname,
        'type_schema', tn.nspname,
        'type_name', t.typname,
        -- What a domain is compared as.
        'type_oid', CASE WHEN t.typtype = 'd' THEN t.typbasetype ELSE t.oid END::int8
    ) ORDER BY a.attnum)
)::text
FROM unnest($1::text[], $2::text[]) AS wanted(schema, name)
JOIN pg_namespace n ON n.nspname = wanted.schema
JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = wanted.name
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
JOIN pg_type t ON t.oid = a.atttypid
JOIN pg_namespace tn ON tn.oid = t.typnamespace
GROUP BY n.nspname, c.relname, c.oid, n.oid
ORDER BY n.nspname, c.relname
