-- Facts of Postgres.
SELECT f.sizing_id, f.sizing_name, f.supported_value, f.comments
FROM information_schema.sql_sizing AS f
