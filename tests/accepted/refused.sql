-- path: shop
-- Harmless, and refused all the same: docs/known-limitations.md says what to write instead.
SELECT (x).* FROM (SELECT o AS x FROM orders o) s ORDER BY 1;
SELECT (x).total, (x).id FROM (SELECT o AS x FROM orders o) s ORDER BY 2;
SELECT ts_lexize('english_stem', 'stars'), ts_lexize('simple'::regdictionary, 'A');
SELECT * FROM ROWS FROM (json_to_record('{"a": 1}') AS (a int), generate_series(1, 2)) AS t(a, n);
(((SELECT id FROM orders) ORDER BY 1) LIMIT 1) OFFSET 0;
SELECT 1 OPERATOR(pg_catalog.+) 2, 'a' OPERATOR(pg_catalog.||) 'b', 3 OPERATOR(pg_catalog.=) ANY (ARRAY[1, 3]);
SELECT OPERATOR(pg_catalog.-) 5;
SELECT id FROM orders ORDER BY total USING >, id USING <;
SELECT;
SELECT CAST(1 AS double precision), 1::real, 1.5::dec(3, 1), 'a'::character varying(5), 'a'::char varying, 'b'::national character(3), '1'::"char", 1::int8, 'x'::bpchar, 'x'::name;
SELECT xmlelement(name a, 'x');
SELECT xmlforest('x' AS a), xmlconcat('<a/>'::xml, '<b/>'::xml);
SELECT xmlelement(name foo, xmlattributes('v' AS bar), 'content'), xmlserialize(content '<a/>'::xml AS text), xmlparse(document '<a/>'), xml '<a/>' IS DOCUMENT;
SELECT x.* FROM xmltable('/r/i' PASSING ('<r><i a="1"/></r>'::xml) COLUMNS a int PATH '@a', n FOR ORDINALITY) x;
SELECT collation for ('a' COLLATE "C");
