//! The `bucket` mask: `floor(x / n) * n`, exact for whole numbers and numerics, never below the smallest value of the type.
//!
//! Whole numbers are counted in their own type where nothing can overflow there: numeric costs the warehouse several times as
//! much, in parsing and planning too. The step stands in quotes, so that it takes the type of what stands beside it and each
//! operator is the one of two equal types, whatever an extension defines for others.

use super::super::super::expression::Fault;
use super::super::super::facts::ColumnFacts;
use super::super::constant;
use super::{Shown, base_name, unsuitable};

/// An integer type of Postgres.
struct Whole {
    /// As `format_type` writes it.
    name: &'static str,
    smallest: i64,
    largest: i64,
}

const SMALLINT: Whole = Whole { name: "smallint", smallest: i16::MIN as i64, largest: i16::MAX as i64 };
const INTEGER: Whole = Whole { name: "integer", smallest: i32::MIN as i64, largest: i32::MAX as i64 };
const BIGINT: Whole = Whole { name: "bigint", smallest: i64::MIN, largest: i64::MAX };

pub(super) fn bucket(step: &str, column: &str, fact: &ColumnFacts) -> Result<Shown, Fault> {
    if !constant::is_positive_number(step) {
        return Err(Fault { message: format!("the step {step} is no number above 0"), hint: None });
    }
    match base_name(fact) {
        Some("int2") => whole(step, column, &SMALLINT),
        Some("int4") => whole(step, column, &INTEGER),
        Some("int8") => whole(step, column, &BIGINT),
        Some("numeric") => Ok(match smallest_numeric(fact.typmod) {
            Some(smallest) => not_below(&smallest, column, &lower(column, step)),
            None => Shown::new(lower(column, step), "numeric"),
        }),
        Some("float4") => Ok(Shown::to_be_cast(float(&format!("CAST({column} AS double precision)"), step))),
        Some("float8") => Ok(Shown::new(float(column, step), "double precision")),
        _ => Err(unsuitable(fact, "integer, float or decimal")),
    }
}

fn float(value: &str, step: &str) -> String {
    format!("pg_catalog.\"floor\"({value} / '{step}') * '{step}'")
}

fn whole(step: &str, column: &str, of: &Whole) -> Result<Shown, Fault> {
    if !step.bytes().all(|b| b.is_ascii_digit()) {
        return Err(Fault {
            message: format!("the step {step} is no whole number, but the column is"),
            hint: Some("write a whole number above 0".to_owned()),
        });
    }
    // The rest is made positive by adding the step once, which is the largest number on the way.
    let fits = |n: i64, into: &Whole| n.checked_mul(2).is_some_and(|twice| twice - 1 <= into.largest);
    let steps = step.parse::<i64>().ok();
    Ok(match steps {
        Some(n) if fits(n, of) => Shown::new(counted(n, column, column, of), of.name),
        Some(n) if fits(n, &BIGINT) => Shown::to_be_cast(counted(n, column, &format!("CAST({column} AS bigint)"), of)),
        Some(_) | None => {
            not_below(&of.smallest.to_string(), column, &lower(&format!("CAST({column} AS numeric)"), step))
        }
    })
}

/// In integers. The lowest bucket that the type does not hold whole begins at the type's smallest value.
fn counted(step: i64, column: &str, value: &str, of: &Whole) -> String {
    let first_whole = of.smallest - of.smallest % step;
    format!(
        "CASE WHEN {column} >= '{first_whole}' THEN {} WHEN {column} IS NOT NULL THEN '{}' END",
        lower(value, &step.to_string()),
        of.smallest
    )
}

/// The greatest multiple of the step that is not above the value.
fn lower(value: &str, step: &str) -> String {
    format!("{value} - ({value} % '{step}' + '{step}') % '{step}'")
}

fn not_below(smallest: &str, column: &str, lower: &str) -> Shown {
    // GREATEST skips NULL, which has to stay NULL.
    Shown::to_be_cast(format!(
        "CASE WHEN {column} IS NOT NULL THEN greatest({lower}, CAST('{smallest}' AS numeric)) END"
    ))
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
