-- cut: $1 = k.index_oid
SELECT CASE WHEN $1 < 16384 THEN pg_catalog.pg_get_indexdef($1, $2, $3) ELSE (SELECT CASE WHEN $2 = 0 THEN k.index_definition ELSE k.columns[$2] END FROM map.keys AS k WHERE k.index_oid = $1 AND k.contype <> 'f') END
