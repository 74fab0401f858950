-- The own session alone, of it only what the client knows anyway: whose backends there are and what they run is the warehouse's
-- affair.
SELECT m.datoid AS datid, m.datname, pg_catalog.pg_backend_pid() AS pid, m.useroid AS usesysid, m.usename, 'active'::pg_catalog.text AS state,
  pg_catalog.current_setting('application_name') AS application_name, 'client backend'::pg_catalog.text AS backend_type
FROM map.session AS m
