-- Who answers for visible products.
SELECT o.team, o.contact, o.slack_channel, o.products
FROM (SELECT p.owner_team AS team, p.owner_contact AS contact, p.owner_slack_channel AS slack_channel, pg_catalog.count(*) AS products
  FROM map.own_products AS p GROUP BY p.owner_team, p.owner_contact, p.owner_slack_channel) AS o
