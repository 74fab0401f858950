-- The warehouse of generated statements. :variant is 0 for the one that the twins are made of; 1, 2 and 3 are the ones that differ
-- from it in what the analyst (1), the manager (2) and a user with both roles (3) may not see, and in nothing else.
-- They are copies of one database with the type raw.mood, which has one OID in all of them.

-- What a mask drops is :variant's; what it keeps (a domain, four digits, a year, a bucket) is the row's.
CREATE TABLE raw.cust_v3 (
    ssn text, id int8 PRIMARY KEY, name text, email text, phone varchar(20), born date, joined timestamptz, income int4,
    segment varchar(12), code text, vip bool, secret_rank int, region text, score numeric(8,2), tags text[], prefs jsonb, note text
);
INSERT INTO raw.cust_v3 SELECT
    'CANARY-ssn-' || :variant || i, i,
    CASE WHEN :variant IN (1) THEN CASE i % 5 WHEN 0 THEN NULL WHEN 1 THEN '' WHEN 2 THEN repeat('CANARY', 40) ELSE 'CANARY''" ' || i END
        ELSE (ARRAY['Ana', 'Bo', 'Céline', 'Dî', '12', 'O''Neil'])[1 + i % 6] END,
    CASE WHEN i = 3 THEN NULL WHEN i = 9 THEN 'CANARY' || :variant ELSE
        chr(97 + i % 4) || 'CANARY' || repeat('x', :variant * i) || i || '@' || (ARRAY['a.org', 'b.org'])[1 + i % 2] END,
    CASE WHEN i = 4 THEN NULL WHEN i = 5 THEN CASE :variant WHEN 0 THEN 'CAN' ELSE '' END
        ELSE 'CANARY' || repeat('0', :variant) || '-' || lpad((i * 37 % 5)::text, 4, '1') END,
    CASE WHEN i % 6 <> 0 THEN make_date(1960 + i % 4 * 10, 1 + (i + :variant) % 12, 1 + (i + :variant * 3) % 28) END,
    CASE WHEN i % 7 <> 0 THEN timestamptz '2024-01-01 00:00:00+00' + make_interval(months => i % 5, days => (i + :variant * 7) % 27,
        secs => (i * 1000 * (1 + :variant)) % 86000) END,
    CASE WHEN i % 8 <> 0 THEN (i % 4) * 1000 + (i * 131 + (:variant = 1)::int * 271) % 1000 END,
    CASE WHEN (i + :variant) % 3 <> 0 THEN 'CANARY' || :variant || i END,
    CASE WHEN i % 9 <> 0 THEN chr(65 + i % 3) || 'CANARY' || repeat('z', i * :variant) END,
    CASE (i + :variant) % 3 WHEN 0 THEN NULL WHEN 1 THEN true ELSE false END,
    (i + 1) % 3 * (1 - :variant),
    (ARRAY['EU', 'US', NULL])[1 + i % 3], (i * 7 % 20) / 4.0 - 1, (ARRAY['{a,b}', '{b}', '{}', NULL])[1 + i % 4]::text[],
    (ARRAY['{"a": 1, "k": "x"}', '{"a": 2, "l": [1, 2]}', '{"k": "y"}', NULL, '3'])[1 + i % 5]::jsonb,
    CASE WHEN :variant = 1 THEN 'CANARY' || i WHEN i % 4 <> 0 THEN 'note ' || i % 3 END
FROM generate_series(1, 14) i;

-- Rows that somebody may not see would fail a cast, a division or a bound, where the variant is that one's.
CREATE TABLE raw.orders_v7 (
    id int4 PRIMARY KEY, customer_id int8, margin numeric, status text, total numeric(12,2), qty int4, region text, placed date,
    note text, ref text, attrs jsonb, cost int
);
INSERT INTO raw.orders_v7
WITH kinds AS (
    SELECT i, CASE WHEN i % 3 = 0 THEN 'US' WHEN i % 11 = 0 THEN NULL ELSE 'EU' END AS region,
        CASE WHEN i % 4 = 0 THEN 'draft' WHEN i % 4 = 1 THEN 'paid' WHEN i % 13 = 0 THEN NULL ELSE 'sent' END AS status
    FROM generate_series(1, 24 + 12 * sign(:variant)::int) i
), hidden AS (
    SELECT *, i > 24 OR CASE :variant WHEN 0 THEN false WHEN 1 THEN region IS DISTINCT FROM 'EU'
        WHEN 2 THEN status = 'draft' OR status IS NULL
        ELSE region IS DISTINCT FROM 'EU' AND (status = 'draft' OR status IS NULL) END AS evil,
        region IS DISTINCT FROM 'EU' AND (status = 'draft' OR status IS NULL) AS secret
    FROM kinds
)
SELECT i, CASE WHEN evil THEN CASE i % 3 WHEN 0 THEN 9223372036854775807 WHEN 1 THEN 0 END ELSE 1 + i % 7 END,
    CASE WHEN :variant > 0 THEN 0 ELSE 1.5 END,
    CASE WHEN i > 24 THEN 'draft' ELSE status END,
    CASE WHEN evil THEN CASE i % 4 WHEN 0 THEN NULL WHEN 1 THEN 'NaN'::numeric WHEN 2 THEN 0 ELSE 9999999999.99 END ELSE i % 6 * 10.25 + 1 END,
    CASE WHEN evil THEN CASE i % 3 WHEN 0 THEN 2147483647 WHEN 1 THEN 0 END ELSE 1 + i % 4 END,
    CASE WHEN i > 24 THEN 'US' ELSE region END,
    CASE WHEN evil THEN CASE i % 3 WHEN 0 THEN date 'infinity' WHEN 1 THEN date '4713-01-01 BC' END ELSE date '2025-01-01' + i % 10 END,
    CASE WHEN evil OR secret OR :variant = 1 OR :variant = 3 AND (status = 'draft' OR status IS NULL)
        THEN CASE i % 4 WHEN 0 THEN NULL ELSE 'CANARY' || i END ELSE 'remark ' || i % 3 END,
    CASE WHEN evil THEN (ARRAY['CANARY' || i, '', NULL, '99999999999999999999', '2025-99-99', E'CANARY\n', '{', '%'])[1 + i % 8]
        WHEN i % 7 = 0 THEN NULL ELSE (i % 5)::text END,
    CASE WHEN evil THEN (ARRAY['"CANARY"', '{"n": "CANARY"}', '[]', NULL, 'null', '{"n": 0}'])[1 + i % 6]::jsonb
        ELSE jsonb_build_object('n', (i % 3 + 1)::text, 'tags', jsonb_build_array(i % 2, 'x')) END,
    CASE WHEN :variant > 0 THEN 0 ELSE 1 END
FROM hidden ORDER BY i * 7 % 25, i;

CREATE TABLE raw.items (order_id int4, line int4, sku text, price numeric(10,2), amount int4, PRIMARY KEY (order_id, line));
INSERT INTO raw.items SELECT i % 9 + 1, i / 9 + 1, (ARRAY['x-1', 'x-2', 'y-1', NULL])[1 + i % 4], i % 7 + 0.5, i % 5
FROM generate_series(0, 17) i;

CREATE TABLE raw.accounts (id int4 PRIMARY KEY, parent int4, email text, balance numeric, kind text, opened timestamp);
INSERT INTO raw.accounts SELECT i, nullif(i / 2, 0),
    CASE WHEN i > 10 THEN CASE WHEN :variant = 0 THEN NULL ELSE 'CANARY' || i END ELSE 'CANARY' || i % 6 || '@a.org' END,
    CASE WHEN i > 10 AND :variant > 0 THEN CASE i % 2 WHEN 0 THEN 0 ELSE 'NaN'::numeric END ELSE i * 12.5 - 20 END,
    CASE WHEN i > 10 THEN 'internal' WHEN i % 3 = 0 THEN 'firm' ELSE 'person' END,
    CASE WHEN i > 10 AND :variant > 0 THEN 'infinity' ELSE timestamp '2025-02-01 10:00' + make_interval(hours => i * 7) END
FROM generate_series(1, 14 + :variant) i ORDER BY i % 4, i;

CREATE TABLE raw.tickets_all (
    id int4, customer_id int8, opened timestamptz, secret bool, body text, priority int2, closed bool, took interval, who uuid,
    mood raw.mood, weight text
);
INSERT INTO raw.tickets_all SELECT i,
    CASE WHEN s AND :variant > 0 THEN 0 ELSE 1 + i % 6 END,
    CASE WHEN s AND :variant > 0 THEN 'infinity' ELSE timestamptz '2025-03-01 12:00+00' + make_interval(hours => i * 5) END, s,
    CASE WHEN s OR i % 5 = 0 THEN 'CANARY' || :variant ELSE 'CANARY ' || i || :variant END,
    CASE WHEN s AND :variant > 0 THEN 0 ELSE 1 + i % 3 END, i % 4 = 1,
    CASE WHEN s AND :variant > 0 THEN interval '178000000 years' WHEN i % 3 = 0 THEN NULL ELSE make_interval(mins => i * 11) END,
    ('00000000-0000-0000-0000-00000000000' || i % 8)::uuid, (ARRAY['sad', 'ok', 'happy', NULL])[1 + i % 4]::raw.mood,
    CASE WHEN s AND :variant > 0 THEN 'CANARY' WHEN s THEN '7' ELSE (i % 4)::text || '.5' END
FROM (SELECT i, i % 3 = 2 AS s FROM generate_series(1, 16) i) t;
CREATE VIEW raw.tickets_v AS SELECT id, customer_id, opened, body, priority, closed, took, who, mood, weight, secret
FROM raw.tickets_all WHERE NOT (secret AND length(lower(body)) > 0);

CREATE TABLE raw.depots (id int4 PRIMARY KEY, name text, region text, lat float8, opens time, since timestamp);
INSERT INTO raw.depots SELECT i, 'Depot ' || chr(64 + i), (ARRAY['EU', 'US', NULL])[1 + i % 3], i * 1.25, time '06:00' + make_interval(mins => i * 15),
    timestamp '2020-01-01' + make_interval(months => i)
FROM generate_series(1, 6) i;

CREATE TABLE raw.deliveries (id int4 PRIMARY KEY, depot_id int4, order_id int4, driver text, weight float8, region text);
INSERT INTO raw.deliveries SELECT i, 1 + i % 6,
    CASE WHEN :variant = 1 AND r <> 'EU' THEN 0 ELSE 1 + i % 9 END, 'CANARY' || :variant,
    CASE WHEN :variant = 1 AND r <> 'EU' THEN CASE i % 4 WHEN 1 THEN 'NaN'::float8 ELSE 0 END ELSE i % 5 * 0.5 END, r
FROM (SELECT i, CASE WHEN i % 3 = 1 THEN 'US' ELSE 'EU' END AS r FROM generate_series(1, 12) i) t;

GRANT USAGE ON SCHEMA raw TO pgveil;
GRANT SELECT ON raw.cust_v3, raw.orders_v7, raw.items, raw.accounts, raw.tickets_v, raw.depots, raw.deliveries TO pgveil;
