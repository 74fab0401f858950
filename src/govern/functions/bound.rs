//! Arguments that could make one call fill the warehouse's memory: constants are checked, other values are wrapped.
//!
//! A constant above the bound is refused. A count that is only known when the statement runs is wrapped in
//! `LEAST(count, bound)`, which keeps its type and changes nothing below the bound. What cannot be wrapped must be constant.

use crate::sql::ast::{self, Expr, FunctionArg, FunctionArgExpr, UnaryOperator, Value};

use super::super::refusal::Refusal;

/// Which arguments are bounded, and how far.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Bound {
    /// The argument at this place (from 0) is a count of at most `max`.
    Count {
        /// Which argument.
        argument: usize,
        /// The largest value.
        max: i64,
    },
    /// `generate_series`: constant whole-number bounds may make at most this many rows; other bounds stream, under the
    /// statement's timeout.
    Series {
        /// The largest number of rows.
        max: i64,
    },
    /// `array_fill`: the sizes are constants whose product is at most `max`.
    ArraySizes {
        /// The largest number of elements.
        max: i64,
    },
    /// `format`: the template is a constant without `*`, its widths at most `max`.
    Template {
        /// The largest width.
        max: i64,
    },
    /// Text search: in a call of this many arguments or more the first may name a configuration. A literal is looked up in
    /// the warehouse's catalogs under whatever schema it names, and the error says whether there is such a schema; so a
    /// literal is a plain name, and a parameter (which would become one) is refused.
    Configuration {
        /// From how many arguments on the first one may be a configuration.
        arguments: usize,
    },
}

impl Bound {
    /// Checks the arguments of a call, and wraps what is only known at run time.
    pub fn apply(self, function: &str, arguments: &mut [FunctionArg]) -> Result<(), Refusal> {
        match self {
            Self::Count { argument, max } => {
                arguments.get_mut(argument).map_or(Ok(()), |argument| bound_count(function, argument, max))
            }
            Self::Series { max } => bound_series(function, arguments, max),
            Self::ArraySizes { max } => bound_sizes(function, arguments, max),
            Self::Template { max } => bound_template(function, arguments, max),
            Self::Configuration { arguments: from } if arguments.len() >= from => {
                bound_configuration(function, arguments.first().and_then(expression_in))
            }
            Self::Configuration { .. } => Ok(()),
        }
    }
}

fn bound_count(function: &str, argument: &mut FunctionArg, max: i64) -> Result<(), Refusal> {
    let Some(expr) = expression_of(argument) else {
        return Err(above(function, "its count must be an expression", max));
    };
    match whole_number(expr) {
        Some(count) if count <= max => Ok(()),
        Some(_) => Err(above(function, "its count is too large", max)),
        None => {
            let inner = std::mem::replace(expr, Expr::value(Value::Null));
            *expr = least(inner, max);
            Ok(())
        }
    }
}

fn bound_series(function: &str, arguments: &[FunctionArg], max: i64) -> Result<(), Refusal> {
    let number = |at: usize| arguments.get(at).and_then(expression_in).and_then(whole_number);
    let (Some(start), Some(stop)) = (number(0), number(1)) else { return Ok(()) };
    let step = match arguments.get(2) {
        None => 1,
        Some(_) => match number(2) {
            Some(step) if step != 0 => step,
            _ => return Ok(()),
        },
    };
    let rows = (i128::from(stop) - i128::from(start)) / i128::from(step);
    if rows >= i128::from(max) { Err(above(function, "it would make too many rows", max)) } else { Ok(()) }
}

fn bound_sizes(function: &str, arguments: &[FunctionArg], max: i64) -> Result<(), Refusal> {
    let must_be_constant = || above(function, "its sizes must be an ARRAY[…] of constants", max);
    let Some(Expr::Array(ast::Array { elem, .. })) = arguments.get(1).and_then(expression_in) else {
        return Err(must_be_constant());
    };
    let mut product: i64 = 1;
    for size in elem {
        product = product.saturating_mul(whole_number(size).ok_or_else(must_be_constant)?.max(0));
    }
    if product > max { Err(above(function, "it would make too many elements", max)) } else { Ok(()) }
}

fn bound_template(function: &str, arguments: &[FunctionArg], max: i64) -> Result<(), Refusal> {
    let constant = match arguments.first().and_then(expression_in) {
        Some(Expr::Value(value)) => match &value.value {
            Value::SingleQuotedString(text) => Some(text),
            // Escapes could hide a width.
            _ => None,
        },
        _ => None,
    };
    let Some(template) = constant else {
        return Err(above(function, "its template must be a constant", max));
    };
    for specifier in template.split('%').skip(1) {
        let width: String = specifier.chars().take_while(|c| c.is_ascii_digit() || "$-*".contains(*c)).collect();
        let too_wide = width
            .split(|c: char| !c.is_ascii_digit())
            .any(|digits| !digits.is_empty() && digits.parse::<i64>().map_or(true, |width| width > max));
        if width.contains('*') || too_wide {
            return Err(above(function, "a width in its template is not a constant or too large", max));
        }
    }
    Ok(())
}

fn bound_configuration(function: &str, first: Option<&Expr>) -> Result<(), Refusal> {
    let plain_name = match first {
        Some(Expr::Nested(inner)) => return bound_configuration(function, Some(inner)),
        Some(Expr::Value(value)) => match &value.value {
            Value::SingleQuotedString(text) => {
                let name = text.strip_prefix("pg_catalog.").unwrap_or(text);
                name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
            }
            Value::Null => true,
            // Other forms of a string, which could hide a dot, and parameters.
            _ => false,
        },
        // What is no literal has a type of its own, and no conversion to a configuration.
        Some(_) => true,
        None => false,
    };
    if plain_name {
        return Ok(());
    }
    Err(Refusal::new(
        "function",
        format!("function {function} is not allowed here: its configuration is no plain name"),
    )
    .with_hint(format!("Write the configuration as a constant: {function}('english', …).")))
}

fn above(function: &str, what: &str, max: i64) -> Refusal {
    Refusal::new("function", format!("function {function} is not allowed here: {what}"))
        .with_hint(format!("{function} is bounded to {max}; use a constant of at most that."))
}

fn expression_of(argument: &mut FunctionArg) -> Option<&mut Expr> {
    match argument {
        FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => Some(expr),
        _ => None,
    }
}

fn expression_in(argument: &FunctionArg) -> Option<&Expr> {
    match argument {
        FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => Some(expr),
        _ => None,
    }
}

/// The value of a whole-number constant, negated and in parentheses too; one beyond 64 bits counts as the largest.
fn whole_number(expr: &Expr) -> Option<i64> {
    match expr {
        Expr::Value(value) => match &value.value {
            Value::Number(digits, _) if digits.bytes().all(|b| b.is_ascii_digit()) => {
                Some(digits.parse().unwrap_or(i64::MAX))
            }
            _ => None,
        },
        Expr::UnaryOp { op: UnaryOperator::Minus, expr } => whole_number(expr).map(|n| n.saturating_neg()),
        Expr::UnaryOp { op: UnaryOperator::Plus, expr } | Expr::Nested(expr) => whole_number(expr),
        _ => None,
    }
}

/// `LEAST(expr, max)`.
fn least(expr: Expr, max: i64) -> Expr {
    let argument = |expr| FunctionArg::Unnamed(FunctionArgExpr::Expr(expr));
    let max = Expr::value(Value::Number(max.to_string(), false));
    Expr::Function(ast::Function {
        name: ast::ObjectName::from(vec![ast::Ident::new("least")]),
        uses_odbc_syntax: false,
        parameters: ast::FunctionArguments::None,
        args: ast::FunctionArguments::List(ast::FunctionArgumentList {
            duplicate_treatment: None,
            args: vec![argument(expr), argument(max)],
            clauses: Vec::new(),
        }),
        within_group: Vec::new(),
        filter: None,
        null_treatment: None,
        over: None,
    })
}
