-- What the demo's analyst may see, physically: products under their names, masked columns as values, other rows absent.
-- :key is the mask key.
CREATE SCHEMA marketing;
CREATE SCHEMA product;
CREATE SCHEMA finance;
CREATE SCHEMA ops;
CREATE SCHEMA engineering;
CREATE TABLE marketing.campaign_attribution AS SELECT attribution_id, m.last4(user_id) AS user_id, campaign_id, channel, touchpoint_at, conversion_at, revenue_cents, attribution_model FROM public.marketing_campaign_attribution;
CREATE TABLE marketing.campaigns AS SELECT * FROM public.marketing_campaigns;
CREATE TABLE marketing.ad_spend AS SELECT * FROM public.marketing_ad_spend;
CREATE TABLE marketing.email_sends AS SELECT send_id, campaign_id, m.email(email) AS email, sent_at, opened, clicked, unsubscribed_at FROM public.marketing_email_sends;
CREATE TABLE marketing.leads AS SELECT lead_id, '***'::text AS full_name, m.hash(email, :key) AS email, m.last4(phone)::varchar(20) AS phone, company, score, created_at FROM public.marketing_leads;
CREATE TABLE product.events AS SELECT event_id, m.hash(user_id, :key) AS user_id, event, NULL::inet AS ip, properties, occurred_at FROM public.product_events;
CREATE TABLE product.sessions AS SELECT session_id, m.last4(user_id) AS user_id, device, NULL::inet AS ip, date_trunc('month', started_at AT TIME ZONE 'UTC') AT TIME ZONE 'UTC' AS started_at, duration FROM public.product_sessions;
CREATE TABLE product.funnel_daily AS SELECT * FROM public.product_funnel_daily;
CREATE TABLE product.feature_usage AS SELECT * FROM public.product_feature_usage;
CREATE TABLE product.experiments AS SELECT * FROM public.product_experiments;
CREATE TABLE finance.orders AS SELECT order_id, customer_id, m.email(customer_email) AS customer_email, m.last4(card_number)::varchar(19) AS card_number, region, status, total, placed_at FROM public.finance_orders WHERE region = 'EU';
CREATE TABLE finance.invoices AS SELECT invoice_id, order_id, '***'::text AS billed_to, m.last4(iban)::varchar(34) AS iban, region, (floor(net / 100) * 100)::numeric(12,2) AS net, vat_rate, issued_on, paid FROM public.finance_invoices WHERE region = 'EU' AND paid;
CREATE TABLE finance.revenue_daily AS SELECT * FROM public.finance_revenue_daily;
CREATE TABLE finance.revenue_legacy AS SELECT * FROM public.finance_revenue_legacy;
CREATE TABLE ops.shipments AS SELECT shipment_id, order_id, '***'::text AS recipient, left(address, 1) || '…' AS address, region, carrier, shipped_at, delivered_at FROM public.ops_shipments WHERE region = 'EU';
CREATE TABLE ops.inventory AS SELECT * FROM public.ops_inventory;
CREATE TABLE ops.warehouse_capacity AS SELECT * FROM public.ops_warehouse_capacity;
CREATE TABLE engineering.deployments AS SELECT deployment_id, service, commit_sha, m.email(deployed_by) AS deployed_by, deployed_at, lead_time, failed FROM public.engineering_deployments;
CREATE TABLE engineering.incidents AS SELECT * FROM public.engineering_incidents;

-- The same keys: a column that depends on one need not be grouped by.
ALTER TABLE finance.orders ADD PRIMARY KEY (order_id);
ALTER TABLE marketing.campaigns ADD PRIMARY KEY (campaign_id);
ALTER TABLE marketing.leads ADD PRIMARY KEY (lead_id);
ALTER TABLE ops.shipments ADD PRIMARY KEY (shipment_id);
