-- The user as policy knows him.
SELECT m.name, m.authenticated_as, m.roles, pg_catalog.jsonb_object(m.attribute_names, m.attribute_values) AS attributes, m.max_rows,
  m.statement_timeout::pg_catalog.interval AS statement_timeout, m.max_concurrent
FROM map.own_me AS m
