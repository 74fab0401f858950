-- What a role may see, physically. Lines that end in `-- analyst`, `-- manager` or `-- both` are those roles' alone.
CREATE SCHEMA shop;
CREATE SCHEMA ops;
CREATE TABLE shop.customers AS SELECT id,
    '***'::text AS name, -- analyst
    name, -- manager
    name, -- both
    m.email(email) AS email, m.last4(phone)::varchar(20) AS phone, date_trunc('year', born)::date AS born,
    date_trunc('month', joined AT TIME ZONE 'UTC') AT TIME ZONE 'UTC' AS joined,
    (income / 1000 * 1000)::int4 AS income, -- analyst
    income, -- manager
    income, -- both
    'hidden'::varchar(12) AS segment, left(code, 1) || '…' AS code, NULL::bool AS vip, region, score, tags, prefs,
    '***'::text AS note -- analyst
    note -- manager
    note -- both
FROM raw.cust_v3;
CREATE TABLE shop.orders AS SELECT id, customer_id, status, total, qty, region, placed,
    '***'::text AS note, -- analyst
    note, -- manager
    CASE WHEN status <> 'draft' THEN note ELSE '***' END AS note, -- both
    ref, attrs
FROM raw.orders_v7
WHERE region = 'EU'; -- analyst
WHERE status <> 'draft'; -- manager
WHERE region = 'EU' OR status <> 'draft'; -- both
CREATE TABLE shop.items AS SELECT * FROM raw.items;
CREATE TABLE shop.accounts AS SELECT id, parent, m.hash(email, :key) AS email, balance, kind, opened
FROM raw.accounts WHERE kind <> 'internal';
CREATE TABLE ops.tickets AS SELECT id, customer_id, opened, '***'::text AS body, priority, closed, took, who, mood, weight FROM raw.tickets_v;
CREATE TABLE ops.depots AS SELECT * FROM raw.depots;
CREATE TABLE ops.orders AS SELECT id, depot_id, order_id, weight, region FROM raw.deliveries
WHERE region = 'EU' -- analyst
;
ALTER TABLE shop.customers ADD PRIMARY KEY (id);
ALTER TABLE shop.orders ADD PRIMARY KEY (id);
ALTER TABLE shop.items ADD PRIMARY KEY (order_id, line);
ALTER TABLE shop.accounts ADD PRIMARY KEY (id);
ALTER TABLE ops.depots ADD PRIMARY KEY (id);
ALTER TABLE ops.orders ADD PRIMARY KEY (id);
