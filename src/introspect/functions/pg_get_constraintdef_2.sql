-- cut: $1 = k.conoid
SELECT CASE WHEN $1 < 16384 THEN pg_catalog.pg_get_constraintdef($1, $2) ELSE (SELECT k.definition FROM map.keys AS k WHERE k.conoid = $1) END
