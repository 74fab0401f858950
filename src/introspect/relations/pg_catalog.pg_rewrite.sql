-- The rules of the system's views, without what they do.
SELECT r.oid, r.rulename, r.ev_class, r.ev_type, r.ev_enabled, r.is_instead
FROM pg_catalog.pg_rewrite AS r
WHERE r.oid < 16384
