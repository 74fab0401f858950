//! `[[schema]]`: the contract's columns and their masks.

use std::collections::BTreeMap;

use toml::de::DeValue;

use super::product::{Column, ContractType, Mask, Pii, Places};
use super::read::Reader;
use crate::document::{Place, Table, Text, Value};
use crate::names::MAX_IDENTIFIER_BYTES;

/// Contract types as files write them.
pub(super) const TYPES: [(&str, ContractType); 13] = [
    ("string", ContractType::String),
    ("integer", ContractType::Integer),
    ("float", ContractType::Float),
    ("boolean", ContractType::Boolean),
    ("timestamp", ContractType::Timestamp),
    ("json", ContractType::Json),
    ("array", ContractType::Array),
    ("decimal", ContractType::Decimal),
    ("date", ContractType::Date),
    ("time", ContractType::Time),
    ("uuid", ContractType::Uuid),
    ("bytes", ContractType::Bytes),
    ("interval", ContractType::Interval),
];

const WORDS: [(&str, Mask); 7] = [
    ("last4", Mask::Last4),
    ("redact", Mask::Redact),
    ("email", Mask::Email),
    ("hash", Mask::Hash),
    ("null", Mask::Null),
    ("year", Mask::Year),
    ("month", Mask::Month),
];

/// Columns that every table of Postgres has, whatever its contract.
const SYSTEM_COLUMNS: [&str; 6] = ["tableoid", "xmin", "cmin", "xmax", "cmax", "ctid"];

/// The compiled columns, with the place of each name.
#[derive(Default)]
pub(super) struct Columns<'d> {
    pub(super) columns: Vec<Column>,
    pub(super) names: BTreeMap<String, Place<'d>>,
    pub(super) places: Places,
}

impl<'d> Columns<'d> {
    /// The column that a check or the SLA names. A name that no column has is an error.
    pub(super) fn find(&self, name: &Text<'d>) -> Option<&Column> {
        let found = self.columns.iter().find(|c| c.name == name.value);
        // A column whose own entry is wrong was told there.
        if found.is_none() && name.known && !self.names.contains_key(&name.value) {
            let known = self.names.keys().map(String::as_str);
            name.place.error_with_nearest(format!("the schema has no column \"{}\"", name.shown()), &name.value, known);
        }
        found
    }
}

impl<'d> Reader<'d, '_> {
    pub(super) fn columns(&self, root: &mut Table<'d>) -> Columns<'d> {
        let mut columns = Columns::default();
        let Some(tables) = root.need("schema").and_then(Value::tables) else { return columns };
        if tables.is_empty() {
            root.missing("[[schema]] has no column", Some("name at least one column".to_owned()));
        }
        for table in tables {
            if let Some(column) = self.column(table, &mut columns) {
                columns.columns.push(column);
            }
        }
        columns
    }

    fn column(&self, mut table: Table<'d>, columns: &mut Columns<'d>) -> Option<Column> {
        let name = table.need("column").and_then(Value::filled_text).filter(|t| t.known);
        let contract_type = table.need("type").and_then(|v| v.choice(&TYPES));
        let description = table.take("description").and_then(Value::text).map(|t| t.value).unwrap_or_default();
        let pii = table.take("pii");
        let pii_place = pii.as_ref().map(|v| v.place().clone());
        let pii = pii.and_then(Value::boolean).unwrap_or(false);
        let exempt = table.take("pii_exempt").and_then(Value::filled_text);
        let nullable = table.take("nullable").and_then(Value::boolean).unwrap_or(true);
        let written_mask = table.take("mask");
        let mask_place = written_mask.as_ref().map(|v| v.place().clone());
        let mask = written_mask.and_then(|v| self.mask(v));
        let predicates = table.take("predicates");
        let predicates_place = predicates.as_ref().map(|v| v.place().clone());
        let equality = predicates.and_then(|v| v.choice(&[("equality", ())])).is_some();
        table.finish();

        let name = name?;
        if let Some(first) = columns.names.get(&name.value) {
            name.place.error(format!("column \"{}\" is already defined at {}", name.shown(), first.file_and_line()));
            return None;
        }
        columns.names.insert(name.value.clone(), name.place.clone());
        let place = mask_place.as_ref().unwrap_or(&name.place);
        columns.places.columns.insert(name.value.clone(), place.span());
        self.check_name(&name);
        let pii = self.personal(&name, pii, exempt, pii_place.as_ref());
        let contract_type = contract_type?;
        if let (Some(mask), Some(place)) = (&mask, &mask_place) {
            suits(mask, contract_type, place);
        }
        if let Some(place) = predicates_place.filter(|_| mask != Some(Mask::Hash)) {
            place.error_with_hint(
                "predicates needs mask = \"hash\": only hashes of equal values are equal and tell nothing else",
                "write mask = \"hash\" beside it, or leave predicates out",
            );
        }
        Some(Column { name: name.value, contract_type, description, pii, nullable, mask, equality })
    }

    fn check_name(&self, name: &Text<'d>) {
        if name.value.len() > MAX_IDENTIFIER_BYTES || name.value.contains('\0') {
            name.place.error(format!("a column's name has at most {MAX_IDENTIFIER_BYTES} bytes"));
        }
        if SYSTEM_COLUMNS.contains(&name.value.as_str()) {
            name.place.error_with_hint(
                format!("\"{}\" is a system column of Postgres and cannot be published", name.shown()),
                "leave it out",
            );
        }
        if let Some(pattern) = &self.rules.column_names
            && regex_lite::Regex::new(pattern).is_ok_and(|regex| !regex.is_match(&name.value))
        {
            name.place.error_with_hint(
                format!("the column name \"{}\" does not follow the naming standard", name.shown()),
                format!("[governance] column_names of the policy is {pattern}"),
            );
        }
    }

    fn personal(&self, name: &Text<'d>, pii: bool, exempt: Option<Text<'d>>, place: Option<&Place<'d>>) -> Pii {
        match (pii, exempt) {
            (true, Some(reason)) => {
                reason.place.error_with_hint(
                    format!("column \"{}\" is PII and exempt from it at once", name.shown()),
                    "keep pii = true, or pii_exempt with its reason",
                );
                Pii::Yes
            }
            (true, None) => Pii::Yes,
            (false, Some(reason)) => Pii::Exempt(reason.value),
            (false, None) => {
                if let Some(pattern) = self.rules.pii_pattern(&name.value) {
                    let place = place.unwrap_or(&name.place);
                    place.error_with_hint(
                        format!(
                            "column \"{}\" is named like personal data ({pattern}) and is not marked",
                            name.shown()
                        ),
                        "write pii = true, or pii_exempt = \"the reason why it is not\"",
                    );
                }
                Pii::No
            }
        }
    }

    fn mask(&self, value: Value<'d>) -> Option<Mask> {
        let place = value.place().clone();
        let mask = match value.raw() {
            DeValue::Table(_) => table_mask(value.table()?),
            DeValue::String(_) => word_mask(&value.text()?),
            _ => {
                value.expected("a mask's name, or one of { bucket = 10 }, { value = \"…\" } and { sql = \"…\" }");
                None
            }
        };
        if mask == Some(Mask::Hash) && !self.rules.has_hash_key {
            let hint = "set it in pgveil.toml to 32 bytes or more";
            place.error_with_hint("the mask \"hash\" needs [masking] hash_key", hint);
        }
        mask
    }
}

fn word_mask(text: &Text<'_>) -> Option<Mask> {
    if !text.known {
        return None;
    }
    let found = WORDS.iter().find(|(word, _)| *word == text.value).map(|(_, mask)| mask.clone());
    if found.is_none() {
        let hint = match crate::document::nearest(&text.value, WORDS.iter().map(|(word, _)| *word)) {
            Some(near) if !text.substituted() => format!("did you mean \"{near}\"?"),
            _ => "write one of \"last4\", \"redact\", \"email\", \"hash\", \"null\", \"year\", \"month\", \
                  { bucket = 10 }, { value = \"…\" }, { sql = \"…\" }"
                .to_owned(),
        };
        text.place.error_with_hint(format!("\"{}\" is no mask", text.shown()), hint);
    }
    found
}

fn table_mask(mut table: Table<'_>) -> Option<Mask> {
    let bucket = table.take("bucket");
    let constant = table.take("value");
    let sql = table.take("sql");
    let several = [bucket.is_some(), constant.is_some(), sql.is_some()].iter().filter(|is| **is).count();
    if several != 1
        && let Some(place) = table.place()
    {
        place.error_with_hint(
            "a mask has exactly one of bucket, value and sql",
            "write { bucket = 10 }, { value = \"…\" } or { sql = \"…\" }",
        );
    }
    table.finish();
    if several != 1 {
        return None;
    }
    if let Some(bucket) = bucket {
        return step(bucket).map(Mask::Bucket);
    }
    if let Some(constant) = constant {
        return written(constant).map(Mask::Value);
    }
    sql.and_then(Value::filled_text).map(|text| Mask::Sql(text.value))
}

/// A positive decimal number without an exponent, so that it is the same number in SQL.
fn step(value: Value<'_>) -> Option<String> {
    let place = value.place().clone();
    let (written, number) = value.number()?;
    if number <= 0.0 {
        place.error("the step of a bucket must be above 0");
        return None;
    }
    if !written.bytes().all(|b| b.is_ascii_digit() || b == b'.') {
        place.error_with_hint("the step of a bucket must have no exponent", "write it out: 1000, or 0.001");
        return None;
    }
    Some(written)
}

/// A constant as text.
fn written(value: Value<'_>) -> Option<String> {
    match value.raw() {
        DeValue::String(_) => value.text().map(|text| text.value),
        DeValue::Boolean(_) => value.boolean().map(|b| b.to_string()),
        DeValue::Integer(_) | DeValue::Float(_) => value.number().map(|(written, _)| written),
        DeValue::Datetime(moment) => Some(moment.to_string()),
        DeValue::Array(_) | DeValue::Table(_) => {
            value.expected("a string, a number, true, false or a date");
            None
        }
    }
}

/// Reports a mask that cannot keep the column's type. What depends on the real type is checked with the warehouse's facts.
fn suits(mask: &Mask, contract_type: ContractType, place: &Place<'_>) {
    use ContractType::{Date, Decimal, Float, Integer, String, Timestamp};
    let name = TYPES.iter().find(|(_, t)| *t == contract_type).map_or("", |(name, _)| *name);
    let refuse = |what: &str, types: &str| {
        let hint = format!("{what} is for {types}; \"null\", {{ value = … }} and {{ sql = … }} suit every type");
        place.error_with_hint(format!("the mask {what} does not suit a column of type {name}"), hint);
    };
    match mask {
        Mask::Last4 | Mask::Redact | Mask::Email | Mask::Hash if contract_type != String => {
            let word = WORDS.iter().find(|(_, m)| m == mask).map_or("", |(word, _)| *word);
            refuse(&format!("\"{word}\""), "strings");
        }
        Mask::Year | Mask::Month if !matches!(contract_type, Date | Timestamp) => {
            let word = if *mask == Mask::Year { "\"year\"" } else { "\"month\"" };
            refuse(word, "dates and timestamps");
        }
        Mask::Bucket(_) if !matches!(contract_type, Integer | Float | Decimal) => {
            refuse("{ bucket = … }", "integers, floats and decimals");
        }
        Mask::Bucket(step) if contract_type == Integer && step.parse::<i64>().is_err() => {
            place.error_with_hint("the step of a bucket of integers must be a whole number", "write { bucket = 10 }");
        }
        Mask::Value(constant) if !value_fits(constant, contract_type) => {
            place.error(format!("the mask's value is not of type {name}"));
        }
        Mask::Last4
        | Mask::Redact
        | Mask::Email
        | Mask::Hash
        | Mask::Null
        | Mask::Year
        | Mask::Month
        | Mask::Bucket(_)
        | Mask::Value(_)
        | Mask::Sql(_) => {}
    }
}

/// Whether a constant can be of the type, as far as that can be told without the warehouse.
fn value_fits(constant: &str, contract_type: ContractType) -> bool {
    match contract_type {
        ContractType::Integer => constant.parse::<i64>().is_ok(),
        ContractType::Float | ContractType::Decimal => constant.parse::<f64>().is_ok(),
        ContractType::Boolean => matches!(constant, "true" | "false"),
        ContractType::Date => constant.parse::<jiff::civil::Date>().is_ok(),
        ContractType::Json => serde_json::from_str::<serde::de::IgnoredAny>(constant).is_ok(),
        ContractType::Uuid => {
            let digits = constant.bytes().filter(u8::is_ascii_hexdigit).count();
            digits == 32 && constant.bytes().all(|b| b.is_ascii_hexdigit() || b == b'-')
        }
        ContractType::String
        | ContractType::Timestamp
        | ContractType::Array
        | ContractType::Time
        | ContractType::Bytes
        | ContractType::Interval => true,
    }
}
