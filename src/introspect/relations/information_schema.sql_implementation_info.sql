-- Facts of Postgres.
SELECT f.implementation_info_id, f.implementation_info_name, f.integer_value, f.character_value, f.comments
FROM information_schema.sql_implementation_info AS f
