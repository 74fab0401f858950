//! Points in time that a condition computes without a column, and that cannot fail while rows are read: `now()`,
//! `now() - interval '30 days'`, `date_trunc('month', now())`, `date '2026-01-01' + interval '1 month'`.
//!
//! What is immutable is computed before any row is read, so that its errors tell nothing. `now()` and its kin are not: a sum
//! with them is allowed as far as it cannot leave the range of its type.

use crate::govern::fence::Kind;
use crate::sql::ast::{
    BinaryOperator, DataType, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments, Interval,
    ObjectNamePart, TypedString, Value,
};
use crate::sql::{ident, with_deep_stack};

/// Functions without arguments that cannot fail, and what they return.
const CLOCKS: [(&str, Kind); 7] = [
    ("clock_timestamp", Kind::TimestampTz),
    ("current_date", Kind::Date),
    ("current_timestamp", Kind::TimestampTz),
    ("localtimestamp", Kind::Timestamp),
    ("now", Kind::TimestampTz),
    ("statement_timestamp", Kind::TimestampTz),
    ("transaction_timestamp", Kind::TimestampTz),
];

const UNITS: [&str; 8] = ["second", "minute", "hour", "day", "week", "month", "quarter", "year"];

/// A point in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Moment {
    pub(super) kind: Kind,
    /// It is made of literals with immutable functions.
    fixed: bool,
    /// The value of a literal had a say.
    pub(super) looked: bool,
}

/// The point in time that an expression is, for sure.
pub(super) fn moment(expr: &Expr) -> Option<Moment> {
    with_deep_stack(|| match expr {
        Expr::Nested(inner) => moment(inner),
        Expr::Function(function) => clock(function).or_else(|| truncated(function)),
        Expr::TypedString(TypedString { data_type, .. }) => fixed(data_type),
        Expr::Cast { expr, data_type, .. } if is_text(expr) => fixed(data_type),
        Expr::BinaryOp { left, op: BinaryOperator::Plus | BinaryOperator::Minus, right } => {
            shifted(moment(left)?, right)
        }
        _ => None,
    })
}

/// `timestamptz + interval` depends on the time zone and is not immutable.
fn fixed(data_type: &DataType) -> Option<Moment> {
    let kind = Kind::of_type(data_type)?;
    matches!(kind, Kind::Date | Kind::Timestamp).then_some(Moment { kind, fixed: true, looked: false })
}

fn shifted(from: Moment, by: &Expr) -> Option<Moment> {
    let interval = match by {
        Expr::Interval(Interval { value, leading_field: None, last_field: None, .. }) => text_of(value),
        Expr::Cast { expr, data_type: DataType::Interval { fields: None, precision: None }, .. } => text_of(expr),
        Expr::Value(value) if from.kind == Kind::Date => {
            let Value::Number(digits, false) = &value.value else { return None };
            let few = digits.len() <= 5 && digits.bytes().all(|b| b.is_ascii_digit());
            return few.then_some(Moment { looked: true, ..from });
        }
        _ => None,
    }?;
    let kind = if from.kind == Kind::Date { Kind::Timestamp } else { from.kind };
    match from.fixed {
        true => Some(Moment { kind, ..from }),
        // Shifted once, it stays far from the ends.
        false if is_short(interval) && !from.looked => Some(Moment { kind, looked: true, ..from }),
        false => None,
    }
}

/// `30 days`, `-1 year 6 months`: at most four digits a number, and a unit that is written out.
fn is_short(interval: &str) -> bool {
    let words: Vec<&str> = interval.split_ascii_whitespace().collect();
    let pairs = words.chunks_exact(2);
    !words.is_empty()
        && words.len() <= 6
        && pairs.remainder().is_empty()
        && pairs.clone().all(|pair| match pair {
            [number, unit] => {
                let digits = number.strip_prefix('-').unwrap_or(number);
                let unit = unit.to_ascii_lowercase();
                let few = if unit.starts_with("year") { 3 } else { 4 };
                (1..=few).contains(&digits.len())
                    && digits.bytes().all(|b| b.is_ascii_digit())
                    && unit != "quarter"
                    && UNITS.contains(&unit.strip_suffix('s').unwrap_or(&unit))
            }
            _ => false,
        })
}

fn text_of(expr: &Expr) -> Option<&str> {
    match expr {
        Expr::Value(value) => match &value.value {
            Value::SingleQuotedString(text) => Some(text),
            _ => None,
        },
        _ => None,
    }
}

fn is_text(expr: &Expr) -> bool {
    text_of(expr).is_some()
}

fn own_name(function: &Function) -> Option<String> {
    match function.name.0.as_slice() {
        [ObjectNamePart::Identifier(name)] => Some(ident(name)),
        _ => None,
    }
}

/// `now()` and its kin.
fn clock(function: &Function) -> Option<Moment> {
    let bare = match &function.args {
        FunctionArguments::None => true,
        FunctionArguments::List(list) => list.args.is_empty(),
        FunctionArguments::Subquery(_) => false,
    };
    let name = own_name(function).filter(|_| bare && function.over.is_none() && function.filter.is_none())?;
    let (_, kind) = CLOCKS.iter().find(|(clock, _)| *clock == name)?;
    Some(Moment { kind: *kind, fixed: false, looked: false })
}

/// `date_trunc('month', now())`.
fn truncated(function: &Function) -> Option<Moment> {
    let name = own_name(function)?;
    let FunctionArguments::List(list) = &function.args else { return None };
    match list.args.as_slice() {
        [FunctionArg::Unnamed(FunctionArgExpr::Expr(unit)), FunctionArg::Unnamed(FunctionArgExpr::Expr(of))]
            if name == "date_trunc" && list.clauses.is_empty() && function.over.is_none() =>
        {
            let known = text_of(unit).is_some_and(|unit| UNITS.contains(&unit));
            let of = moment(of).filter(|of| known && !of.fixed)?;
            // A date is taken for a timestamp with time zone.
            let kind = if of.kind == Kind::Date { Kind::TimestampTz } else { of.kind };
            Some(Moment { kind, fixed: false, looked: true })
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_intervals_alone() {
        for text in ["1 day", "30 days", "-1 year 6 months", "9999 hours", "999 years"] {
            assert!(is_short(text), "{text}");
        }
        for text in [
            "",
            "1",
            "1 eon",
            "9999 years",
            "99999 days",
            "1 day -",
            "1 quarter",
            "1.5 days",
            "1 day 1 day 1 day 1 day",
        ] {
            assert!(!is_short(text), "{text}");
        }
    }
}
