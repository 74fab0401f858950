//! The SQL of each mask. Everything is qualified; every expression has the column's exact type.

use crate::catalog::Mask;
use crate::names::{quote_identifier, quote_literal};
use crate::sql::ast::{CastKind, DataType, Expr};

use super::super::expression::{self, Fault};
use super::super::facts::{ColumnFacts, TypeKind};
use super::{constant, key, text_length};

mod bucket;

/// `***` and four characters.
pub(super) const LAST4_LENGTH: u32 = 7;
const REDACTED_LENGTH: u32 = 3;
const HASH_LENGTH: u32 = 64;

/// A mask over the column, and the type that it has before it is cast to the column's.
struct Shown {
    sql: String,
    /// As `format_type` writes it; `None`: only a cast makes it the column's.
    of_type: Option<&'static str>,
}

impl Shown {
    fn new(sql: impl Into<String>, of_type: &'static str) -> Self {
        Self { sql: sql.into(), of_type: Some(of_type) }
    }
    fn to_be_cast(sql: impl Into<String>) -> Self {
        Self { sql: sql.into(), of_type: None }
    }
}

/// The mask as SQL over the column. A cast that changes neither type nor typmod is left out: each word of a mask is read and
/// planned by the warehouse once for every statement.
pub(super) fn sql(mask: &Mask, fact: &ColumnFacts) -> Result<String, Fault> {
    let Shown { sql, of_type } = shown(mask, fact)?;
    if of_type == Some(type_of(fact)) && fact.collation.is_none() {
        return Ok(sql);
    }
    Ok(format!("CAST({sql} AS {}){}", type_of(fact), collation_of(fact)))
}

fn shown(mask: &Mask, fact: &ColumnFacts) -> Result<Shown, Fault> {
    let column = quote_identifier(&fact.name);
    // A char(n) loses its padding here, as in every other conversion to text.
    let text = if type_of(fact) == "text" { column.clone() } else { format!("CAST({column} AS text)") };
    Ok(match mask {
        Mask::Last4 => {
            holds(fact, LAST4_LENGTH, &["text", "varchar", "bpchar"])?;
            let sql = format!(
                "CASE WHEN pg_catalog.length({text}) >= 8 THEN '***' || pg_catalog.\"right\"({text}, 4) \
                 WHEN {column} IS NOT NULL THEN '***' END"
            );
            Shown::new(sql, "text")
        }
        Mask::Redact => {
            holds(fact, REDACTED_LENGTH, &["text", "varchar", "bpchar"])?;
            Shown::to_be_cast("'***'")
        }
        Mask::Email => {
            holds(fact, REDACTED_LENGTH, &["text", "varchar"])?;
            // The domain is what follows the last @.
            let sql = format!(
                "CASE WHEN pg_catalog.strpos({text}, '@') > 0 THEN \
                 pg_catalog.\"left\"(pg_catalog.split_part({text}, '@', 1), 1) || '***@' || \
                 pg_catalog.\"substring\"({text}, '[^@]*$') \
                 WHEN {column} IS NOT NULL THEN '***' END"
            );
            Shown::new(sql, "text")
        }
        Mask::Hash => {
            holds(fact, HASH_LENGTH, &["text", "varchar"])?;
            Shown::new(hmac(&text), "text")
        }
        Mask::Null => Shown::to_be_cast("NULL"),
        Mask::Year => truncated("year", &column, fact)?,
        Mask::Month => truncated("month", &column, fact)?,
        Mask::Bucket(step) => bucket::bucket(step, &column, fact)?,
        Mask::Value(value) => Shown::to_be_cast(constant::literal(value, fact)?),
        // Compiled as an expression, not from a template.
        Mask::Sql(_) => return Err(unsuitable(fact, "a template")),
    })
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

fn truncated(unit: &str, column: &str, fact: &ColumnFacts) -> Result<Shown, Fault> {
    match base_name(fact) {
        Some("date") => Ok(Shown::to_be_cast(format!("pg_catalog.date_trunc('{unit}', CAST({column} AS timestamp))"))),
        Some("timestamp") => {
            Ok(Shown::new(format!("pg_catalog.date_trunc('{unit}', {column})"), "timestamp without time zone"))
        }
        Some("timestamptz") => {
            let sql = format!("pg_catalog.date_trunc('{unit}', {column} AT TIME ZONE 'UTC') AT TIME ZONE 'UTC'");
            Ok(Shown::new(sql, "timestamp with time zone"))
        }
        _ => Err(unsuitable(fact, "date or timestamp")),
    }
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
