//! The constant of a `{ value = … }` mask: checked against the column's type when the catalog is loaded, since a literal that
//! the type does not take would fail every statement.

use crate::names::quote_literal;

use super::super::expression::Fault;
use super::super::expression::kind::{self, Kind};
use super::super::expression::literal;
use super::super::facts::{ColumnFacts, TypeKind};

/// The constant as an SQL literal that the column's type reads the same under every setting.
pub(super) fn literal(value: &str, fact: &ColumnFacts) -> Result<String, Fault> {
    let does_not_fit = |example: &str| {
        Err(Fault {
            message: format!("'{value}' is no {}", fact.sql_type),
            hint: Some(format!("write for example {{ value = \"{example}\" }}")),
        })
    };
    if fact.type_kind == TypeKind::Domain {
        return Err(super::template::unsuitable(fact, "a type that is no domain"));
    }
    if fact.type_kind != TypeKind::Base || fact.type_schema != "pg_catalog" {
        return Ok(quote_literal(value));
    }
    if let Some(length) = super::text_length(fact) {
        let fits = value.chars().count() <= length as usize;
        return if fits { Ok(quote_literal(value)) } else { does_not_fit("…") };
    }
    let whole = |from: i64, to: i64| value.parse::<i64>().is_ok_and(|n| (from..=to).contains(&n));
    let temporal = kind::of_type_name(&fact.type_name);
    let fits = match fact.type_name.as_str() {
        "int2" => whole(i64::from(i16::MIN), i64::from(i16::MAX)),
        "int4" => whole(i64::from(i32::MIN), i64::from(i32::MAX)),
        "int8" => whole(i64::MIN, i64::MAX),
        "numeric" | "float4" | "float8" => is_number(value),
        "bool" => matches!(value, "true" | "false"),
        "uuid" => is_uuid(value),
        "json" | "jsonb" => serde_json::from_str::<serde_json::Value>(value).is_ok(),
        "bytea" => value
            .strip_prefix("\\x")
            .is_some_and(|hex| hex.len().is_multiple_of(2) && hex.bytes().all(|b| b.is_ascii_hexdigit())),
        _ if temporal == Kind::TimestampTz => {
            // Without a zone it is meant in UTC.
            let zoned = if literal::is_plain(Kind::TimestampTz, value) { value.to_owned() } else { midnight(value) };
            return if literal::is_plain(Kind::TimestampTz, &zoned) {
                Ok(quote_literal(&zoned))
            } else {
                does_not_fit(example(temporal))
            };
        }
        _ => literal::is_plain(temporal, value),
    };
    if fits { Ok(quote_literal(value)) } else { does_not_fit(example(temporal)) }
}

fn midnight(value: &str) -> String {
    if value.contains(':') { format!("{value}Z") } else { format!("{value} 00:00:00Z") }
}

fn example(kind: Kind) -> &'static str {
    match kind {
        Kind::Date => "2026-01-31",
        Kind::Timestamp => "2026-01-31 10:00:00",
        Kind::TimestampTz => "2026-01-31 10:00:00+00",
        Kind::Time => "10:00:00",
        Kind::TimeTz => "10:00:00+00",
        Kind::Interval => "1 day",
        Kind::Plain | Kind::Fragile | Kind::Opaque | Kind::Literal | Kind::Null | Kind::Unknown => "0",
    }
}

/// A decimal number, perhaps negative, perhaps with an exponent.
fn is_number(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let (mantissa, exponent) = digits.split_once(['e', 'E']).unwrap_or((digits, "0"));
    let exponent = exponent.strip_prefix(['-', '+']).unwrap_or(exponent);
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, "0"));
    [whole, fraction, exponent].iter().all(|part| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit()))
}

/// Whether the text is a number above zero that can stand in SQL as it is.
pub(super) fn is_positive_number(text: &str) -> bool {
    is_number(text) && !text.starts_with('-') && text.parse::<f64>().is_ok_and(|n| n > 0.0 && n.is_finite())
}

fn is_uuid(text: &str) -> bool {
    let lengths: Vec<usize> = text.split('-').map(str::len).collect();
    lengths == [8, 4, 4, 4, 12] && text.bytes().all(|b| b == b'-' || b.is_ascii_hexdigit())
}
