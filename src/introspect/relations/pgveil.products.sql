-- Data products that the user may query, as their contracts tell of them.
SELECT p.id, p.domain, p.product, p.name, p.description, p.version, p.status, p.published_at::pg_catalog.timestamptz AS published_at, p.tags,
  p.owner_team, p.owner_contact, p.owner_slack_channel, p.freshness::pg_catalog.interval AS freshness, p.availability::pg_catalog.numeric AS availability,
  p.query_latency_p95_ms, p.replaced_by, p.sunset::pg_catalog.date AS sunset
FROM map.own_products AS p
