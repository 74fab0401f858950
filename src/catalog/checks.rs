//! `[[quality_checks]]`.

use std::collections::BTreeMap;
use std::time::Duration;

use super::bounds;
use super::columns::Columns;
use super::product::{Check, CheckKind, ContractType, Severity};
use super::read::Reader;
use crate::document::{Place, Table, Text, Value};

/// The six types of check.
#[derive(Clone, Copy)]
enum Type {
    NotNull,
    Unique,
    Range,
    Freshness,
    RowCount,
    CustomSql,
}

const TYPES: [(&str, Type); 6] = [
    ("not_null", Type::NotNull),
    ("unique", Type::Unique),
    ("range", Type::Range),
    ("freshness", Type::Freshness),
    ("row_count", Type::RowCount),
    ("custom_sql", Type::CustomSql),
];

/// A century: what is written above it is a mistake, and would overflow.
const LONGEST_STALENESS_HOURS: f64 = 876_000.0;

impl<'d> Reader<'d, '_> {
    pub(super) fn checks(&self, root: &mut Table<'d>, columns: &Columns<'d>) -> Vec<Check> {
        let Some(value) = root.take("quality_checks") else { return Vec::new() };
        let mut names: BTreeMap<String, Place<'d>> = BTreeMap::new();
        let mut checks = Vec::new();
        for mut table in value.tables().unwrap_or_default() {
            let name = table.need("name").and_then(Value::filled_text);
            if let Some(name) = &name
                && let Some(first) = names.insert(name.value.clone(), name.place.clone())
            {
                let first = first.file_and_line();
                name.place.error(format!("the check \"{}\" is already defined at {first}", name.shown()));
            }
            let severity = [("error", Severity::Error), ("warning", Severity::Warning)];
            let severity = table.take("severity").and_then(|v| v.choice(&severity)).unwrap_or(Severity::Error);
            let kind = table.need("type").and_then(|v| v.choice(&TYPES));
            let mut span = name.as_ref().map(|name| name.place.span()).unwrap_or_default();
            let kind = match kind {
                Some(kind) => check(kind, &mut table, columns, &mut span),
                None => {
                    // Of a check without a type nothing more can be said.
                    let _ = (table.take("column"), table.take("params"));
                    None
                }
            };
            table.finish();
            if let (Some(name), Some(kind)) = (name, kind) {
                checks.push(Check { name: name.value, kind, severity, span });
            }
        }
        checks
    }
}

fn check<'d>(
    kind: Type,
    table: &mut Table<'d>,
    columns: &Columns<'d>,
    span: &mut std::ops::Range<usize>,
) -> Option<CheckKind> {
    let column = table.take("column").and_then(Value::filled_text);
    let found = column.as_ref().and_then(|c| columns.find(c)).cloned();
    let params = table.table("params");
    let needs_column = |table: &Table<'d>, what: &str| {
        if column.is_none() && !table.has("column") {
            table.missing(format!("a {what} check needs \"column\""), None);
        }
    };
    match kind {
        Type::NotNull => {
            needs_column(table, "not_null");
            finish(params);
            Some(CheckKind::NotNull { column: found?.name })
        }
        Type::Unique => unique(table, params, column.as_ref(), columns),
        Type::Range => {
            needs_column(table, "range");
            let bounds = bounds::read(table, params, found.as_ref().map(|column| column.contract_type));
            let found = found?;
            if let Some(column) = &column {
                suits(
                    column,
                    found.contract_type,
                    &ORDERED,
                    "a range check compares numbers, dates, times and strings",
                );
            }
            let (min, max) = bounds?;
            Some(CheckKind::Range { column: found.name, min, max })
        }
        Type::Freshness => {
            needs_column(table, "freshness");
            let max_stale = freshness(table, params);
            let found = found?;
            if let Some(column) = &column {
                suits(column, found.contract_type, &MOMENTS, "freshness is told by a timestamp or a date");
            }
            Some(CheckKind::Freshness { column: found.name, max_stale: max_stale? })
        }
        Type::RowCount => row_count(table, params),
        Type::CustomSql => {
            let Some(mut params) = params else {
                table.missing("a custom_sql check needs params = { sql = \"…\" }", None);
                return None;
            };
            let sql = params.need("sql").and_then(Value::filled_text);
            params.finish();
            let sql = sql?;
            *span = sql.place.span();
            Some(CheckKind::CustomSql { sql: sql.value })
        }
    }
}

/// Types whose values can tell how fresh a product is.
pub(super) const MOMENTS: [ContractType; 2] = [ContractType::Timestamp, ContractType::Date];
const ORDERED: [ContractType; 8] = [
    ContractType::Integer,
    ContractType::Float,
    ContractType::Decimal,
    ContractType::Date,
    ContractType::Timestamp,
    ContractType::Time,
    ContractType::Interval,
    ContractType::String,
];

pub(super) fn suits(column: &Text<'_>, found: ContractType, wanted: &[ContractType], why: &str) {
    if !wanted.contains(&found) {
        column.place.error_with_hint(format!("column \"{}\" does not suit this", column.shown()), why);
    }
}

fn finish(params: Option<Table<'_>>) {
    if let Some(params) = params {
        params.finish();
    }
}

fn unique<'d>(
    table: &Table<'d>,
    params: Option<Table<'d>>,
    column: Option<&Text<'d>>,
    columns: &Columns<'d>,
) -> Option<CheckKind> {
    let mut compound = None;
    if let Some(mut params) = params {
        compound = params.take("columns").and_then(Value::texts);
        params.finish();
    }
    let names: Vec<&Text<'d>> = match (column, &compound) {
        (Some(column), None) => vec![column],
        (None, Some(compound)) => compound.iter().collect(),
        (Some(column), Some(_)) => {
            column.place.error_with_hint(
                "a unique check has \"column\" and params.columns at once",
                "keep one of them; params.columns is for a compound key",
            );
            return None;
        }
        (None, None) => {
            if !table.has("column") {
                table.missing("a unique check needs \"column\", or params = { columns = […] }", None);
            }
            return None;
        }
    };
    let mut found = Vec::new();
    for name in &names {
        let column = columns.find(name)?;
        if found.contains(&column.name) {
            name.place.error(format!("column \"{}\" stands twice in the key", name.shown()));
        }
        found.push(column.name.clone());
    }
    if found.is_empty() {
        table.missing("params.columns of a unique check names no column", None);
        return None;
    }
    Some(CheckKind::Unique { columns: found })
}

fn freshness(table: &Table<'_>, params: Option<Table<'_>>) -> Option<Duration> {
    let Some(mut params) = params else {
        table.missing("a freshness check needs params = { max_stale_hours = … }", None);
        return None;
    };
    let value = params.need("max_stale_hours");
    params.finish();
    let value = value?;
    let place = value.place().clone();
    let (_, hours) = value.number()?;
    if hours <= 0.0 || hours > LONGEST_STALENESS_HOURS {
        place.error("max_stale_hours must be above 0 and at most a century");
        return None;
    }
    Duration::try_from_secs_f64(hours * 3600.0).ok()
}

fn row_count(table: &Table<'_>, params: Option<Table<'_>>) -> Option<CheckKind> {
    let Some(mut params) = params else {
        table.missing("a row_count check needs params = { min_rows = …, max_rows = … }", None);
        return None;
    };
    let place = params.place()?;
    let (min, max) = (params.take("min_rows"), params.take("max_rows"));
    params.finish();
    if min.is_none() && max.is_none() {
        place.error("a row_count check needs min_rows, max_rows or both");
        return None;
    }
    let rows = |v: Value<'_>| v.integer(0..=i64::MAX).and_then(|n| u64::try_from(n).ok());
    let (min, max) = (min.and_then(rows), max.and_then(rows));
    if let (Some(low), Some(high)) = (min, max)
        && low > high
    {
        place.error("min_rows is above max_rows");
    }
    Some(CheckKind::RowCount { min, max })
}
