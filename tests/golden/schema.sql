-- The warehouse of the golden files: facts are made of this file by the tests, and a real PostgreSQL can be filled with it.
CREATE SCHEMA erp;
CREATE SCHEMA product;
CREATE SCHEMA fin;
CREATE SCHEMA hr;
CREATE TABLE public.marketing_campaign_attribution (
  attribution_id text PRIMARY KEY,
  user_id text NOT NULL,
  campaign_id text NOT NULL,
  channel text NOT NULL,
  touchpoint_at timestamptz NOT NULL,
  conversion_at timestamptz,
  revenue_cents int4,
  attribution_model text NOT NULL,
  internal_score float8
);
CREATE TABLE public.marketing_subscribers (
  id int8 PRIMARY KEY,
  email text,
  phone varchar(20),
  birth_date date,
  signed_up_at timestamptz,
  topics text[],
  preferences jsonb,
  plan text,
  password_hash text
);
CREATE TABLE public.marketing_orders (
  id int8 PRIMARY KEY,
  campaign_id text,
  total numeric(12,2)
);
CREATE TABLE erp.orders_v7 (
  id int8 PRIMARY KEY,
  customer_id int8 NOT NULL,
  status text,
  total numeric(12,2),
  region text,
  placed_at timestamptz,
  note text,
  margin numeric(12,2)
);
CREATE TABLE erp.baskets (
  id int8 PRIMARY KEY,
  owner text,
  content json,
  sizes int4,
  tags text[]
);
CREATE TABLE erp.customers (
  id int8 PRIMARY KEY,
  name text,
  email text,
  phone text,
  born date,
  joined_at timestamp,
  income int4,
  segment varchar(20),
  code text,
  vip bool,
  region text
);
CREATE TABLE product.funnel_steps (
  step int4,
  visitors int8,
  day date
);
CREATE TABLE public.ops_shipments (
  id int8 PRIMARY KEY,
  order_id int8,
  address text,
  sent_at timestamptz,
  during text
);
CREATE TABLE public.ops_legacy_shipments (
  id int8,
  address text
);
CREATE TABLE public.ops_old_stock (
  id int8
);
CREATE TABLE public.ops_stock (
  id int8,
  sku text,
  left_over int4
);
CREATE TABLE public.ops_depots (
  id int8,
  name text
);
CREATE TABLE fin.ledger (
  entry int8,
  account text,
  amount numeric
);
CREATE VIEW fin.ledger_view AS SELECT entry, account, amount FROM fin.ledger;
CREATE TABLE fin.salaries (
  employee text,
  amount numeric
);
CREATE TABLE hr.reviews (
  employee text,
  text text
);
