-- What SHOW ALL gives. Settings that pgveil keeps itself have their value in the map, those that it forwards (NULL there) are
-- the warehouse connection's.
SELECT s.name, COALESCE(m.setting, s.setting) AS setting, s.unit, s.category, s.short_desc, s.extra_desc,
  CASE WHEN m.changeable THEN 'user'::pg_catalog.text ELSE 'internal'::pg_catalog.text END AS context, s.vartype, 'default'::pg_catalog.text AS source,
  s.min_val, s.max_val, s.enumvals, COALESCE(m.setting, s.boot_val) AS boot_val, COALESCE(m.setting, s.reset_val) AS reset_val, false AS pending_restart
FROM map.settings AS m
JOIN pg_catalog.pg_settings AS s ON s.name = m.name
