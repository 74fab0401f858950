-- The warehouse of the attack suite. Whatever an analyst must not see carries a marker: `qzkv` in texts, numbers that begin
-- with 1264220, dates in July 1931, the moment 17.131719 seconds past, UUIDs that begin with c0ffee51. The schema itself is
-- called phqx: physical names do not exist for a client either.
CREATE SCHEMA phqx;
CREATE SCHEMA vault;
-- The type of a column is part of what is published, its name and the labels of an enum too.
CREATE SCHEMA kinds;
COMMENT ON SCHEMA phqx IS 'qzkv comment of a schema';
CREATE ROLE qzkv_owner;
CREATE TYPE kinds.grade AS ENUM ('low', 'mid', 'top');
CREATE TYPE kinds.pair AS (a text, b text);
CREATE DOMAIN kinds.short_code AS text CHECK (length(VALUE) < 40);

CREATE TABLE phqx.people_t (
  id int8 PRIMARY KEY,
  name text,
  email text,
  phone varchar(40),
  ssn text,
  token text,
  born date,
  income int4,
  balance numeric(14,2),
  score float8,
  grade kinds.grade,
  uid uuid,
  doc jsonb,
  labels text[],
  blob bytea,
  seen_at timestamptz,
  code kinds.short_code,
  country text,
  internal_note text,
  internal_num int8
);
INSERT INTO phqx.people_t
SELECT n, 'qzkv-name-' || n || '-abcd', 'qzkvmail' || n || '@example.com', '+49-qzkv-' || n || '-4321', 'ssn-qzkv-' || n,
  'token-qzkv-' || (n % 3), date '1931-07-11' + n, 1264220160 + n, 1264220.00 + n / 100.0, 1264220.5 + n,
  (ARRAY['low', 'mid', 'top']::kinds.grade[])[1 + n % 3],
  ('c0ffee51-0000-4000-8000-00000000000' || n)::uuid, jsonb_build_object('secret', 'qzkv' || n),
  ARRAY['qzkv', 'label' || n], convert_to('qzkv' || n, 'UTF8'), timestamptz '2013-10-27 04:44:17.131719Z' + n * interval '1 day',
  'qzkv-code-' || n, (ARRAY['DE', 'FR', 'IT'])[1 + n % 3], 'qzkv internal ' || n, 1264220200 + n
FROM generate_series(1, 6) AS n;
COMMENT ON TABLE phqx.people_t IS 'qzkv comment of a table';
COMMENT ON COLUMN phqx.people_t.email IS 'qzkv comment of a column';
CREATE INDEX qzkv_people_email ON phqx.people_t (lower(email));
CREATE STATISTICS phqx.qzkv_statistics ON country, grade FROM phqx.people_t;

-- Rows 1 to 5 are shown, the others are not. A shown note is a number, a shown divisor is not 0: a statement that trips over
-- a hidden row fails.
CREATE TABLE phqx.orders_t (
  id int8 PRIMARY KEY,
  customer_id int8 NOT NULL,
  region text NOT NULL,
  amount numeric NOT NULL,
  divisor int4 NOT NULL,
  big int4 NOT NULL,
  note text NOT NULL,
  pattern text NOT NULL,
  doc text NOT NULL,
  placed_on date NOT NULL,
  placed_text text NOT NULL,
  span text NOT NULL,
  parts text[] NOT NULL,
  internal_margin numeric
);
INSERT INTO phqx.orders_t
SELECT n, n, 'EU', n * 10, n, n, n::text, '^' || n, '{"n": ' || n || '}', date '2024-01-01' + n, '2024-02-0' || n, n || ' days',
  ARRAY[n::text], 1264220.1
FROM generate_series(1, 5) AS n;
INSERT INTO phqx.orders_t
SELECT 1264220160 + n, n, 'US', 1264220.5 + n / 1000.0, 0, 2147483647 - n % 2, 'qzkv-note-' || n, '(qzkv', '{qzkv', date '1931-07-11' + n % 9,
  'qzkv-date', 'qzkv-span', ARRAY['qzkv' || n], 1264220.2
FROM generate_series(1, 200) AS n;
CREATE INDEX ON phqx.orders_t (customer_id);

CREATE TABLE phqx.refunds_t (id int8 PRIMARY KEY, order_id int8, amount int4, reason text, grade kinds.grade);
INSERT INTO phqx.refunds_t VALUES (1, 1, 10, '1', 'low'), (2, 2, 20, '2', 'mid'), (3, 3, 1264220163, 'qzkv reason', 'top');

CREATE VIEW phqx.events_v AS
  SELECT id, note, divisor, 'qzkv definition' <> note AS plain FROM phqx.orders_t WHERE region = 'EU' AND note <> 'qzkv in a view';
COMMENT ON VIEW phqx.events_v IS 'qzkv comment of a view';

CREATE FUNCTION phqx.noisy(int8) RETURNS int8 LANGUAGE plpgsql AS
  $$BEGIN RAISE NOTICE 'qzkv notice %', $1; RAISE WARNING 'phqx warning' USING DETAIL = 'qzkv detail'; RETURN $1; END$$;
CREATE VIEW phqx.noisy_v AS SELECT id, phqx.noisy(id) AS loud FROM phqx.orders_t WHERE region = 'EU';
CREATE VIEW phqx.barrier_v WITH (security_barrier) AS SELECT id, phqx.noisy(id) AS loud, note FROM phqx.orders_t WHERE region = 'EU';
CREATE VIEW phqx.clumsy_v WITH (security_barrier) AS SELECT id FROM phqx.orders_t WHERE note::int > 0;
CREATE FUNCTION phqx.failing(int8) RETURNS int8 LANGUAGE plpgsql AS
  $$BEGIN RAISE EXCEPTION 'qzkv exception %', $1 USING DETAIL = 'qzkv detail', HINT = 'qzkv hint', ERRCODE = 'XX999'; END$$;
CREATE VIEW phqx.failing_v AS SELECT id, phqx.failing(id) AS trap FROM phqx.orders_t WHERE region = 'EU';

CREATE TABLE phqx.readings_t (id int8, region text, reading int4, note text) PARTITION BY LIST (region);
CREATE TABLE phqx.readings_eu PARTITION OF phqx.readings_t FOR VALUES IN ('EU');
CREATE TABLE phqx.readings_us PARTITION OF phqx.readings_t FOR VALUES IN ('US');
INSERT INTO phqx.readings_t VALUES (1, 'EU', 1, '1'), (2, 'EU', 2, '2'), (1264220161, 'US', 0, 'qzkv reading');

CREATE TABLE phqx.depots_t (id int8 PRIMARY KEY, name text, city text, internal_rent int4);
INSERT INTO phqx.depots_t VALUES (1, 'North', 'Oslo', 1264220161), (2, 'South', 'Rome', 1264220162), (3, 'West', 'Brest', 1264220163);
CREATE TABLE phqx.tenants_t (id int8, tenant int4, label text);
INSERT INTO phqx.tenants_t VALUES (1, 918273000, 'mine'), (2, 5, 'qzkv other tenant');
CREATE TABLE phqx.salaries_t (id int8, employee text, salary int4);
INSERT INTO phqx.salaries_t VALUES (1, 'qzkv employee', 1264220161);
CREATE TABLE phqx.secret_plans_t (id int8, plan text);
INSERT INTO phqx.secret_plans_t VALUES (1, 'qzkv plan');
CREATE TABLE phqx.leads_t (id int8, lead text);
INSERT INTO phqx.leads_t VALUES (1, 'qzkv lead');
CREATE TABLE phqx.stock_t (id int8, sku text);
INSERT INTO phqx.stock_t VALUES (1, 'qzkv sku');
CREATE TABLE phqx.archive_t (id int8, label text);
INSERT INTO phqx.archive_t VALUES (1, 'old');

-- Never published.
CREATE TABLE vault.people (id int8, email text, secret text);
INSERT INTO vault.people VALUES (1, 'qzkv@vault', 'qzkv vault');
CREATE TABLE public.people (id int8, email text);
INSERT INTO public.people VALUES (1, 'qzkv@public');
CREATE TABLE public.secrets (secret text);
INSERT INTO public.secrets VALUES ('qzkv public secret');
CREATE SEQUENCE public.counter START 1264220199;
SELECT nextval('public.counter');
CREATE FUNCTION public.leak() RETURNS text LANGUAGE sql AS $$SELECT 'qzkv function body'$$;
-- Name tricks: what stands in public must never be reached through an unqualified name.
CREATE FUNCTION public.lower(text) RETURNS text LANGUAGE sql AS $$SELECT 'qzkv lower'$$;
CREATE FUNCTION public.lower(int8) RETURNS text LANGUAGE sql AS $$SELECT 'qzkv lower of a number'$$;
CREATE FUNCTION public.email(record) RETURNS text LANGUAGE plpgsql AS $$BEGIN RETURN 'qzkv attribute'; END$$;
CREATE FUNCTION public.quiet_equal(int8, text) RETURNS bool LANGUAGE plpgsql AS
  $$BEGIN RAISE NOTICE 'qzkv operator'; RETURN true; END$$;
CREATE OPERATOR public.= (LEFTARG = int8, RIGHTARG = text, FUNCTION = public.quiet_equal);
CREATE OPERATOR public.@@@ (LEFTARG = int8, RIGHTARG = text, FUNCTION = public.quiet_equal);
CREATE TYPE public.tint AS ENUM ('qzkvred');
CREATE DOMAIN public.posint AS int4 CHECK (VALUE > 0);
SELECT lo_from_bytea(126422, 'qzkv large object');
-- Allowed by the policy.
CREATE FUNCTION public.double_it(int8) RETURNS int8 IMMUTABLE LANGUAGE sql AS $$SELECT $1 * 2$$;
CREATE FUNCTION public.loud_it(int8) RETURNS int8 LANGUAGE plpgsql AS
  $$BEGIN RAISE NOTICE 'heard a value'; RETURN $1; END$$;

ALTER DATABASE attack SET app.secret = 'qzkv setting of a database';
COMMENT ON DATABASE attack IS 'qzkv comment of a database';
-- A talkative server: what it logs it also tells clients that ask for its log.
ALTER DATABASE attack SET log_statement = 'all';
ALTER DATABASE attack SET log_min_duration_statement = 0;
ALTER DATABASE attack SET debug_print_rewritten = on;
-- The account is as powerful as can be: pgveil alone holds.
CREATE ROLE pgveil LOGIN SUPERUSER PASSWORD 'qzkv-account';
ALTER ROLE pgveil SET app.role_secret = 'qzkv setting of a role';
VACUUM ANALYZE;
