-- Facts of Postgres.
SELECT f.feature_id, f.feature_name, f.sub_feature_id, f.sub_feature_name, f.is_supported, f.is_verified_by, f.comments
FROM information_schema.sql_features AS f
