//! The schema `pgveil`: the catalog of data products as relations, for those who build a dashboard of it.

use std::sync::Arc;

use jiff::civil::Date;

use crate::catalog::{CheckKind, Product, Severity};
use crate::config::Attribute;
use crate::introspect::{Map, array};
use crate::names::WarehouseName;

use super::snapshot::Snapshot;
use super::subject::Subject;
use super::visible::{span, status};

type Columns = &'static [(&'static str, &'static str)];
type Row = Vec<Option<String>>;

const PRODUCTS: Columns = &[
    ("id", "text"),
    ("domain", "text"),
    ("product", "text"),
    ("name", "text"),
    ("description", "text"),
    ("version", "int4"),
    ("status", "text"),
    ("published_at", "text"),
    ("tags", "text[]"),
    ("owner_team", "text"),
    ("owner_contact", "text"),
    ("owner_slack_channel", "text"),
    ("freshness", "text"),
    ("availability", "text"),
    ("query_latency_p95_ms", "int4"),
    ("replaced_by", "text"),
    ("sunset", "text"),
];

const COLUMNS: Columns = &[
    ("product_id", "text"),
    ("position", "int4"),
    ("name", "text"),
    ("type", "text"),
    ("description", "text"),
    ("nullable", "bool"),
    ("pii", "bool"),
    ("masked", "bool"),
    ("mask", "text"),
];

const CHECKS: Columns =
    &[("product_id", "text"), ("name", "text"), ("type", "text"), ("columns", "text[]"), ("severity", "text")];

const ME: Columns = &[
    ("name", "text"),
    ("authenticated_as", "text"),
    ("roles", "text[]"),
    ("attribute_names", "text[]"),
    ("attribute_values", "text[]"),
    ("max_rows", "int8"),
    ("statement_timeout", "text"),
    ("max_concurrent", "int4"),
];

/// The maps behind its relations. They tell of products that may be queried, and of the subject alone.
pub(super) fn maps(
    snapshot: &Snapshot,
    subject: &Subject,
    warehouse: &WarehouseName,
    today: Date,
) -> Vec<(&'static str, Map)> {
    let products: Vec<&Arc<Product>> = snapshot.visible_products(subject, warehouse, today).collect();
    let map = |columns: Columns, rows: Vec<Row>| Map { columns, rows: Arc::new(rows) };
    let columns = products.iter().flat_map(|product| columns_of(snapshot, subject, product)).collect();
    let checks = products.iter().flat_map(|product| checks_of(product)).collect();
    vec![
        ("own_products", map(PRODUCTS, products.iter().map(|product| product_row(product)).collect())),
        ("own_columns", map(COLUMNS, columns)),
        ("own_checks", map(CHECKS, checks)),
        ("own_me", map(ME, vec![me(subject)])),
    ]
}

fn some(value: impl ToString) -> Option<String> {
    Some(value.to_string())
}

fn truth(value: bool) -> Option<String> {
    some(if value { "t" } else { "f" })
}

fn texts<T: AsRef<str>>(values: impl IntoIterator<Item = T>) -> Option<String> {
    let values: Vec<T> = values.into_iter().collect();
    Some(array(values.iter().map(|value| Some(value.as_ref()))))
}

fn product_row(product: &Product) -> Row {
    let owner = &product.owner;
    let deprecation = product.deprecation.as_ref();
    vec![
        some(&product.id),
        some(product.client_schema()),
        some(product.id.product()),
        some(&product.name),
        some(&product.description),
        some(product.version),
        some(status(product)),
        product.published_at.map(|at| at.to_string()),
        texts(&product.tags),
        some(&owner.team),
        some(&owner.contact),
        owner.slack_channel.clone(),
        product.sla.freshness.map(span),
        product.sla.availability.map(|percent| percent.to_string()),
        product.sla.query_latency_p95_ms.map(|ms| ms.to_string()),
        deprecation.and_then(|deprecation| deprecation.replaced_by.as_ref()).map(ToString::to_string),
        deprecation.and_then(|deprecation| deprecation.sunset).map(|day| day.to_string()),
    ]
}

fn columns_of(snapshot: &Snapshot, subject: &Subject, product: &Product) -> Vec<Row> {
    let view = snapshot.view(subject, product).ok();
    let facts = snapshot.parts.facts.get(&product.warehouse, &product.relation);
    let rows = product.columns.iter().zip(1_i32..).map(|(column, position)| {
        let seen = view.as_ref().and_then(|view| view.columns.iter().find(|seen| seen.name == column.name));
        let fact = facts.and_then(|facts| facts.column(&column.name));
        // A type of the warehouse's own is told without its schema.
        let own_type = fact.map(|fact| if fact.type_schema == "pg_catalog" { &fact.sql_type } else { &fact.type_name });
        vec![
            some(&product.id),
            some(position),
            some(&column.name),
            own_type.cloned(),
            some(&column.description),
            truth(column.nullable),
            seen.and_then(|seen| truth(seen.pii)),
            seen.and_then(|seen| truth(seen.masked)),
            seen.and_then(|seen| seen.mask).map(str::to_owned),
        ]
    });
    rows.collect()
}

fn checks_of(product: &Product) -> Vec<Row> {
    let rows = product.checks.iter().map(|check| {
        let (kind, columns) = match &check.kind {
            CheckKind::NotNull { column } => ("not_null", vec![column.as_str()]),
            CheckKind::Unique { columns } => ("unique", columns.iter().map(String::as_str).collect()),
            CheckKind::Range { column, .. } => ("range", vec![column.as_str()]),
            CheckKind::Freshness { column, .. } => ("freshness", vec![column.as_str()]),
            CheckKind::RowCount { .. } => ("row_count", Vec::new()),
            // Its SQL reads the warehouse.
            CheckKind::CustomSql { .. } => ("custom_sql", Vec::new()),
        };
        let severity = match check.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        vec![some(&product.id), some(&check.name), some(kind), texts(columns), some(severity)]
    });
    rows.collect()
}

fn me(subject: &Subject) -> Row {
    let value = |attribute: &Attribute| match attribute {
        Attribute::One(value) => value.clone(),
        Attribute::Many(values) => values.join(", "),
    };
    let limits = &subject.limits;
    vec![
        some(&subject.user),
        subject.authenticated_as.as_ref().map(ToString::to_string),
        texts(subject.roles.iter().map(crate::names::RoleName::as_str)),
        texts(subject.attributes.keys()),
        texts(subject.attributes.values().map(value)),
        limits.max_rows.map(|rows| rows.to_string()),
        limits.statement_timeout.map(span),
        limits.max_concurrent.map(|n| n.to_string()),
    ]
}
