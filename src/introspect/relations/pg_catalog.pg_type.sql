-- Built-in types without the row types of what is hidden; the types that visible columns have, with their elements, bases and arrays (they
-- are shown in the schema public: their real schema is the warehouse's affair); the row types of products and the arrays of these.
SELECT t.oid, t.typname, t.typnamespace, (SELECT s.useroid FROM map.session AS s) AS typowner, t.typlen, t.typbyval, t.typtype, t.typcategory,
  t.typispreferred, t.typisdefined, t.typdelim, t.typrelid, t.typsubscript, t.typelem, t.typarray, t.typinput, t.typoutput, t.typreceive, t.typsend,
  t.typmodin, t.typmodout, t.typanalyze, t.typalign, t.typstorage, t.typnotnull, t.typbasetype, t.typtypmod, t.typndims, t.typcollation
FROM pg_catalog.pg_type AS t
WHERE t.oid < 16384 AND t.typnamespace <> 99
UNION ALL
SELECT t.oid, t.typname, (SELECT m.oid FROM map.schemas AS m WHERE m.nspname = 'public'), (SELECT s.useroid FROM map.session AS s), t.typlen, t.typbyval, t.typtype, t.typcategory,
  t.typispreferred, t.typisdefined, t.typdelim, '0'::pg_catalog.oid, t.typsubscript, t.typelem, t.typarray, t.typinput, t.typoutput, t.typreceive, t.typsend,
  t.typmodin, t.typmodout, t.typanalyze, t.typalign, t.typstorage, t.typnotnull, t.typbasetype, t.typtypmod, t.typndims, t.typcollation
FROM map.types AS y
JOIN pg_catalog.pg_type AS t ON t.oid = y.oid
UNION ALL
SELECT p.type_oid, p.relname, p.schema_oid, (SELECT s.useroid FROM map.session AS s), -1::pg_catalog.int2, false, 'c'::pg_catalog."char", 'C'::pg_catalog."char",
  false, true, ','::pg_catalog."char", p.oid, '-'::pg_catalog.regproc, '0'::pg_catalog.oid, p.array_oid, 'record_in'::pg_catalog.regproc, 'record_out'::pg_catalog.regproc,
  'record_recv'::pg_catalog.regproc, 'record_send'::pg_catalog.regproc, '-'::pg_catalog.regproc, '-'::pg_catalog.regproc, '-'::pg_catalog.regproc,
  'd'::pg_catalog."char", 'x'::pg_catalog."char", false, '0'::pg_catalog.oid, -1, 0, '0'::pg_catalog.oid
FROM map.products AS p
UNION ALL
SELECT p.array_oid, ('_' || p.relname)::pg_catalog.name, p.schema_oid, (SELECT s.useroid FROM map.session AS s), -1::pg_catalog.int2, false, 'b'::pg_catalog."char", 'A'::pg_catalog."char",
  false, true, ','::pg_catalog."char", '0'::pg_catalog.oid, 'array_subscript_handler'::pg_catalog.regproc, p.type_oid, '0'::pg_catalog.oid, 'array_in'::pg_catalog.regproc, 'array_out'::pg_catalog.regproc,
  'array_recv'::pg_catalog.regproc, 'array_send'::pg_catalog.regproc, '-'::pg_catalog.regproc, '-'::pg_catalog.regproc, 'array_typanalyze'::pg_catalog.regproc,
  'd'::pg_catalog."char", 'x'::pg_catalog."char", false, '0'::pg_catalog.oid, -1, 0, '0'::pg_catalog.oid
FROM map.products AS p
