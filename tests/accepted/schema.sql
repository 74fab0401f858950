-- The warehouse of the accepted statements. Each table is a data product of the same name.
CREATE SCHEMA tpch;
CREATE SCHEMA tpcds;
CREATE SCHEMA shop;
CREATE TABLE tpch.region (
  r_regionkey int4 PRIMARY KEY,
  r_name bpchar(25),
  r_comment varchar(152)
);
CREATE TABLE tpch.nation (
  n_nationkey int4 PRIMARY KEY,
  n_name bpchar(25),
  n_regionkey int4,
  n_comment varchar(152)
);
CREATE TABLE tpch.supplier (
  s_suppkey int4 PRIMARY KEY,
  s_name bpchar(25),
  s_address varchar(40),
  s_nationkey int4,
  s_phone bpchar(15),
  s_acctbal numeric(15,2),
  s_comment varchar(101)
);
CREATE TABLE tpch.customer (
  c_custkey int4 PRIMARY KEY,
  c_name varchar(25),
  c_address varchar(40),
  c_nationkey int4,
  c_phone bpchar(15),
  c_acctbal numeric(15,2),
  c_mktsegment bpchar(10),
  c_comment varchar(117)
);
CREATE TABLE tpch.part (
  p_partkey int4 PRIMARY KEY,
  p_name varchar(55),
  p_mfgr bpchar(25),
  p_brand bpchar(10),
  p_type varchar(25),
  p_size int4,
  p_container bpchar(10),
  p_retailprice numeric(15,2),
  p_comment varchar(23)
);
CREATE TABLE tpch.partsupp (
  ps_partkey int4,
  ps_suppkey int4,
  ps_availqty int4,
  ps_supplycost numeric(15,2),
  ps_comment varchar(199)
);
CREATE TABLE tpch.orders (
  o_orderkey int8 PRIMARY KEY,
  o_custkey int4,
  o_orderstatus bpchar(1),
  o_totalprice numeric(15,2),
  o_orderdate date,
  o_orderpriority bpchar(15),
  o_clerk bpchar(15),
  o_shippriority int4,
  o_comment varchar(79)
);
CREATE TABLE tpch.lineitem (
  l_orderkey int8,
  l_partkey int4,
  l_suppkey int4,
  l_linenumber int4,
  l_quantity numeric(15,2),
  l_extendedprice numeric(15,2),
  l_discount numeric(15,2),
  l_tax numeric(15,2),
  l_returnflag bpchar(1),
  l_linestatus bpchar(1),
  l_shipdate date,
  l_commitdate date,
  l_receiptdate date,
  l_shipinstruct bpchar(25),
  l_shipmode bpchar(10),
  l_comment varchar(44)
);
CREATE TABLE tpcds.date_dim (
  d_date_sk int4 PRIMARY KEY,
  d_date date,
  d_year int4,
  d_moy int4,
  d_dom int4,
  d_qoy int4,
  d_dow int4,
  d_week_seq int4,
  d_month_seq int4,
  d_day_name varchar(9),
  d_quarter_name varchar(6)
);
CREATE TABLE tpcds.item (
  i_item_sk int4 PRIMARY KEY,
  i_item_id varchar(16),
  i_item_desc varchar(200),
  i_current_price numeric(7,2),
  i_wholesale_cost numeric(7,2),
  i_brand_id int4,
  i_brand varchar(50),
  i_class_id int4,
  i_class varchar(50),
  i_category_id int4,
  i_category varchar(50),
  i_manufact_id int4,
  i_manager_id int4,
  i_color varchar(20),
  i_size varchar(20),
  i_units varchar(10)
);
CREATE TABLE tpcds.store (
  s_store_sk int4 PRIMARY KEY,
  s_store_id varchar(16),
  s_store_name varchar(50),
  s_number_employees int4,
  s_state varchar(2),
  s_city varchar(60),
  s_county varchar(30),
  s_zip varchar(10),
  s_gmt_offset numeric(5,2),
  s_market_id int4
);
CREATE TABLE tpcds.customer (
  c_customer_sk int4 PRIMARY KEY,
  c_customer_id varchar(16),
  c_current_addr_sk int4,
  c_current_cdemo_sk int4,
  c_first_name varchar(20),
  c_last_name varchar(30),
  c_birth_year int4,
  c_birth_month int4,
  c_birth_country varchar(20),
  c_email_address varchar(50),
  c_preferred_cust_flag varchar(1)
);
CREATE TABLE tpcds.customer_address (
  ca_address_sk int4 PRIMARY KEY,
  ca_city varchar(60),
  ca_county varchar(30),
  ca_state varchar(2),
  ca_zip varchar(10),
  ca_country varchar(20),
  ca_gmt_offset numeric(5,2)
);
CREATE TABLE tpcds.customer_demographics (
  cd_demo_sk int4 PRIMARY KEY,
  cd_gender varchar(1),
  cd_marital_status varchar(1),
  cd_education_status varchar(20),
  cd_dep_count int4
);
CREATE TABLE tpcds.promotion (
  p_promo_sk int4 PRIMARY KEY,
  p_channel_email varchar(1),
  p_channel_event varchar(1),
  p_channel_tv varchar(1)
);
CREATE TABLE tpcds.time_dim (
  t_time_sk int4 PRIMARY KEY,
  t_hour int4,
  t_minute int4,
  t_meal_time varchar(20)
);
CREATE TABLE tpcds.warehouse (
  w_warehouse_sk int4 PRIMARY KEY,
  w_warehouse_name varchar(20),
  w_state varchar(2)
);
CREATE TABLE tpcds.inventory (
  inv_date_sk int4,
  inv_item_sk int4,
  inv_warehouse_sk int4,
  inv_quantity_on_hand int4
);
CREATE TABLE tpcds.store_sales (
  ss_sold_date_sk int4,
  ss_sold_time_sk int4,
  ss_item_sk int4,
  ss_customer_sk int4,
  ss_cdemo_sk int4,
  ss_addr_sk int4,
  ss_store_sk int4,
  ss_promo_sk int4,
  ss_ticket_number int8,
  ss_quantity int4,
  ss_wholesale_cost numeric(7,2),
  ss_list_price numeric(7,2),
  ss_sales_price numeric(7,2),
  ss_ext_discount_amt numeric(7,2),
  ss_ext_sales_price numeric(7,2),
  ss_coupon_amt numeric(7,2),
  ss_net_paid numeric(7,2),
  ss_net_profit numeric(7,2)
);
CREATE TABLE tpcds.store_returns (
  sr_returned_date_sk int4,
  sr_item_sk int4,
  sr_customer_sk int4,
  sr_store_sk int4,
  sr_ticket_number int8,
  sr_return_quantity int4,
  sr_return_amt numeric(7,2),
  sr_net_loss numeric(7,2)
);
CREATE TABLE tpcds.catalog_sales (
  cs_sold_date_sk int4,
  cs_item_sk int4,
  cs_bill_customer_sk int4,
  cs_ship_date_sk int4,
  cs_warehouse_sk int4,
  cs_promo_sk int4,
  cs_order_number int8,
  cs_quantity int4,
  cs_list_price numeric(7,2),
  cs_sales_price numeric(7,2),
  cs_ext_sales_price numeric(7,2),
  cs_ext_discount_amt numeric(7,2),
  cs_net_profit numeric(7,2)
);
CREATE TABLE tpcds.web_sales (
  ws_sold_date_sk int4,
  ws_item_sk int4,
  ws_bill_customer_sk int4,
  ws_ship_date_sk int4,
  ws_warehouse_sk int4,
  ws_order_number int8,
  ws_quantity int4,
  ws_sales_price numeric(7,2),
  ws_ext_sales_price numeric(7,2),
  ws_ext_ship_cost numeric(7,2),
  ws_net_paid numeric(7,2),
  ws_net_profit numeric(7,2)
);
CREATE TABLE shop.customers (
  id int8 PRIMARY KEY,
  name text,
  email text,
  country text,
  segment text,
  created_at timestamptz,
  birthday date,
  referrer_id int8
);
CREATE TABLE shop.products (
  id int8 PRIMARY KEY,
  title text,
  category text,
  price numeric(10,2),
  tags text[],
  attributes jsonb,
  description text
);
CREATE TABLE shop.orders (
  id int8 PRIMARY KEY,
  customer_id int8,
  status text,
  total numeric(12,2),
  placed_at timestamptz,
  shipped_on date,
  note text,
  coupon text
);
CREATE TABLE shop.order_items (
  order_id int8,
  product_id int8,
  quantity int4,
  unit_price numeric(10,2)
);
CREATE TABLE shop.events (
  id int8 PRIMARY KEY,
  user_id int8,
  name text,
  occurred_at timestamptz,
  properties jsonb,
  session_id uuid,
  duration interval,
  ip inet
);
CREATE TABLE shop.subscriptions (
  id int8 PRIMARY KEY,
  customer_id int8,
  plan text,
  started_on date,
  ended_on date,
  mrr numeric(10,2),
  during daterange
);
CREATE TABLE shop.categories (
  id int4 PRIMARY KEY,
  parent_id int4,
  name text
);
