#!/usr/bin/env bash
# Writes tests/generated/sqlsmith.sql: statements of SQLsmith (Debian's package `sqlsmith`) over the twin's tables. The tests
# replay that file and need no SQLsmith. Usage: sqlsmith.sh DSN-OF-A-SUPERUSER [SEED] [STATEMENTS], where the database holds
# nothing but the schemas shop and ops of a twin (twin.sql, then the tables of raw dropped). Its tables
# become views, since pgveil allows neither TABLESAMPLE nor INSERT.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
dsn=$1 seed=${2:-1} statements=${3:-2500}
allowed=$(sed -n '/^= /{h;d};/^#/d;/^$/d;{G;/\n= allowed \(immutable\|mixed\)[^\n]*$/s/\n.*//p}' \
    "$here/../../src/govern/functions/pg_catalog.txt" | grep -v elsewhere | tr -s ' \n' '\n' | sort -u |
    sed "s/.*/'&'/" | paste -sd,)
psql -X -q -v ON_ERROR_STOP=1 "$dsn" <<SQL
DO \$\$ BEGIN CREATE ROLE smith LOGIN PASSWORD 'smith'; EXCEPTION WHEN duplicate_object THEN END \$\$;
GRANT USAGE ON SCHEMA shop, ops TO smith;
-- Views: no TABLESAMPLE of them, and with an OFFSET no INSERT into them.
DO \$\$ DECLARE t record; BEGIN
    FOR t IN SELECT schemaname AS s, tablename AS n FROM pg_tables WHERE schemaname IN ('shop', 'ops') LOOP
        EXECUTE format('ALTER TABLE %I.%I RENAME TO %I', t.s, t.n, 'table_' || t.n);
        EXECUTE format('CREATE VIEW %I.%I AS SELECT * FROM %I.%I OFFSET 0', t.s, t.n, t.s, 'table_' || t.n);
        EXECUTE format('GRANT SELECT ON %I.%I TO smith', t.s, t.n);
    END LOOP;
END \$\$;
-- SQLsmith reads these catalogs by their bare names.
CREATE SCHEMA smith;
GRANT USAGE ON SCHEMA smith TO smith;
ALTER ROLE smith SET search_path = smith, pg_catalog;
CREATE VIEW smith.pg_proc AS WITH known AS (
        SELECT unnest('{int2,int4,int8,numeric,float8,text,bool,date,timestamp,timestamptz,interval,jsonb,_text,uuid,time}'
            ::regtype[])::oid AS oid)
    SELECT p.* FROM pg_catalog.pg_proc p WHERE proname IN ($allowed) AND prorettype IN (SELECT oid FROM known)
        AND NOT EXISTS (SELECT FROM unnest(proargtypes) a WHERE a NOT IN (SELECT oid FROM known));
GRANT SELECT ON ALL TABLES IN SCHEMA smith TO smith;
-- Operators it reads by their full name. Those of types that no product has go.
SET allow_system_table_mods = on;
DELETE FROM pg_operator o USING pg_type t WHERE t.oid IN (o.oprleft, o.oprright) AND (t.typcategory IN ('G', 'I', 'V', 'R', 'P')
    OR t.typname ~ '^(ts|aclitem|name|money|pg_lsn|xid|macaddr|tid|cid|bytea|bpchar|refcursor|jsonpath|pg_snapshot|txid|timetz)');
SQL
smith=$(sed -E 's#//[^@/]*@#//smith:smith@#' <<<"$dsn")
sqlsmith --target="$smith" --dry-run --seed="$seed" --max-queries="$statements" --exclude-catalog 2>/dev/null |
    tr -s ' \n' '  ' | sed 's/; */;\n/g' | grep -iE '^(select|with)' | grep -v 'smith\.' | awk 'length < 2000'
