-- The session's user.
SELECT s.usename AS role_name
FROM map.session AS s
