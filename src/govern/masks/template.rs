//! The SQL of each mask. Everything is qualified; every expression ends in a cast to the column's exact type.

use crate::catalog::Mask;
use crate::names::{quote_identifier, quote_literal};
use crate::sql::ast::{CastKind, DataType, Expr};

use super::super::expression::{self, Fault};
use super::super::facts::{ColumnFacts, TypeKind};
use super::{constant, key, text_length};

/// `***` and four characters.
pub(super) const LAST4_LENGTH: u32 = 7;
const REDACTED_LENGTH: u32 = 3;
const HASH_LENGTH: u32 = 64;

/// The mask as SQL over the column.
pub(super) fn sql(mask: &Mask, fact: &ColumnFacts) -> Result<String, Fault> {
    let column = quote_identifier(&fact.name);
    // A char(n) loses its padding here, as in every other conversion to text.
    let text = format!("CAST({column} AS text)");
    let inner = match mask {
        Mask::Last4 => {
            holds(fact, LAST4_LENGTH, &["text", "varchar", "bpchar"])?;
            format!(
                "CASE WHEN pg_catalog.length({text}) >= 8 THEN '***' || pg_catalog.\"right\"({text}, 4) \
                 WHEN {column} IS NOT NULL THEN '***' END"
            )
        }
        Mask::Redact => {
            holds(fact, REDACTED_LENGTH, &["text", "varchar", "bpchar"])?;
            "'***'".to_owned()
        }
        Mask::Email => {
            holds(fact, REDACTED_LENGTH, &["text", "varchar"])?;
            // The domain is what follows the last @.
            format!(
                "CASE WHEN pg_catalog.strpos({text}, '@') > 0 THEN \
                 pg_catalog.\"left\"(pg_catalog.split_part({text}, '@', 1), 1) || '***@' || \
                 pg_catalog.\"substring\"({text}, '[^@]*$') \
                 WHEN {column} IS NOT NULL THEN '***' END"
            )
        }
        Mask::Hash => {
            holds(fact, HASH_LENGTH, &["text", "varchar"])?;
            hmac(&text)
        }
        Mask::Null => "NULL".to_owned(),
        Mask::Year => truncated("year", &column, fact)?,
        Mask::Month => truncated("month", &column, fact)?,
        Mask::Bucket(step) => bucket(step, &column, fact)?,
        Mask::Value(value) => constant::literal(value, fact)?,
        // Compiled as an expression, not from a template.
        Mask::Sql(_) => return Err(unsuitable(fact, "a template")),
    };
    Ok(format!("CAST({inner} AS {}){}", type_of(fact), collation_of(fact)))
}

/// The expression of a `sql` mask, cast to the column's type.
pub(super) fn cast(inner: Expr, fact: &ColumnFacts) -> Result<Expr, Fault> {
    let cast = Expr::Cast { kind: CastKind::Cast, expr: Box::new(inner), data_type: data_type(fact)?, format: None };
    match expression::parse(&format!("NULL{}", collation_of(fact)))? {
        Expr::Collate { collation, .. } => Ok(Expr::Collate { expr: Box::new(cast), collation }),
        _ => Ok(cast),
    }
}

/// The column's type in the tree.
fn data_type(fact: &ColumnFacts) -> Result<DataType, Fault> {
    match expression::parse(&format!("CAST(NULL AS {})", type_of(fact)))? {
        Expr::Cast { data_type, .. } => Ok(data_type),
        _ => Err(unsuitable(fact, "this mask")),
    }
}

/// The type that a masked column has. A domain shows its base type: its checks are code that would run on the mask, and a
/// NOT NULL domain cannot hold every mask. (On the wire a domain is its base type anyway.)
fn type_of(fact: &ColumnFacts) -> &str {
    match fact.type_kind {
        TypeKind::Domain => &fact.base_sql_type,
        TypeKind::Base
        | TypeKind::Array
        | TypeKind::Enum
        | TypeKind::Range
        | TypeKind::Composite
        | TypeKind::Pseudo => &fact.sql_type,
    }
}

/// A collation of the column's own, so that a masked column sorts by the same rules.
fn collation_of(fact: &ColumnFacts) -> String {
    match &fact.collation {
        Some((schema, name)) => format!(" COLLATE {}.{}", quote_identifier(schema), quote_identifier(name)),
        None => String::new(),
    }
}

/// What stands in a lookup for the text that is looked for.
pub(super) const LOOKED_FOR: &str = "{looked for}";

/// The hash of a text that is compared with the column. A text that is itself a hash, as the column shows it, stays: people
/// look for what they have seen, too.
pub(super) fn lookup(fact: &ColumnFacts) -> String {
    let text = format!("CAST({} AS text)", quote_identifier(LOOKED_FOR));
    let hash = hmac(&text);
    format!("CAST(CASE WHEN {text} ~ '^[0-9a-f]{{64}}$' THEN {text} ELSE {hash} END AS {})", type_of(fact))
}

fn hmac(text: &str) -> String {
    let padded =
        |setting: &str| format!("pg_catalog.decode(pg_catalog.current_setting({}), 'hex')", quote_literal(setting));
    format!(
        "pg_catalog.encode(pg_catalog.sha256({outer} || pg_catalog.sha256({inner} || \
         pg_catalog.convert_to({text}, 'UTF8'))), 'hex')",
        outer = padded(key::OUTER),
        inner = padded(key::INNER),
    )
}

fn truncated(unit: &str, column: &str, fact: &ColumnFacts) -> Result<String, Fault> {
    match base_name(fact) {
        Some("date") => Ok(format!("pg_catalog.date_trunc('{unit}', CAST({column} AS timestamp))")),
        Some("timestamp") => Ok(format!("pg_catalog.date_trunc('{unit}', {column})")),
        Some("timestamptz") => {
            Ok(format!("pg_catalog.date_trunc('{unit}', {column} AT TIME ZONE 'UTC') AT TIME ZONE 'UTC'"))
        }
        _ => Err(unsuitable(fact, "date or timestamp")),
    }
}

/// `floor(x / n) * n`, exact for whole numbers and numerics, never below the smallest value of the type.
fn bucket(step: &str, column: &str, fact: &ColumnFacts) -> Result<String, Fault> {
    if !constant::is_positive_number(step) {
        return Err(Fault { message: format!("the step {step} is no number above 0"), hint: None });
    }
    let smallest = match base_name(fact) {
        Some("int2") => Some("-32768".to_owned()),
        Some("int4") => Some("-2147483648".to_owned()),
        Some("int8") => Some("-9223372036854775808".to_owned()),
        Some("numeric") => smallest_numeric(fact.typmod),
        Some("float4" | "float8") => {
            let step = format!("CAST({step} AS double precision)");
            return Ok(format!("pg_catalog.\"floor\"(CAST({column} AS double precision) / {step}) * {step}"));
        }
        _ => return Err(unsuitable(fact, "integer, float or decimal")),
    };
    let whole = matches!(base_name(fact), Some("int2" | "int4" | "int8"));
    if whole && !step.bytes().all(|b| b.is_ascii_digit()) {
        return Err(Fault {
            message: format!("the step {step} is no whole number, but the column is"),
            hint: Some("write a whole number above 0".to_owned()),
        });
    }
    let value = format!("CAST({column} AS numeric)");
    let rest = format!("pg_catalog.mod({value}, {step})");
    let lower = format!("{value} - {rest} - (CASE WHEN {rest} < 0 THEN {step} ELSE 0 END)");
    Ok(match smallest {
        // GREATEST skips NULL, which has to stay NULL.
        Some(smallest) => {
            format!("CASE WHEN {column} IS NOT NULL THEN greatest({lower}, CAST('{smallest}' AS numeric)) END")
        }
        None => lower,
    })
}

/// The smallest value of a `numeric(p, s)`.
fn smallest_numeric(typmod: i32) -> Option<String> {
    let bits = u32::try_from(typmod - 4).ok()?;
    let precision = (bits >> 16) as usize;
    // The scale is a signed number of eleven bits.
    let scale = i32::try_from(bits & 0x7ff).ok()?;
    let scale = (scale ^ 1024) - 1024;
    Some(format!("-{}e{}", "9".repeat(precision), -scale))
}

/// `typname` of the type that the mask works on, when it lies in pg_catalog.
fn base_name(fact: &ColumnFacts) -> Option<&str> {
    match fact.type_kind {
        TypeKind::Domain => None,
        _ if fact.type_schema == "pg_catalog" => Some(&fact.base_type_name),
        _ => None,
    }
}

fn holds(fact: &ColumnFacts, length: u32, types: &[&str]) -> Result<(), Fault> {
    match text_length(fact) {
        Some(own) if own >= length && types.contains(&fact.type_name.as_str()) => Ok(()),
        Some(own) if own < length => Err(Fault {
            message: format!("the type {} is too short, the mask needs {length} characters", fact.sql_type),
            hint: Some("use mask = \"null\", or widen the column".to_owned()),
        }),
        _ => {
            let words: Vec<&str> = types.iter().map(|t| if *t == "bpchar" { "char" } else { *t }).collect();
            Err(unsuitable(fact, &words.join(", ")))
        }
    }
}

pub(super) fn unsuitable(fact: &ColumnFacts, needed: &str) -> Fault {
    Fault {
        message: format!("the column is of type {}, the mask needs {needed}", fact.sql_type),
        hint: Some("use mask = \"null\", { value = \"…\" } or { sql = \"…\" }".to_owned()),
    }
}
