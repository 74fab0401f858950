-- The demo's warehouse: an e-commerce company with five domains. Every value is made up, and made by hashing a row number,
-- so that two loads differ in their timestamps alone. `-- step:` lines are what the loader shows as progress.

-- step: types and shared lists
CREATE SCHEMA raw;
CREATE TYPE public.order_status AS ENUM ('placed', 'paid', 'shipped', 'delivered', 'returned');

-- A pseudo-random number below `bound`, the same for the same row and salt.
CREATE FUNCTION raw.pick(n bigint, salt bigint, bound bigint) RETURNS bigint
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$ SELECT (pg_catalog.hashint8extended(n, salt) & 9223372036854775807) % bound $$;

CREATE FUNCTION raw.first_name(n bigint) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT (ARRAY['Ada','Ben','Carla','David','Elif','Farid','Greta','Hugo','Ines','Jonas','Klara','Liam','Mara','Nils',
                  'Olga','Paul','Quinn','Rosa','Samir','Tessa','Uwe','Vera','Wanda','Xenia','Yusuf','Zoe'])[1 + raw.pick(n, 1, 26)] $$;
CREATE FUNCTION raw.last_name(n bigint) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT (ARRAY['Almeida','Brandt','Costa','Dubois','Eriksen','Fischer','Garcia','Haas','Ivanova','Jansen','Keller','Lopez',
                  'Meyer','Novak','Okafor','Petrov','Rossi','Schmidt','Tanaka','Urban','Vogel','Weber','Yilmaz','Zhang'])[1 + raw.pick(n, 2, 24)] $$;
CREATE FUNCTION raw.region(n bigint) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT (ARRAY['EU','EU','EU','US','US','APAC'])[1 + raw.pick(n, 3, 6)] $$;

-- step: 50,000 people
-- No product is published over this table: it is what a domain keeps to itself.
CREATE TABLE raw.people (
    person_id bigint PRIMARY KEY,
    user_id text NOT NULL,
    full_name text NOT NULL,
    email text NOT NULL,
    phone varchar(20),
    region text NOT NULL,
    born date NOT NULL
);
INSERT INTO raw.people
SELECT n, 'user-' || lpad(to_hex(raw.pick(n, 4, 4294967296)), 8, '0'),
       raw.first_name(n) || ' ' || raw.last_name(n),
       lower(raw.first_name(n) || '.' || raw.last_name(n)) || n || '@' || (ARRAY['example.com','example.org','mail.example'])[1 + raw.pick(n, 5, 3)],
       CASE WHEN raw.pick(n, 6, 10) > 0 THEN '+49 30 ' || lpad(raw.pick(n, 7, 10000000)::text, 7, '0') END,
       raw.region(n),
       date '1950-01-01' + raw.pick(n, 8, 20000)::int
FROM generate_series(1, 50000) AS n;

-- step: marketing: campaigns and spend
CREATE TABLE public.marketing_campaigns (
    campaign_id text PRIMARY KEY,
    name text NOT NULL,
    channel text NOT NULL,
    started_on date NOT NULL,
    ended_on date,
    budget_cents bigint NOT NULL,
    targets text[] NOT NULL
);
INSERT INTO public.marketing_campaigns
SELECT 'cmp-' || lpad(n::text, 4, '0'),
       (ARRAY['Spring','Summer','Autumn','Winter'])[1 + n % 4] || ' ' || (ARRAY['launch','sale','newsletter','retargeting','brand'])[1 + raw.pick(n, 9, 5)] || ' ' || n,
       (ARRAY['organic','paid','email','referral','social','direct'])[1 + raw.pick(n, 10, 6)],
       current_date - (raw.pick(n, 11, 700))::int,
       CASE WHEN raw.pick(n, 12, 3) > 0 THEN current_date - (raw.pick(n, 11, 700) / 2)::int END,
       (1 + raw.pick(n, 13, 500)) * 10000,
       CASE raw.pick(n, 14, 3) WHEN 0 THEN ARRAY['new'] WHEN 1 THEN ARRAY['new','returning'] ELSE ARRAY['returning','vip'] END
FROM generate_series(1, 240) AS n;

CREATE TABLE public.marketing_ad_spend (
    campaign_id text NOT NULL REFERENCES public.marketing_campaigns,
    day date NOT NULL,
    network text NOT NULL,
    impressions bigint NOT NULL,
    clicks integer NOT NULL,
    spend numeric(12,2) NOT NULL,
    PRIMARY KEY (campaign_id, day, network)
);
INSERT INTO public.marketing_ad_spend
SELECT 'cmp-' || lpad(c::text, 4, '0'), current_date - d, w, raw.pick(c * 1000 + d, 15, 90000), raw.pick(c * 1000 + d, 16, 2500),
       (raw.pick(c * 1000 + d, 17, 150000) / 100.0)::numeric(12,2)
FROM generate_series(1, 240) AS c, generate_series(0, 59) AS d, (VALUES ('search'), ('display')) AS w(w);

-- step: marketing: 200,000 touchpoints
CREATE TABLE public.marketing_campaign_attribution (
    attribution_id text PRIMARY KEY,
    user_id text NOT NULL,
    campaign_id text NOT NULL,
    channel text NOT NULL,
    touchpoint_at timestamptz NOT NULL,
    conversion_at timestamptz,
    revenue_cents bigint,
    attribution_model text NOT NULL,
    -- Not in the contract: no client ever sees that it exists.
    internal_score double precision
);
INSERT INTO public.marketing_campaign_attribution
SELECT 'att-' || lpad(n::text, 9, '0'), p.user_id, 'cmp-' || lpad((1 + raw.pick(n, 18, 240))::text, 4, '0'),
       (ARRAY['organic','paid','email','referral','social','direct'])[1 + raw.pick(n, 19, 6)],
       now() - make_interval(secs => raw.pick(n, 20, 7776000)),
       CASE WHEN raw.pick(n, 21, 4) = 0 THEN now() - make_interval(secs => raw.pick(n, 20, 7776000) / 2) END,
       CASE WHEN raw.pick(n, 21, 4) = 0 THEN 500 + raw.pick(n, 22, 30000) END,
       (ARRAY['linear','time_decay','position_based'])[1 + raw.pick(n, 23, 3)],
       raw.pick(n, 24, 1000) / 1000.0
FROM generate_series(1, 200000) AS n JOIN raw.people AS p ON p.person_id = 1 + raw.pick(n, 25, 50000);
UPDATE public.marketing_campaign_attribution SET touchpoint_at = now() - interval '4 minutes' WHERE attribution_id = 'att-000000001';
CREATE INDEX ON public.marketing_campaign_attribution (campaign_id);
CREATE INDEX ON public.marketing_campaign_attribution (touchpoint_at);

-- step: marketing: e-mails and leads
CREATE TABLE public.marketing_email_sends (
    send_id bigint PRIMARY KEY,
    campaign_id text NOT NULL,
    email text NOT NULL,
    sent_at timestamptz NOT NULL,
    opened boolean NOT NULL,
    clicked boolean NOT NULL,
    unsubscribed_at timestamptz
);
INSERT INTO public.marketing_email_sends
SELECT n, 'cmp-' || lpad((1 + raw.pick(n, 26, 240))::text, 4, '0'), p.email, now() - make_interval(secs => raw.pick(n, 27, 2592000)),
       raw.pick(n, 28, 3) = 0, raw.pick(n, 28, 9) = 0,
       CASE WHEN raw.pick(n, 29, 50) = 0 THEN now() - make_interval(secs => raw.pick(n, 27, 2592000) / 2) END
FROM generate_series(1, 60000) AS n JOIN raw.people AS p ON p.person_id = 1 + raw.pick(n, 30, 50000);

CREATE TABLE public.marketing_leads (
    lead_id uuid PRIMARY KEY,
    full_name text NOT NULL,
    email text NOT NULL,
    phone varchar(20),
    company text,
    score integer NOT NULL,
    created_at timestamptz NOT NULL
);
INSERT INTO public.marketing_leads
SELECT md5('lead' || n)::uuid, full_name, email, phone, raw.last_name(n + 7) || ' GmbH', raw.pick(n, 31, 101), now() - make_interval(secs => raw.pick(n, 32, 31536000))
FROM raw.people AS p, LATERAL (SELECT p.person_id AS n) AS k WHERE person_id <= 12000;

-- step: product: sessions and features
CREATE TABLE public.product_sessions (
    session_id uuid PRIMARY KEY,
    user_id text NOT NULL,
    device text NOT NULL,
    ip inet NOT NULL,
    started_at timestamptz NOT NULL,
    duration interval NOT NULL
);
INSERT INTO public.product_sessions
SELECT md5('session' || n)::uuid, p.user_id, (ARRAY['ios','android','web','web'])[1 + raw.pick(n, 33, 4)],
       ('203.0.113.' || raw.pick(n, 34, 256))::inet, now() - make_interval(secs => raw.pick(n, 35, 2592000)), make_interval(secs => raw.pick(n, 36, 3600))
FROM generate_series(1, 80000) AS n JOIN raw.people AS p ON p.person_id = 1 + raw.pick(n, 37, 50000);

CREATE TABLE public.product_feature_usage (
    day date NOT NULL,
    feature text NOT NULL,
    users integer NOT NULL,
    uses bigint NOT NULL,
    PRIMARY KEY (day, feature)
);
INSERT INTO public.product_feature_usage
SELECT current_date - d, f, 100 + raw.pick(d, 38, 4000), 500 + raw.pick(d, 39, 90000)
FROM generate_series(0, 364) AS d, unnest(ARRAY['search','wishlist','checkout','reviews','returns','chat']) AS f;

CREATE TABLE public.product_experiments (
    experiment text NOT NULL,
    variant text NOT NULL,
    users integer NOT NULL,
    conversions integer NOT NULL,
    metrics jsonb NOT NULL,
    PRIMARY KEY (experiment, variant)
);
INSERT INTO public.product_experiments
SELECT 'exp-' || n, v, 1000 + raw.pick(n, 40, 9000), raw.pick(n, 41, 900), jsonb_build_object('lift', raw.pick(n, 42, 200) / 1000.0, 'guardrails', jsonb_build_array('latency', 'refunds'))
FROM generate_series(1, 40) AS n, unnest(ARRAY['control','a','b']) AS v;

CREATE TABLE public.product_funnel_daily (
    day date PRIMARY KEY,
    visits bigint NOT NULL,
    carts bigint NOT NULL,
    checkouts bigint NOT NULL,
    orders bigint NOT NULL
);
INSERT INTO public.product_funnel_daily
SELECT current_date - d, 20000 + raw.pick(d, 43, 9000), 6000 + raw.pick(d, 44, 2000), 2500 + raw.pick(d, 45, 900), 1500 + raw.pick(d, 46, 700)
FROM generate_series(0, 729) AS d;

-- step: product: events
CREATE TABLE public.product_events (
    event_id bigint NOT NULL,
    user_id text NOT NULL,
    event text NOT NULL,
    ip inet,
    properties jsonb,
    occurred_at timestamptz NOT NULL
);

-- step: product: events, 300,000 of 1,200,000
INSERT INTO public.product_events
SELECT n, 'user-' || lpad(to_hex(raw.pick(1 + raw.pick(n, 47, 50000), 4, 4294967296)), 8, '0'), (ARRAY['view','view','view','search','cart','checkout','order'])[1 + raw.pick(n, 48, 7)],
       ('203.0.113.' || raw.pick(n, 49, 256))::inet, jsonb_build_object('page', raw.pick(n, 50, 400), 'ms', raw.pick(n, 51, 3000)), now() - make_interval(secs => raw.pick(n, 52, 2592000))
FROM generate_series(1, 300000) AS n;

-- step: product: events, 600,000 of 1,200,000
INSERT INTO public.product_events
SELECT n, 'user-' || lpad(to_hex(raw.pick(1 + raw.pick(n, 47, 50000), 4, 4294967296)), 8, '0'), (ARRAY['view','view','view','search','cart','checkout','order'])[1 + raw.pick(n, 48, 7)],
       ('203.0.113.' || raw.pick(n, 49, 256))::inet, jsonb_build_object('page', raw.pick(n, 50, 400), 'ms', raw.pick(n, 51, 3000)), now() - make_interval(secs => raw.pick(n, 52, 2592000))
FROM generate_series(300001, 600000) AS n;

-- step: product: events, 900,000 of 1,200,000
INSERT INTO public.product_events
SELECT n, 'user-' || lpad(to_hex(raw.pick(1 + raw.pick(n, 47, 50000), 4, 4294967296)), 8, '0'), (ARRAY['view','view','view','search','cart','checkout','order'])[1 + raw.pick(n, 48, 7)],
       ('203.0.113.' || raw.pick(n, 49, 256))::inet, jsonb_build_object('page', raw.pick(n, 50, 400), 'ms', raw.pick(n, 51, 3000)), now() - make_interval(secs => raw.pick(n, 52, 2592000))
FROM generate_series(600001, 900000) AS n;

-- step: product: events, 1,200,000 of 1,200,000
INSERT INTO public.product_events
SELECT n, 'user-' || lpad(to_hex(raw.pick(1 + raw.pick(n, 47, 50000), 4, 4294967296)), 8, '0'), (ARRAY['view','view','view','search','cart','checkout','order'])[1 + raw.pick(n, 48, 7)],
       ('203.0.113.' || raw.pick(n, 49, 256))::inet, jsonb_build_object('page', raw.pick(n, 50, 400), 'ms', raw.pick(n, 51, 3000)), now() - make_interval(secs => raw.pick(n, 52, 2592000))
FROM generate_series(900001, 1200000) AS n;
ALTER TABLE public.product_events ADD PRIMARY KEY (event_id);

-- step: finance: 120,000 orders
CREATE TABLE public.finance_orders (
    order_id bigint PRIMARY KEY,
    customer_id bigint NOT NULL,
    customer_email text NOT NULL,
    card_number varchar(19),
    region text NOT NULL,
    status public.order_status NOT NULL,
    total numeric(12,2) NOT NULL,
    placed_at timestamptz NOT NULL
);
INSERT INTO public.finance_orders
SELECT n, p.person_id, p.email, '4' || lpad(raw.pick(n, 53, 1000000000000000)::text, 15, '0'), p.region,
       (ARRAY['placed','paid','shipped','delivered','delivered','returned'])[1 + raw.pick(n, 54, 6)]::public.order_status,
       (5 + raw.pick(n, 55, 49500) / 100.0)::numeric(12,2), now() - make_interval(secs => raw.pick(n, 56, 31536000))
FROM generate_series(1, 120000) AS n JOIN raw.people AS p ON p.person_id = 1 + raw.pick(n, 57, 50000);
CREATE INDEX ON public.finance_orders (customer_id);

-- step: finance: invoices, refunds, revenue
CREATE TABLE public.finance_invoices (
    invoice_id text PRIMARY KEY,
    order_id bigint NOT NULL REFERENCES public.finance_orders,
    billed_to text NOT NULL,
    iban varchar(34),
    region text NOT NULL,
    net numeric(12,2) NOT NULL,
    vat_rate double precision NOT NULL,
    issued_on date NOT NULL,
    paid boolean NOT NULL
);
INSERT INTO public.finance_invoices
SELECT 'inv-' || lpad(o.order_id::text, 8, '0'), o.order_id, p.full_name, 'DE' || lpad(raw.pick(o.order_id, 58, 100)::text, 2, '0') || lpad(raw.pick(o.order_id, 59, 1000000000000000000)::text, 18, '0'),
       o.region, round(o.total / 1.19, 2), 0.19, o.placed_at::date, o.status <> 'placed'
FROM public.finance_orders AS o JOIN raw.people AS p ON p.person_id = o.customer_id WHERE o.order_id <= 60000;

CREATE TABLE public.finance_refunds (
    refund_id bigint PRIMARY KEY,
    order_id bigint NOT NULL REFERENCES public.finance_orders,
    amount numeric(12,2) NOT NULL,
    reason text,
    refunded_at timestamptz NOT NULL
);
INSERT INTO public.finance_refunds
SELECT order_id, order_id, total, (ARRAY['damaged','late','wrong size',NULL])[1 + raw.pick(order_id, 60, 4)], placed_at + interval '9 days'
FROM public.finance_orders WHERE status = 'returned';

CREATE TABLE public.finance_revenue_daily (
    day date NOT NULL,
    region text NOT NULL,
    orders integer NOT NULL,
    revenue numeric(14,2) NOT NULL,
    PRIMARY KEY (day, region)
);
INSERT INTO public.finance_revenue_daily
SELECT placed_at::date, region, count(*), sum(total) FROM public.finance_orders WHERE status <> 'returned' GROUP BY 1, 2;

CREATE TABLE public.finance_revenue_legacy AS
SELECT day, revenue AS gross FROM public.finance_revenue_daily WHERE region = 'EU' AND day < current_date - 90;

-- step: ops: shipments, stock, tickets
CREATE TABLE public.ops_shipments (
    shipment_id bigint PRIMARY KEY,
    order_id bigint NOT NULL,
    recipient text NOT NULL,
    address text NOT NULL,
    region text NOT NULL,
    carrier text NOT NULL,
    shipped_at timestamptz,
    delivered_at timestamptz
);
INSERT INTO public.ops_shipments
SELECT o.order_id, o.order_id, p.full_name, raw.last_name(o.order_id) || 'strasse ' || (1 + raw.pick(o.order_id, 61, 120)) || ', ' || (10000 + raw.pick(o.order_id, 62, 89999)),
       o.region, (ARRAY['dhl','ups','gls'])[1 + raw.pick(o.order_id, 63, 3)], o.placed_at + interval '1 day', CASE WHEN o.status IN ('delivered', 'returned') THEN o.placed_at + interval '4 days' END
FROM public.finance_orders AS o JOIN raw.people AS p ON p.person_id = o.customer_id WHERE o.status IN ('shipped', 'delivered', 'returned');

CREATE TABLE public.ops_inventory (
    sku text NOT NULL,
    site text NOT NULL,
    on_hand integer NOT NULL,
    reorder_at integer NOT NULL,
    counted_at timestamptz NOT NULL,
    PRIMARY KEY (sku, site)
);
INSERT INTO public.ops_inventory
SELECT 'sku-' || lpad(n::text, 5, '0'), s, raw.pick(n, 64, 900), 50, now() - make_interval(secs => raw.pick(n, 65, 3000))
FROM generate_series(1, 3000) AS n, unnest(ARRAY['berlin','lyon','gdansk']) AS s;

CREATE TABLE public.ops_support_tickets (
    ticket_id bigint PRIMARY KEY,
    customer_email text NOT NULL,
    subject text NOT NULL,
    body text NOT NULL,
    priority smallint NOT NULL,
    opened_at timestamptz NOT NULL,
    resolved_at timestamptz
);
INSERT INTO public.ops_support_tickets
SELECT n, p.email, (ARRAY['Where is my order','Refund please','Wrong size','Login trouble'])[1 + raw.pick(n, 66, 4)],
       'Hello, I am ' || p.full_name || ', reach me at ' || coalesce(p.phone, p.email), 1 + raw.pick(n, 67, 4), now() - make_interval(secs => raw.pick(n, 68, 5184000)),
       CASE WHEN raw.pick(n, 69, 3) > 0 THEN now() - make_interval(secs => raw.pick(n, 68, 5184000) / 2) END
FROM generate_series(1, 15000) AS n JOIN raw.people AS p ON p.person_id = 1 + raw.pick(n, 70, 50000);

CREATE TABLE public.ops_couriers (
    courier_id integer PRIMARY KEY,
    full_name text NOT NULL,
    born date NOT NULL,
    salary_eur integer NOT NULL,
    phone varchar(20),
    hired_on date NOT NULL
);
INSERT INTO public.ops_couriers
SELECT person_id, full_name, born, 24000 + raw.pick(person_id, 71, 22000), phone, current_date - (raw.pick(person_id, 72, 3000))::int FROM raw.people WHERE person_id <= 400;

CREATE TABLE public.ops_warehouse_capacity (
    site text NOT NULL,
    day date NOT NULL,
    pallets integer NOT NULL,
    free integer NOT NULL,
    PRIMARY KEY (site, day)
);
-- Nobody has loaded this one for three months: it is the demo's stale product.
INSERT INTO public.ops_warehouse_capacity
SELECT s, current_date - 90 - d, 4000, raw.pick(d, 73, 4000) FROM generate_series(0, 364) AS d, unnest(ARRAY['berlin','lyon','gdansk']) AS s;

-- step: engineering: deployments, incidents, costs
CREATE TABLE public.engineering_deployments (
    deployment_id uuid PRIMARY KEY,
    service text NOT NULL,
    commit_sha char(40) NOT NULL,
    deployed_by text NOT NULL,
    deployed_at timestamptz NOT NULL,
    lead_time interval NOT NULL,
    failed boolean NOT NULL
);
INSERT INTO public.engineering_deployments
SELECT md5('deploy' || n)::uuid, (ARRAY['shop','search','payments','warehouse'])[1 + raw.pick(n, 74, 4)], md5('a' || n) || substr(md5('b' || n), 1, 8),
       lower(raw.first_name(n)) || '@engineering.example', now() - make_interval(secs => raw.pick(n, 75, 31536000)), make_interval(mins => raw.pick(n, 76, 5000)::int), raw.pick(n, 77, 12) = 0
FROM generate_series(1, 9000) AS n;

CREATE TABLE public.engineering_incidents (
    incident_id integer PRIMARY KEY,
    severity smallint NOT NULL,
    service text NOT NULL,
    title text NOT NULL,
    started_at timestamptz NOT NULL,
    window_affected tstzrange NOT NULL,
    minutes_down real NOT NULL
);
INSERT INTO public.engineering_incidents
SELECT n, 1 + raw.pick(n, 78, 4), (ARRAY['shop','search','payments','warehouse'])[1 + raw.pick(n, 79, 4)], 'Incident ' || n, at, tstzrange(at, at + make_interval(mins => 1 + raw.pick(n, 80, 240)::int)), 1 + raw.pick(n, 80, 240)
FROM (SELECT n, now() - make_interval(secs => raw.pick(n, 81, 31536000)) AS at FROM generate_series(1, 320) AS n) AS s;

CREATE TABLE public.engineering_service_costs (
    service text NOT NULL,
    month date NOT NULL,
    cost numeric(12,2) NOT NULL,
    PRIMARY KEY (service, month)
);
INSERT INTO public.engineering_service_costs
SELECT s, (date_trunc('month', current_date) - make_interval(months => m))::date, 900 + raw.pick(m, 82, 700000) / 100.0 FROM generate_series(0, 23) AS m, unnest(ARRAY['shop','search','payments','warehouse']) AS s;

-- step: statistics
ANALYZE;
