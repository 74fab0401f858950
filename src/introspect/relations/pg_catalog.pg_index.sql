-- The system's indexes, and one for each visible primary or unique key of a product, with the contract's column numbers.
SELECT i.indexrelid, i.indrelid, i.indnatts, i.indnkeyatts, i.indisunique, i.indnullsnotdistinct, i.indisprimary, i.indisexclusion, i.indimmediate,
  i.indisclustered, i.indisvalid, i.indcheckxmin, i.indisready, i.indislive, i.indisreplident, i.indkey, i.indcollation, i.indclass, i.indoption
FROM pg_catalog.pg_index AS i
WHERE i.indexrelid < 16384
UNION ALL
SELECT k.index_oid, k.oid, k.natts, k.natts, true, false, k.contype = 'p', false, true,
  false, true, false, true, true, false, pg_catalog.array_to_string(k.numbers, ' ')::pg_catalog.int2vector,
  pg_catalog.array_to_string(pg_catalog.array_fill('0'::pg_catalog.text, ARRAY[k.natts::pg_catalog.int4]), ' ')::pg_catalog.oidvector,
  k.indclass,
  pg_catalog.array_to_string(pg_catalog.array_fill('0'::pg_catalog.text, ARRAY[k.natts::pg_catalog.int4]), ' ')::pg_catalog.int2vector
FROM map.keys AS k
WHERE k.contype <> 'f'
