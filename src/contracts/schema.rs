//! One product's contract against the relation that it lies in: columns, types, nullability.

use serde::Serialize;

use crate::catalog::{Column, ContractType, Product};
use crate::govern::facts::{ColumnFacts, RelationFacts, RelationKind, TypeKind};
use crate::names::RelationName;

/// How grave a difference is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Gravity {
    /// The product cannot be served as its contract says.
    Error,
    /// Somebody should look.
    Warning,
    /// Good to know.
    Info,
}

/// One way in which the relation is not what the contract says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// How grave it is.
    pub gravity: Gravity,
    /// A short, stable word: `column_missing`, `type` …
    pub code: &'static str,
    /// About which column.
    pub column: Option<String>,
    /// What is wrong, without a full stop.
    pub message: String,
    /// What to write or do instead.
    pub hint: String,
}

/// Compares; `None`: the relation does not exist.
pub fn compare(product: &Product, facts: Option<&RelationFacts>, extension_schemas: &[String]) -> Vec<Difference> {
    let found = |column: Option<&Column>, (gravity, code, message, hint): Found| Difference {
        gravity,
        code,
        column: column.map(|column| column.name.clone()),
        message,
        hint,
    };
    let relation = &product.relation;
    let Some(facts) = facts else {
        let message = format!("relation {relation} does not exist");
        let hint = "create it, or write where the product lies: relation = \"SCHEMA.TABLE\"".to_owned();
        return vec![found(None, (Gravity::Error, "relation_missing", message, hint))];
    };
    let mut findings: Vec<_> = kind(relation, facts).into_iter().map(|difference| found(None, difference)).collect();
    for column in &product.columns {
        let differences = match facts.column(&column.name) {
            None => {
                let message = format!("{relation} has no column \"{}\"", column.name);
                vec![(Gravity::Error, "column_missing", message, nearest(&column.name, facts))]
            }
            Some(real) => {
                let checks = [type_of(column, real), home(real, extension_schemas), nullable(column, real, facts)];
                checks.into_iter().flatten().collect()
            }
        };
        findings.extend(differences.into_iter().map(|difference| found(Some(column), difference)));
    }
    let undeclared: Vec<&str> =
        facts.columns.iter().map(|c| c.name.as_str()).filter(|name| product.column(name).is_none()).collect();
    if !undeclared.is_empty() {
        let message = format!("columns of {relation} that the contract does not name: {}", undeclared.join(", "));
        let hint = "they are invisible; add [[schema]] to show one".to_owned();
        findings.push(found(None, (Gravity::Info, "undeclared", message, hint)));
    }
    findings
}

type Found = (Gravity, &'static str, String, String);

fn kind(relation: &RelationName, facts: &RelationFacts) -> Vec<Found> {
    let mut found = Vec::new();
    let mut note = |level, code, message: String, hint: &str| found.push((level, code, message, hint.to_owned()));
    match facts.kind {
        RelationKind::View if !facts.barrier => note(
            Gravity::Warning,
            "view",
            format!("{relation} is a view without security_barrier, itself or one below it"),
            "pgveil fences it, which can cost its indexes; where the views filter rows, create them WITH (security_barrier)",
        ),
        RelationKind::View => note(
            Gravity::Info,
            "view",
            format!("{relation} is a view"),
            "what it reads is read with the rights of its owner",
        ),
        RelationKind::MaterializedView => note(
            Gravity::Info,
            "materialized_view",
            format!("{relation} is a materialized view"),
            "it is as fresh as its last REFRESH",
        ),
        RelationKind::ForeignTable => note(
            Gravity::Info,
            "foreign_table",
            format!("{relation} is a foreign table"),
            "its rows come from another server, with the user mapping of the service account",
        ),
        RelationKind::Table | RelationKind::PartitionedTable => {}
    }
    if !facts.parents.is_empty() {
        let parents: Vec<String> = facts.parents.iter().map(ToString::to_string).collect();
        note(
            Gravity::Warning,
            "child",
            format!("{relation} is a partition or an inheritance child of {}", parents.join(", ")),
            "its rows show through a product on the parent too, with that product's masks and filters: publish one of them",
        );
    }
    if facts.has_children {
        note(
            Gravity::Info,
            "parent",
            format!("{relation} has partitions or inheritance children"),
            "their rows are rows of this product",
        );
    }
    found
}

fn nearest(name: &str, facts: &RelationFacts) -> String {
    let near = facts
        .columns
        .iter()
        .map(|column| (strsim::osa_distance(name, &column.name), column))
        .min_by_key(|(distance, _)| *distance)
        .filter(|(distance, _)| *distance <= name.len().div_ceil(3));
    match near {
        Some((_, column)) => format!("perhaps \"{}\" is meant; else remove it from [[schema]]", column.name),
        None => {
            let names: Vec<&str> = facts.columns.iter().map(|column| column.name.as_str()).collect();
            format!("remove it from [[schema]]; the relation's columns are {}", names.join(", "))
        }
    }
}

fn type_of(column: &Column, real: &ColumnFacts) -> Option<Found> {
    let fitting = contract_type(real);
    if fitting == Some(column.contract_type) {
        return None;
    }
    let message = format!(
        "column \"{}\" is {} in the warehouse, which is no {}",
        column.name,
        real.sql_type,
        type_word(column.contract_type)
    );
    match (fitting, column.contract_type) {
        (Some(fitting), _) => {
            Some((Gravity::Error, "type", message, format!("write type = \"{}\"", type_word(fitting))))
        }
        // Addresses, ranges and the like have no word of their own, and are served as what they are.
        (None, ContractType::String) => {
            let message = format!("column \"{}\" is {} in the warehouse, not text", column.name, real.sql_type);
            let hint = "clients see that type, which no contract type names; a view can cast it to text".to_owned();
            Some((Gravity::Info, "type", message, hint))
        }
        (None, _) => {
            let hint = "no contract type fits; write type = \"string\", or publish a view that casts it".to_owned();
            Some((Gravity::Error, "type", message, hint))
        }
    }
}

/// The contract type that a real one is.
pub fn contract_type(real: &ColumnFacts) -> Option<ContractType> {
    match real.type_kind {
        TypeKind::Array => return Some(ContractType::Array),
        TypeKind::Enum => return Some(ContractType::String),
        TypeKind::Range | TypeKind::Composite | TypeKind::Pseudo => return None,
        TypeKind::Base | TypeKind::Domain => {}
    }
    Some(match real.base_type_name.as_str() {
        "text" | "varchar" | "bpchar" | "name" | "citext" => ContractType::String,
        "int2" | "int4" | "int8" => ContractType::Integer,
        "float4" | "float8" => ContractType::Float,
        "bool" => ContractType::Boolean,
        "timestamp" | "timestamptz" => ContractType::Timestamp,
        "json" | "jsonb" => ContractType::Json,
        "numeric" => ContractType::Decimal,
        "date" => ContractType::Date,
        "time" | "timetz" => ContractType::Time,
        "uuid" => ContractType::Uuid,
        "bytea" => ContractType::Bytes,
        "interval" => ContractType::Interval,
        // A domain over an array or an enum: SQL writes the one with brackets, the other has no such name.
        _ if real.base_sql_type.ends_with("[]") => ContractType::Array,
        _ => return None,
    })
}

/// The word of a contract type in a product file.
pub fn type_word(contract_type: ContractType) -> &'static str {
    match contract_type {
        ContractType::String => "string",
        ContractType::Integer => "integer",
        ContractType::Float => "float",
        ContractType::Boolean => "boolean",
        ContractType::Timestamp => "timestamp",
        ContractType::Json => "json",
        ContractType::Array => "array",
        ContractType::Decimal => "decimal",
        ContractType::Date => "date",
        ContractType::Time => "time",
        ContractType::Uuid => "uuid",
        ContractType::Bytes => "bytes",
        ContractType::Interval => "interval",
    }
}

/// Operators of a type are looked up where `search_path` says.
fn home(real: &ColumnFacts, extension_schemas: &[String]) -> Option<Found> {
    let elsewhere = real.type_schema != "pg_catalog"
        && !matches!(real.type_kind, TypeKind::Enum | TypeKind::Domain | TypeKind::Array)
        && !extension_schemas.contains(&real.type_schema);
    elsewhere.then(|| {
        (
            Gravity::Error,
            "type_schema",
            format!("column \"{}\" has the type {}, whose schema is not on the search path", real.name, real.sql_type),
            format!("write extension_schemas = [\"{}\"] in [warehouses.…]", real.type_schema),
        )
    })
}

fn nullable(column: &Column, real: &ColumnFacts, facts: &RelationFacts) -> Option<Found> {
    let stored = matches!(facts.kind, RelationKind::Table | RelationKind::PartitionedTable);
    match (column.nullable, real.not_null) {
        // A view's columns are never NOT NULL for Postgres: nothing to conclude.
        (false, false) if stored => Some((
            Gravity::Warning,
            "nullable",
            format!(
                "column \"{}\" may hold NULL in the warehouse, and the contract says that it does not",
                column.name
            ),
            "write nullable = true, set it NOT NULL in the warehouse, or check it with a not_null check".to_owned(),
        )),
        (true, true) => Some((
            Gravity::Info,
            "not_null",
            format!("column \"{}\" is NOT NULL in the warehouse; the contract may promise it", column.name),
            "write nullable = false".to_owned(),
        )),
        _ => None,
    }
}
