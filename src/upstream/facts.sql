WITH RECURSIVE wanted AS (
    SELECT c.oid, n.nspname, c.relname, c.relkind
    FROM unnest($1::text[], $2::text[]) AS w(schema_name, relation_name)
    JOIN pg_namespace n ON n.nspname = w.schema_name
    JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = w.relation_name AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
),
-- Every view that a view reads, at any depth, itself included.
below AS (
    SELECT w.oid AS root, w.oid FROM wanted w WHERE w.relkind = 'v'
    UNION
    SELECT b.root, v.oid
    FROM below b
    JOIN pg_rewrite r ON r.ev_class = b.oid
    JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = r.oid
                    AND d.refclassid = 'pg_class'::regclass AND d.refobjid <> b.oid
    JOIN pg_class v ON v.oid = d.refobjid AND v.relkind = 'v'
),
barriers AS (
    SELECT b.root, bool_and(EXISTS (
        SELECT FROM pg_options_to_table(v.reloptions) o
        WHERE o.option_name = 'security_barrier' AND o.option_value::bool
    )) AS barrier
    FROM below b JOIN pg_class v ON v.oid = b.oid
    GROUP BY b.root
)
SELECT w.nspname::text, w.relname::text, json_build_object(
    'oid', w.oid::int8,
    'kind', CASE w.relkind WHEN 'r' THEN 'table' WHEN 'p' THEN 'partitioned_table' WHEN 'v' THEN 'view'
                           WHEN 'm' THEN 'materialized_view' ELSE 'foreign_table' END,
    'columns', COALESCE((
        SELECT json_agg(json_build_object(
            'name', a.attname,
            'number', a.attnum,
            'type_oid', a.atttypid::int8,
            'type_schema', tn.nspname,
            'type_name', t.typname,
            'sql_type', format_type(a.atttypid, a.atttypmod),
            'type_kind', CASE
                WHEN t.typtype = 'b' AND t.typelem <> 0 AND t.typcategory = 'A' THEN 'array'
                WHEN t.typtype = 'b' THEN 'base' WHEN t.typtype = 'd' THEN 'domain' WHEN t.typtype = 'e' THEN 'enum'
                WHEN t.typtype IN ('r', 'm') THEN 'range' WHEN t.typtype = 'c' THEN 'composite' ELSE 'pseudo' END,
            'base_type_name', base.typname,
            'base_sql_type', format_type(base.oid, base.typmod),
            'typmod', base.typmod,
            'collation', CASE WHEN a.attcollation <> 0 AND a.attcollation <> t.typcollation THEN (
                SELECT json_build_array(cn.nspname, co.collname)
                FROM pg_collation co JOIN pg_namespace cn ON cn.oid = co.collnamespace WHERE co.oid = a.attcollation
            ) END,
            'not_null', a.attnotnull OR base.not_null
        ) ORDER BY a.attnum)
        FROM pg_attribute a
        JOIN pg_type t ON t.oid = a.atttypid
        JOIN pg_namespace tn ON tn.oid = t.typnamespace
        CROSS JOIN LATERAL (
            -- A domain down to its base type; a type modifier is written at the lowest of them.
            WITH RECURSIVE chain AS (
                SELECT t.oid, t.typname, t.typtype, t.typbasetype, t.typtypmod, a.atttypmod AS typmod,
                       t.typnotnull AS not_null, 0 AS depth
                UNION ALL
                SELECT b.oid, b.typname, b.typtype, b.typbasetype, b.typtypmod, c.typtypmod,
                       c.not_null OR b.typnotnull, c.depth + 1
                FROM chain c JOIN pg_type b ON b.oid = c.typbasetype
                WHERE c.typtype = 'd'
            )
            SELECT * FROM chain ORDER BY depth DESC LIMIT 1
        ) base
        WHERE a.attrelid = w.oid AND a.attnum > 0 AND NOT a.attisdropped
    ), '[]'),
    'primary_key', COALESCE((
        SELECT json_agg(a.attname ORDER BY k.place)
        FROM pg_index i
        CROSS JOIN LATERAL unnest(i.indkey::int2[]) WITH ORDINALITY AS k(attnum, place)
        JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum
        WHERE i.indrelid = w.oid AND i.indisprimary AND i.indisvalid AND i.indimmediate AND k.place <= i.indnkeyatts
    ), '[]'),
    'unique_keys', COALESCE((
        SELECT json_agg((
            SELECT json_agg(a.attname ORDER BY k.place)
            FROM unnest(i.indkey::int2[]) WITH ORDINALITY AS k(attnum, place)
            JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum
            WHERE k.place <= i.indnkeyatts
        ) ORDER BY i.indexrelid)
        FROM pg_index i
        WHERE i.indrelid = w.oid AND i.indisunique AND NOT i.indisprimary AND i.indisvalid AND i.indimmediate
          AND i.indpred IS NULL AND i.indexprs IS NULL
    ), '[]'),
    'barrier', COALESCE((SELECT b.barrier FROM barriers b WHERE b.root = w.oid), true),
    'parents', COALESCE((
        SELECT json_agg(json_build_object('schema', pn.nspname, 'name', p.relname) ORDER BY i.inhseqno)
        FROM pg_inherits i JOIN pg_class p ON p.oid = i.inhparent JOIN pg_namespace pn ON pn.oid = p.relnamespace
        WHERE i.inhrelid = w.oid
    ), '[]'),
    'has_children', EXISTS (SELECT FROM pg_inherits i WHERE i.inhparent = w.oid),
    'tableoid', CASE WHEN w.relkind <> 'v' THEN has_column_privilege(w.oid, 'tableoid', 'SELECT') ELSE false END
)::text
FROM wanted w
ORDER BY 1, 2
