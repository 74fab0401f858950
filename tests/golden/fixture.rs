//! The fixture of the golden files: `catalog/`, `policy.toml`, and facts that are made of `schema.sql`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use pgveil::catalog::{self, CatalogRules};
use pgveil::config;
use pgveil::govern::decide::{DecideInput, Decision, SearchPath, SessionValues, decide};
use pgveil::govern::facts::{ColumnFacts, Facts, RelationFacts, RelationKind, TypeKind};
use pgveil::govern::snapshot::{Snapshot, SnapshotParts, WarehouseRules};
use pgveil::govern::subject::Subject;
use pgveil::introspect::{SystemColumn, SystemRelation};
use pgveil::names::{RelationName, WarehouseName};
use pgveil::sql::statement::Parsed;

pub fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden")
}

pub fn warehouse() -> WarehouseName {
    WarehouseName::new("analytics")
}

/// A session of which nothing is random.
pub struct FixedSession;

impl SessionValues for FixedSession {
    fn setting(&self, name: &str) -> Option<String> {
        match name {
            "timezone" => Some("Europe/Berlin".to_owned()),
            "server_version" => Some("15.13".to_owned()),
            "search_path" => Some("\"$user\", public".to_owned()),
            "application_name" => Some("it's a test".to_owned()),
            _ => None,
        }
    }
    fn backend_pid(&self) -> i32 {
        4711
    }
}

pub fn parts() -> SnapshotParts {
    let (policy, _) = config::load_policy(&directory().join("policy.toml")).unwrap_or_else(|e| panic!("{e}"));
    let rules = CatalogRules {
        warehouses: Some(BTreeMap::from([(warehouse(), "public".to_owned())])),
        roles: Some(policy.roles.keys().cloned().collect()),
        has_hash_key: true,
        ..CatalogRules::default()
    };
    let (catalog, _) = catalog::load(&directory().join("catalog"), &rules).unwrap_or_else(|e| panic!("{e}"));
    SnapshotParts {
        generation: 7,
        catalog,
        policy,
        facts: facts(),
        warehouses: BTreeMap::from([(warehouse(), WarehouseRules::default())]),
        has_hash_key: true,
        quarantine: false,
        breaches: Default::default(),
    }
}

pub fn snapshot(parts: SnapshotParts) -> Snapshot {
    Snapshot::build(parts).unwrap_or_else(|e| panic!("{e}")).0
}

/// Decides one statement for a user; `None`: policy does not know the user.
pub fn decide_as(
    snapshot: &Snapshot,
    user: &str,
    search_path: &SearchPath,
    param_types: &[u32],
    parsed: &Parsed,
) -> Option<Decision> {
    let subject: Subject = snapshot.subject(user, None)?;
    Some(decide(&DecideInput {
        snapshot,
        warehouse: &warehouse(),
        subject: &subject,
        search_path,
        session: &FixedSession,
        parsed,
        param_types,
        today: jiff::civil::date(2026, 3, 1),
    }))
}

/// The system relations of PostgreSQL 15, of which those with a template count.
fn system() -> Vec<SystemRelation> {
    let text = std::fs::read_to_string(directory().join("system.txt")).unwrap();
    let relation = |line: &str| {
        let (schema, rest) = line.split_once('.').unwrap();
        let (name, columns) = rest.split_once(' ').unwrap();
        let column = |column: &str| {
            let words: Vec<&str> = column.split(' ').collect();
            let (type_schema, type_name) = words[1].split_once('.').unwrap();
            SystemColumn {
                name: words[0].to_owned(),
                type_schema: type_schema.to_owned(),
                type_name: type_name.to_owned(),
                type_oid: words[2].parse().unwrap(),
            }
        };
        SystemRelation {
            schema: schema.to_owned(),
            name: name.to_owned(),
            oid: 1,
            schema_oid: if schema == "pg_catalog" { 11 } else { 13_000 },
            columns: columns.split(", ").map(column).collect(),
        }
    };
    text.lines().map(relation).collect()
}

/// Reads the plain CREATE TABLE statements of `schema.sql`.
fn facts() -> Facts {
    let schema = std::fs::read_to_string(directory().join("schema.sql")).unwrap();
    let mut relations = Vec::new();
    let mut lines = schema.lines();
    while let Some(line) = lines.next() {
        if let Some(rest) = line.strip_prefix("CREATE TABLE ") {
            let (name, _) = rest.split_once(" (").unwrap();
            let columns: Vec<&str> = lines.by_ref().take_while(|line| *line != ");").collect();
            relations.push(table(name, relations.len(), &columns));
        }
    }
    let ledger =
        relations.iter().find(|(name, _): &&(RelationName, RelationFacts)| name.name == "ledger").unwrap().1.clone();
    let view = RelationName { schema: "fin".to_owned(), name: "ledger_view".to_owned() };
    relations.push((view, RelationFacts { kind: RelationKind::View, barrier: false, oid: 17_000, ..ledger }));
    Facts { relations: BTreeMap::from([(warehouse(), relations)]), system: BTreeMap::from([(warehouse(), system())]) }
}

fn table(name: &str, number: usize, columns: &[&str]) -> (RelationName, RelationFacts) {
    let (schema, table) = name.split_once('.').unwrap();
    let mut primary_key = Vec::new();
    let mut facts = Vec::new();
    for (at, line) in columns.iter().enumerate() {
        let line = line.trim().trim_end_matches(',');
        let (column, rest) = line.split_once(' ').unwrap();
        if rest.contains("PRIMARY KEY") {
            primary_key.push(column.to_owned());
        }
        let not_null = rest.contains("NOT NULL") || rest.contains("PRIMARY KEY");
        let sql_type = rest.replace(" PRIMARY KEY", "").replace(" NOT NULL", "");
        facts.push(column_facts(column, at, &sql_type, not_null));
    }
    let name = RelationName { schema: schema.to_owned(), name: table.to_owned() };
    let relation = RelationFacts {
        oid: 16_400 + u32::try_from(number).unwrap(),
        kind: RelationKind::Table,
        columns: facts,
        primary_key,
        unique_keys: Vec::new(),
        barrier: true,
        parents: Vec::new(),
        has_children: false,
        tableoid: false,
    };
    (name, relation)
}

fn column_facts(name: &str, at: usize, sql_type: &str, not_null: bool) -> ColumnFacts {
    // Name in pg_type, OID, typmod, and how format_type writes it.
    let (type_name, type_oid, typmod, written) = match sql_type {
        "text" => ("text", 25, -1, "text"),
        "text[]" => ("_text", 1009, -1, "text[]"),
        "varchar(20)" => ("varchar", 1043, 24, "character varying(20)"),
        "int4" => ("int4", 23, -1, "integer"),
        "int8" => ("int8", 20, -1, "bigint"),
        "float8" => ("float8", 701, -1, "double precision"),
        "numeric" => ("numeric", 1700, -1, "numeric"),
        "numeric(12,2)" => ("numeric", 1700, 786_438, "numeric(12,2)"),
        "bool" => ("bool", 16, -1, "boolean"),
        "date" => ("date", 1082, -1, "date"),
        "timestamp" => ("timestamp", 1114, -1, "timestamp without time zone"),
        "timestamptz" => ("timestamptz", 1184, -1, "timestamp with time zone"),
        "json" => ("json", 114, -1, "json"),
        "jsonb" => ("jsonb", 3802, -1, "jsonb"),
        other => panic!("schema.sql has the type {other}, which the fixture does not know"),
    };
    ColumnFacts {
        name: name.to_owned(),
        number: i16::try_from(at + 1).unwrap(),
        type_oid,
        type_schema: "pg_catalog".to_owned(),
        type_name: type_name.to_owned(),
        sql_type: written.to_owned(),
        type_kind: if type_name.starts_with('_') { TypeKind::Array } else { TypeKind::Base },
        base_type_name: type_name.to_owned(),
        base_sql_type: written.to_owned(),
        typmod,
        collation: None,
        not_null,
    }
}

/// Not every tier needs it.
const _: fn() -> Vec<String> = corpus;

/// The statements that the golden files ask about.
pub fn corpus() -> Vec<String> {
    let cases = std::fs::read_dir(directory().join("cases")).unwrap_or_else(|e| panic!("{e}"));
    let mut files: Vec<_> = cases.flatten().map(|file| file.path()).collect();
    files.sort();
    let mut statements = Vec::new();
    for file in files {
        let text = std::fs::read_to_string(&file).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
        let mut lines = text.lines();
        while let Some(line) = lines.next() {
            if line.starts_with("decide") {
                statements.push(lines.by_ref().take_while(|line| *line != "----").collect::<Vec<_>>().join("\n"));
            }
        }
    }
    assert!(statements.len() >= 300, "{} statements", statements.len());
    statements
}
