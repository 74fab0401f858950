//! The system catalogs as a client sees them: its products and nothing else, by name, by OID and by error.

use std::process::Command;

use crate::common::wire::Wire;
use crate::{Case, Fixture};

pub const CASES: &[Case] = &[
    ("catalogs::psql_describes_products", psql_describes),
    ("catalogs::nothing_hidden_shows_in_any_system_relation", nothing_hidden_in_relations),
    ("catalogs::nothing_hidden_has_a_name_or_an_oid", nothing_hidden_by_oid),
    ("catalogs::no_error_tells_of_what_is_hidden", no_error_tells),
    ("catalogs::an_oid_is_the_same_on_every_connection", stable_oids),
    ("catalogs::the_catalog_by_sql", own_schema),
    ("catalogs::a_large_answer_is_not_cut", not_cut),
    ("catalogs::tools_that_quote_every_name_are_understood", quoted_names),
];

/// What is in the name of everything that nobody may see.
const CANARY: &str = "veiled_canary";

/// Objects of every kind that are no product's. The schema is another for each case: they run side by side.
fn hide(f: &Fixture, schema: &str) -> Vec<String> {
    let mut owner = f.warehouse.superuser("warehouse");
    let s = format!("{CANARY}_{schema}");
    let answers = owner.simple(&format!(
        "CREATE SCHEMA {s}; COMMENT ON SCHEMA {s} IS '{CANARY} comment';
         CREATE TYPE {s}.{CANARY}_enum AS ENUM ('{CANARY}_label'); CREATE DOMAIN {s}.{CANARY}_domain AS int;
         CREATE TABLE {s}.{CANARY}_table ({CANARY}_column int PRIMARY KEY, e {s}.{CANARY}_enum,
             d text DEFAULT '{CANARY} default', CONSTRAINT {CANARY}_check CHECK (d <> '{CANARY} value'));
         COMMENT ON COLUMN {s}.{CANARY}_table.d IS '{CANARY} comment';
         CREATE INDEX {CANARY}_index ON {s}.{CANARY}_table (d);
         CREATE VIEW {s}.{CANARY}_view AS SELECT d FROM {s}.{CANARY}_table;
         CREATE SEQUENCE {s}.{CANARY}_sequence;
         CREATE FUNCTION {s}.{CANARY}_function({CANARY}_argument int) RETURNS int LANGUAGE sql AS 'SELECT 1';
         CREATE STATISTICS {s}.{CANARY}_statistics ON e, d FROM {s}.{CANARY}_table;
         CREATE ROLE {s}_role; INSERT INTO {s}.{CANARY}_table VALUES (1, '{CANARY}_label', 'x'); ANALYZE {s}.{CANARY}_table;
         GRANT USAGE ON SCHEMA {s} TO pgveil; GRANT SELECT ON {s}.{CANARY}_table TO pgveil"
    ));
    assert!(answers.iter().all(|answer| answer.error.is_none()), "{answers:?}");
    let oids = owner.one(&format!(
        "SELECT oid FROM pg_class WHERE relnamespace = '{s}'::regnamespace UNION SELECT oid FROM pg_type WHERE typnamespace = \
         '{s}'::regnamespace UNION SELECT oid FROM pg_proc WHERE pronamespace = '{s}'::regnamespace UNION SELECT \
         '{s}'::regnamespace::oid UNION SELECT '{s}_role'::regrole::oid UNION SELECT oid FROM pg_constraint WHERE connamespace \
         = '{s}'::regnamespace UNION SELECT d.oid FROM pg_attrdef d JOIN pg_class c ON c.oid = adrelid WHERE relnamespace = \
         '{s}'::regnamespace UNION SELECT oid FROM pg_statistic_ext WHERE stxnamespace = '{s}'::regnamespace"
    ));
    let oids: Vec<String> = oids.text_rows().into_iter().map(|row| row[0].clone()).collect();
    assert!(oids.len() > 12, "{oids:?}");
    oids
}

/// Everything that comes back, errors and notices too.
fn everything(wire: &mut Wire, sql: &str) -> String {
    let answer = wire.one(sql);
    let rows = answer.text_rows().iter().map(|row| row.join("|")).collect::<Vec<_>>().join("\n");
    format!("{rows}\n{:?}\n{:?}\n{:?}", answer.error, answer.notices, answer.columns)
}

fn psql(f: &Fixture, commands: &[&str]) -> String {
    let conninfo = format!("host=127.0.0.1 port={} dbname=warehouse user=analyst sslmode=disable", f.proxy.port);
    let mut psql = Command::new("psql");
    psql.args(["-X", "-A", "-t", &conninfo]).env("PGPASSWORD", "analyst-demo");
    for command in commands {
        psql.args(["-c", command]);
    }
    let output = psql.output().expect("psql");
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!told.contains("ERROR"), "{commands:?}: {told}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn psql_describes(f: &Fixture) {
    let schemas = psql(f, &["\\dn"]);
    assert!(schemas.contains("marketing|analyst") && !schemas.contains("pg_toast"), "{schemas}");
    let tables = psql(f, &["\\dt"]);
    assert!(tables.contains("marketing|campaign_attribution|table|analyst"), "{tables}");
    let described = psql(f, &["\\d marketing.campaign_attribution"]);
    for line in ["attribution_id|text||not null|", "touchpoint_at|timestamp", "revenue_cents|"] {
        assert!(described.contains(line), "{line}: {described}");
    }
    let more = psql(f, &["\\d+ marketing.campaign_attribution"]);
    assert!(more.contains("masked (last4)"), "{more}");
    let roles = psql(f, &["\\du"]);
    assert!(roles.starts_with("analyst|") && roles.lines().count() == 1, "{roles}");
    let databases = psql(f, &["\\l"]);
    assert!(databases.starts_with("warehouse|") && databases.lines().count() == 1, "{databases}");
    for quiet in
        ["\\df", "\\dv", "\\dm", "\\ds", "\\dx", "\\des", "\\dp", "\\ddp", "\\dT", "\\dC", "\\dO", "\\db", "\\d *.*"]
    {
        psql(f, &[quiet]);
    }
}

fn nothing_hidden_in_relations(f: &Fixture) {
    hide(f, "relations");
    let mut owner = f.warehouse.superuser("warehouse");
    let relations = owner.one(
        "SELECT n.nspname || '.' || c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
         WHERE n.nspname IN ('pg_catalog', 'information_schema') AND c.relkind IN ('r', 'v') ORDER BY 1",
    );
    let mut wire = f.proxy.login("analyst");
    let (mut served, mut refused) = (0, 0);
    for relation in relations.text_rows() {
        let relation = &relation[0];
        let told = everything(&mut wire, &format!("SELECT * FROM {relation}"));
        assert!(!told.contains(CANARY), "{relation}");
        assert!(!told.contains("pgveil control plane"), "{relation}");
        // Another user's name, and the account's.
        let account = told.lines().any(|line| line.split('|').any(|cell| matches!(cell, "manager" | "pgveil_owner")));
        assert!(!account, "{relation}");
        match told.contains("permission denied for system relation") {
            true => refused += 1,
            false => {
                assert!(told.contains("\nNone\n"), "{relation}: {told}");
                served += 1;
            }
        }
    }
    assert!(served > 150 && refused < 40, "{served} {refused}");
}

fn nothing_hidden_by_oid(f: &Fixture) {
    let oids = hide(f, "oids");
    let mut wire = f.proxy.login("analyst");
    let functions = [
        "format_type($, -1)",
        "$::regclass::text",
        "$::regtype::text",
        "$::regproc::text",
        "$::regprocedure::text",
        "$::regnamespace::text",
        "$::regrole::text",
        "obj_description($)",
        "obj_description($, 'pg_class')",
        "obj_description($, 'pg_namespace')",
        "col_description($, 3)",
        "pg_get_userbyid($)",
        "pg_table_is_visible($)",
        "pg_get_viewdef($)",
        "pg_get_functiondef($)",
        "pg_get_function_arguments($)",
        "pg_get_indexdef($)",
        "pg_get_indexdef($, 1, true)",
        "pg_get_constraintdef($)",
        "pg_get_statisticsobjdef($)",
        "pg_get_expr('x', $)",
        "pg_relation_size($)",
        "pg_total_relation_size($)",
        "has_table_privilege($, 'SELECT')",
        "has_schema_privilege($, 'USAGE')",
        "pg_describe_object(1259, $, 0)",
        "(SELECT max(relname::text) FROM pg_class WHERE oid = $)",
        "(SELECT max(attname::text) FROM pg_attribute WHERE attrelid = $)",
        "(SELECT max(typname::text) FROM pg_type WHERE oid = $)",
    ];
    for function in functions {
        for oid in &oids {
            for argument in [oid.clone(), "x.o".to_owned(), format!("'{oid}'::oid")] {
                let sql = format!("SELECT {} FROM (VALUES ({oid}::oid)) AS x(o)", function.replace('$', &argument));
                let told = everything(&mut wire, &sql);
                assert!(!told.contains(CANARY), "{sql}: {told}");
                let truth = told.starts_with("t\n") || told.starts_with("f\n");
                assert!(!truth || function.contains("type"), "{sql} knows it: {told}");
            }
        }
    }
    let s = format!("{CANARY}_oids");
    for name in [
        format!("{s}.{CANARY}_table"),
        s.clone(),
        format!("{s}_role"),
        format!("{s}.{CANARY}_enum"),
        format!("{s}.nothing"),
    ] {
        for function in [
            "to_regclass('$')",
            "to_regtype('$')",
            "to_regnamespace('$')",
            "to_regrole('$')",
            "has_table_privilege('$', 'SELECT')",
        ] {
            let told = wire.one(&format!("SELECT {}", function.replace('$', &name)));
            assert_eq!(told.text_rows(), [["∅"]], "{function} {name}: {told:?}");
        }
        for kind in ["regclass", "regtype", "regnamespace", "regrole", "regproc"] {
            let hidden = wire.one(&format!("SELECT '{name}'::{kind}")).error.unwrap_or_default();
            let missing = wire.one(&format!("SELECT 'nowhere_at.all'::{kind}")).error.unwrap_or_default();
            assert_eq!(hidden.get(&'C'), missing.get(&'C'), "{kind} {name}: {hidden:?}");
        }
    }
}

/// A predicate that fails on a hidden row must never meet one.
fn no_error_tells(f: &Fixture) {
    hide(f, "errors");
    let mut wire = f.proxy.login("analyst");
    for (relation, column) in [
        ("pg_class", "relname"),
        ("pg_attribute", "attname"),
        ("pg_type", "typname"),
        ("pg_namespace", "nspname"),
        ("pg_proc", "proname"),
        ("pg_enum", "enumlabel"),
        ("pg_constraint", "conname"),
        ("pg_description", "description"),
        ("pg_roles", "rolname"),
        ("pg_statistic_ext", "stxname"),
        ("pg_tables", "tablename"),
        ("pg_views", "viewname"),
        ("pg_indexes", "indexname"),
        ("pg_stats", "attname"),
        ("information_schema.tables", "table_name"),
        ("information_schema.columns", "column_name"),
        ("information_schema.schemata", "schema_name"),
        ("information_schema.routines", "routine_name"),
    ] {
        let fails = format!("1 / CASE WHEN t.{column} LIKE '{CANARY}%' THEN 0 ELSE 1 END = 1");
        for sql in [
            format!("SELECT count(*) FROM {relation} t WHERE {fails}"),
            format!("SELECT count(*) FROM {relation} t JOIN pg_class c ON {fails} AND c.oid = 1259"),
            format!("SELECT count(*) FROM (SELECT * FROM {relation}) t WHERE {fails} AND t.{column} IS NOT NULL"),
            format!("WITH t AS (SELECT * FROM {relation}) SELECT count(*) FROM t WHERE {fails}"),
            format!("SELECT count({column}) FROM {relation} t GROUP BY t.{column} HAVING {fails}"),
        ] {
            let told = wire.one(&sql);
            assert!(told.error.is_none(), "{sql}: {:?}", told.error);
        }
        // What is visible can fail; its words stay in the warehouse.
        let told = everything(&mut wire, &format!("SELECT count({column}::text::int) FROM {relation}"));
        assert!(!told.contains("invalid input syntax"), "{relation}: {told}");
    }
}

fn stable_oids(f: &Fixture) {
    let sql = "SELECT oid, reltype, relnamespace FROM pg_class WHERE relname = 'campaign_attribution'";
    let mut first = f.proxy.login("analyst");
    let mut second = f.proxy.login("admin");
    let (one, two) = (first.one(sql).text_rows(), second.one(sql).text_rows());
    assert_eq!(one, two);
    // A promise: files, saved queries and other nodes know it.
    assert_eq!(one[0][0], "1276659456");
    let by_name = first.one("SELECT 'marketing.campaign_attribution'::regclass::oid").scalar();
    assert_eq!(by_name, one[0][0]);
    let back =
        first.one(&format!("SELECT {by_name}::regclass, x.o::regclass::text FROM (VALUES ({by_name}::oid)) x(o)"));
    assert_eq!(back.text_rows(), [["campaign_attribution", "campaign_attribution"]]);
}

fn own_schema(f: &Fixture) {
    let mut wire = f.proxy.login("analyst");
    let me = wire.one("SELECT name, roles FROM pgveil.me").text_rows();
    assert_eq!(me, [["analyst", "{analyst}"]]);
    let product = wire.one(
        "SELECT name, version, owner_team, freshness FROM pgveil.products WHERE id = 'marketing.campaign_attribution'",
    );
    assert_eq!(product.text_rows(), [["Campaign Attribution", "3", "Marketing Analytics", "01:00:00"]]);
    let masked =
        wire.one("SELECT name FROM pgveil.columns WHERE product_id = 'marketing.campaign_attribution' AND masked");
    assert_eq!(masked.text_rows(), [["user_id"]]);
    let checks = wire.one("SELECT count(*) FROM pgveil.checks WHERE product_id = 'marketing.campaign_attribution'");
    assert_eq!(checks.scalar(), "4");
    for relation in ["domains", "owners"] {
        assert!(!wire.one(&format!("SELECT * FROM pgveil.{relation}")).rows.is_empty(), "{relation}");
    }
}

fn not_cut(f: &Fixture) {
    let mut wire = f.proxy.login("analyst");
    let all = wire.one("SELECT a.attname, b.attname FROM pg_attribute a, pg_attribute b LIMIT 20000");
    assert!(all.error.is_none() && all.rows.len() == 20_000, "{:?} {}", all.error, all.rows.len());
    assert!(all.notices.is_empty());
}

fn quoted_names(f: &Fixture) {
    let mut wire = f.proxy.login("analyst");
    let asked = |name: &str| format!("SELECT has_table_privilege('{name}', 'SELECT')");
    for name in ["marketing.campaigns", r#""marketing"."campaigns""#] {
        assert_eq!(wire.one(&asked(name)).scalar(), "t", "{name}");
    }
    // As Metabase puts them together.
    let together = "SELECT count(*) FROM pg_catalog.pg_tables WHERE schemaname = 'marketing' \
                    AND has_table_privilege('\"' || schemaname || '\".\"' || tablename || '\"', 'SELECT')";
    assert_eq!(wire.one(together).scalar(), "5");
    assert_eq!(wire.one(&asked(r#""raw"."people""#)).rows, [[None]]);
}
