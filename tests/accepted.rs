//! It says yes: statements as people and tools write them, by origin (`tests/accepted/*.sql`). At least 99 % of them are
//! allowed; each allowed one that a role without masks sends is answered as plain PostgreSQL answers the client's own text.

#![allow(clippy::allow_attributes, clippy::unwrap_used, clippy::panic, clippy::expect_used, reason = "tests")]

#[path = "common/postgres.rs"]
mod postgres;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use pgveil::catalog::{self, Catalog, CatalogRules};
use pgveil::config::{self, Policy};
use pgveil::govern::decide::{DecideInput, Decision, SearchPath, SessionValues, decide};
use pgveil::govern::facts::{ColumnFacts, Facts, RelationFacts, RelationKind, TypeKind};
use pgveil::govern::snapshot::{Snapshot, SnapshotParts, WarehouseRules};
use pgveil::names::{RelationName, WarehouseName};
use pgveil::sql::{TextLimits, parse};
use postgres::TestPostgres;
use tokio_postgres::{Client, NoTls, SimpleQueryMessage};

/// Columns that are flagged as PII.
const PERSONAL: [&str; 8] =
    ["name", "email", "birthday", "c_name", "c_address", "c_phone", "c_email_address", "c_last_name"];

/// How many in a hundred must be allowed.
const AT_LEAST: usize = 99;

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/accepted")
}

fn read(file: &str) -> String {
    std::fs::read_to_string(directory().join(file)).unwrap()
}

struct Case {
    origin: String,
    path: String,
    sql: String,
}

fn cases() -> Vec<Case> {
    cases_of(&["tpch", "tpcds", "bi", "analytics", "forms"])
}

fn cases_of(origins: &[&str]) -> Vec<Case> {
    let mut cases = Vec::new();
    for &origin in origins {
        let text = read(&format!("{origin}.sql"));
        let path = text.lines().next().unwrap().strip_prefix("-- path: ").unwrap().to_owned();
        for statement in text.split(";\n") {
            let lines = statement.lines().skip_while(|line| line.starts_with("--") || line.is_empty());
            let sql = lines.collect::<Vec<_>>().join("\n");
            if !sql.is_empty() {
                cases.push(Case { origin: origin.to_owned(), path: path.clone(), sql });
            }
        }
    }
    cases
}

struct FixedSession;

impl SessionValues for FixedSession {
    fn setting(&self, name: &str) -> Option<String> {
        (name == "server_version").then(|| "15.13".to_owned())
    }
    fn backend_pid(&self) -> i32 {
        4711
    }
}

/// The tables of `schema.sql`: name and columns with their types as written there.
fn tables() -> Vec<(String, Vec<(String, String)>)> {
    let schema = read("schema.sql");
    let mut tables = Vec::new();
    let mut lines = schema.lines();
    while let Some(line) = lines.next() {
        if let Some(rest) = line.strip_prefix("CREATE TABLE ") {
            let column = |line: &str| {
                let (name, rest) = line.trim().trim_end_matches(',').split_once(' ').unwrap();
                (name.to_owned(), rest.to_owned())
            };
            let columns = lines.by_ref().take_while(|line| *line != ");").map(column).collect();
            tables.push((rest.trim_end_matches(" (").to_owned(), columns));
        }
    }
    tables
}

/// Name in pg_type, its OID, the contract's type.
fn type_of(written: &str) -> (&'static str, u32, &'static str) {
    match written.split('(').next().unwrap() {
        "int4" => ("int4", 23, "integer"),
        "int8" => ("int8", 20, "integer"),
        "numeric" => ("numeric", 1700, "decimal"),
        "bpchar" => ("bpchar", 1042, "string"),
        "varchar" => ("varchar", 1043, "string"),
        "text" => ("text", 25, "string"),
        "text[]" => ("_text", 1009, "array"),
        "date" => ("date", 1082, "date"),
        "timestamptz" => ("timestamptz", 1184, "timestamp"),
        "jsonb" => ("jsonb", 3802, "json"),
        "uuid" => ("uuid", 2950, "uuid"),
        "interval" => ("interval", 1186, "interval"),
        "inet" => ("inet", 869, "string"),
        "daterange" => ("daterange", 3912, "string"),
        other => panic!("schema.sql has the type {other}, which is not known here"),
    }
}

fn facts(columns: &[(String, String)], oid: u32) -> RelationFacts {
    let mut primary_key = Vec::new();
    let mut list = Vec::new();
    for (at, (name, written)) in columns.iter().enumerate() {
        if written.contains("PRIMARY KEY") {
            primary_key.push(name.clone());
        }
        let written = written.replace(" PRIMARY KEY", "");
        let (type_name, type_oid, _) = type_of(&written);
        let modifier: Vec<i32> = written
            .split_once('(')
            .map(|(_, rest)| rest.trim_end_matches(')').split(',').map(|n| n.parse().unwrap()).collect())
            .unwrap_or_default();
        let typmod = match modifier.as_slice() {
            [precision, scale] => (precision << 16 | scale) + 4,
            [length] => length + 4,
            _ => -1,
        };
        let sql_type = written.replace("bpchar", "character").replace("varchar", "character varying");
        list.push(ColumnFacts {
            name: name.clone(),
            number: i16::try_from(at + 1).unwrap(),
            type_oid,
            type_schema: "pg_catalog".to_owned(),
            type_name: type_name.to_owned(),
            sql_type: sql_type.clone(),
            type_kind: if type_name.starts_with('_') { TypeKind::Array } else { TypeKind::Base },
            base_type_name: type_name.to_owned(),
            base_sql_type: sql_type,
            typmod,
            collation: None,
            not_null: false,
        });
    }
    RelationFacts {
        oid,
        kind: RelationKind::Table,
        columns: list,
        primary_key,
        unique_keys: Vec::new(),
        barrier: true,
        parents: Vec::new(),
        has_children: false,
        tableoid: false,
    }
}

fn product_file(table: &str, columns: &[(String, String)]) -> String {
    let (domain, _) = table.split_once('.').unwrap();
    let mut file = format!(
        "id = \"{table}\"\ndomain = \"{domain}\"\nname = \"{table}\"\ndescription = \"A table of the corpus.\"\n\
         version = 1\nstatus = \"published\"\ntags = []\nrelation = \"{table}\"\n\n[owner]\nteam = \"Corpus\"\n\
         contact = \"corpus@example.com\"\nslack_channel = \"#corpus\"\n"
    );
    for (name, written) in columns {
        let (_, _, contract) = type_of(&written.replace(" PRIMARY KEY", ""));
        let personal = PERSONAL.contains(&name.as_str()) && domain != "tpch" || name == "c_phone";
        write!(file, "\n[[schema]]\ncolumn = \"{name}\"\ntype = \"{contract}\"\ndescription = \"{name}\"\n").unwrap();
        if personal {
            file.push_str("pii = true\n");
        }
    }
    file
}

fn snapshot() -> Snapshot {
    let (policy, _): (Policy, _) =
        config::load_policy(&directory().join("policy.toml")).unwrap_or_else(|error| panic!("{error}"));
    let files = tempfile::tempdir().unwrap();
    let mut relations = Vec::new();
    for (number, (table, columns)) in tables().iter().enumerate() {
        std::fs::write(files.path().join(format!("{}.toml", table.replace('.', "_"))), product_file(table, columns))
            .unwrap();
        let (schema, name) = table.split_once('.').unwrap();
        let name = RelationName { schema: schema.to_owned(), name: name.to_owned() };
        relations.push((name, facts(columns, 16_400 + u32::try_from(number).unwrap())));
    }
    let warehouse = WarehouseName::new("warehouse");
    let rules = CatalogRules {
        warehouses: Some(BTreeMap::from([(warehouse.clone(), "public".to_owned())])),
        roles: Some(policy.roles.keys().cloned().collect()),
        has_hash_key: true,
        ..CatalogRules::default()
    };
    let (catalog, _): (Catalog, _) = catalog::load(files.path(), &rules).unwrap_or_else(|error| panic!("{error}"));
    let parts = SnapshotParts {
        generation: 1,
        catalog,
        policy,
        facts: Facts { relations: BTreeMap::from([(warehouse.clone(), relations)]), ..Facts::default() },
        quarantine: false,
        breaches: Default::default(),
        warehouses: BTreeMap::from([(warehouse, WarehouseRules::default())]),
        has_hash_key: true,
    };
    Snapshot::build(parts).unwrap_or_else(|error| panic!("{error}")).0
}

/// The SQL that goes upstream, or why none does.
fn decided(snapshot: &Snapshot, user: &str, case: &Case) -> Result<String, String> {
    let statements = parse(&case.sql, &TextLimits::default()).map_err(|error| {
        let error = pgveil::error::ClientError::from(error);
        format!("{} {} at {:?}", error.sqlstate, error.message, error.position)
    })?;
    let [parsed] = statements.as_slice() else { return Err(format!("{} statements", statements.len())) };
    let decision = decide(&DecideInput {
        snapshot,
        warehouse: &WarehouseName::new("warehouse"),
        subject: &snapshot.subject(user, None).unwrap(),
        search_path: &SearchPath::Explicit(vec![case.path.clone()]),
        session: &FixedSession,
        parsed,
        param_types: &[],
        today: jiff::civil::date(2026, 3, 1),
    });
    match &decision {
        Decision::Allow(_) => Ok(decision.permit().unwrap().sql.to_string()),
        Decision::Deny(denied) => {
            let error = &denied.error;
            Err(format!("{} {} at {:?}: {}", error.sqlstate, denied.reason, error.position, error.message))
        }
    }
}

#[test]
fn what_is_harmless_is_allowed() {
    let snapshot = snapshot();
    let cases = cases();
    assert!(cases.len() >= 300, "{}", cases.len());
    let mut by_origin: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
    let mut refused = Vec::new();
    for case in &cases {
        let (allowed, all) = by_origin.entry(&case.origin).or_default();
        *all += 1;
        match (decided(&snapshot, "reader", case), decided(&snapshot, "analyst", case)) {
            (Ok(_), Ok(_)) => *allowed += 1,
            (Err(why), _) | (Ok(_), Err(why)) => refused.push(format!("{}: {}\n    {why}", case.origin, case.sql)),
        }
    }
    eprintln!("{by_origin:?}\n{}", refused.join("\n"));
    let allowed = cases.len() - refused.len();
    assert!(allowed * 100 >= cases.len() * AT_LEAST, "{allowed} of {}:\n{}", cases.len(), refused.join("\n"));
}

/// What is known to be refused is: a form that begins to work belongs into the other files, and out of the documentation.
#[test]
fn what_is_refused_is_known() {
    let snapshot = snapshot();
    for case in &cases_of(&["refused"]) {
        assert!(decided(&snapshot, "reader", case).is_err(), "{}", case.sql);
    }
}

async fn connect(server: &TestPostgres, path: &str) -> Client {
    let settings = format!("{}?options=-c%20search_path%3D{path}%20-c%20timezone%3DUTC", server.dsn("warehouse"));
    let (client, connection) = tokio_postgres::connect(&settings, NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}

const RECORD: u32 = 2249;
/// Types that are not built in have larger OIDs.
const FIRST_OWN_OID: u32 = 16_384;

/// Names and types of the columns, and the rows.
type Answer = (Vec<(String, u32)>, Vec<Vec<Option<String>>>);

async fn answer(client: &Client, sql: &str) -> Result<Answer, String> {
    let told = |error: &tokio_postgres::Error| {
        error.as_db_error().map_or_else(|| error.to_string(), |error| format!("{} {error}", error.code().code()))
    };
    let prepared = client.prepare(sql).await.map_err(|error| told(&error))?;
    // A whole row of a data product is of no table's type: a record.
    let type_of = |oid| if oid >= FIRST_OWN_OID { RECORD } else { oid };
    let columns = prepared.columns().iter().map(|c| (c.name().to_owned(), type_of(c.type_().oid()))).collect();
    let mut rows = Vec::new();
    if prepared.params().is_empty() {
        for message in client.simple_query(sql).await.map_err(|error| told(&error))? {
            if let SimpleQueryMessage::Row(row) = message {
                rows.push((0..row.len()).map(|at| row.get(at).map(str::to_owned)).collect());
            }
        }
    }
    Ok((columns, rows))
}

#[tokio::test]
async fn each_answer_is_plain_postgres_own() {
    let server = TestPostgres::start();
    server.sql("postgres", "CREATE DATABASE warehouse");
    let loader = connect(&server, "pg_catalog").await;
    loader.batch_execute(&read("schema.sql")).await.unwrap();
    loader.batch_execute(&read("data.sql")).await.unwrap();
    let snapshot = snapshot();
    let mut wrong = Vec::new();
    let (mut plain, mut path) = (connect(&server, "tpch").await, "tpch".to_owned());
    let mut compared = 0;
    for case in &cases() {
        if case.path != path {
            path.clone_from(&case.path);
            plain = connect(&server, &path).await;
        }
        let expected = match answer(&plain, &case.sql).await {
            Ok(expected) => expected,
            Err(error) => {
                wrong.push(format!("{}: PostgreSQL refuses {}\n    {error}", case.origin, case.sql));
                continue;
            }
        };
        if let Ok(sql) = decided(&snapshot, "reader", case) {
            compared += 1;
            let found = answer(&loader, &sql).await;
            if found.as_ref() != Ok(&expected) {
                wrong.push(format!(
                    "{}: {}\n{sql}\n  expected {expected:?}\n  found    {found:?}",
                    case.origin, case.sql
                ));
            }
        }
        // With masks the values differ; the statement must run all the same.
        if let Ok(sql) = decided(&snapshot, "analyst", case)
            && let Err(error) = answer(&loader, &sql).await
        {
            wrong.push(format!("{}: masked: {}\n{sql}\n    {error}", case.origin, case.sql));
        }
    }
    assert!(wrong.is_empty(), "{} of {compared}:\n{}", wrong.len(), wrong.join("\n"));
    assert!(compared >= 300, "{compared}");
}
