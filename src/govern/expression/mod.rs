//! One SQL expression of a product file: a row filter, or a `sql` mask. It is parsed, checked against allow-lists and written
//! so that its value depends on no setting that a client may change.

use std::collections::{BTreeMap, BTreeSet};

use crate::catalog::{ContractType, Product};
use crate::config::Attribute;
use crate::error::ClientError;
use crate::names::quote_literal;
use crate::sql;
use crate::sql::ast::{self, BinaryOperator, Expr, Value};

use super::facts::RelationFacts;

mod calls;
mod check;
pub(in crate::govern) mod kind;
pub(in crate::govern) mod literal;
mod placeholder;
mod walk;

/// What an expression is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::govern) enum Purpose<'a> {
    /// `where` of a row filter: `{user.NAME}` may stand in it.
    Filter,
    /// `sql` of a mask: `{column}` is this column.
    Mask(&'a str),
}

/// What is wrong with an expression.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::govern) struct Fault {
    pub(in crate::govern) message: String,
    pub(in crate::govern) hint: Option<String>,
}

impl Fault {
    fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), hint: None }
    }
    fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

/// Parses and checks an expression; `{user.NAME}` placeholders stay in it for [`fill_attributes`].
pub(in crate::govern) fn compile(
    text: &str,
    purpose: Purpose<'_>,
    product: &Product,
    facts: Option<&RelationFacts>,
    functions: &[String],
) -> Result<Expr, Fault> {
    let mut expr = parse(&placeholder::quote(text)?)?;
    check::Check { purpose, product, facts, functions }.run(&mut expr)?;
    if purpose == Purpose::Filter && !may_be_condition(&expr, product) {
        let hint = "write a comparison, such as region = {user.region}, or a boolean column";
        return Err(Fault::new("it is no condition: its value is neither true nor false").with_hint(hint));
    }
    Ok(expr)
}

/// Whether the value of an expression can be a boolean, as far as its outermost node tells.
fn may_be_condition(expr: &Expr, product: &Product) -> bool {
    match expr {
        Expr::Nested(inner) => may_be_condition(inner, product),
        Expr::Identifier(name) if placeholder::attribute(name).is_none() => {
            let name = sql::ident(name);
            product.columns.iter().any(|c| c.name == name && c.contract_type == ContractType::Boolean)
        }
        Expr::Identifier(_) | Expr::Array(_) => false,
        Expr::Value(value) => match &value.value {
            Value::Boolean(_) | Value::Null => true,
            Value::SingleQuotedString(text) => matches!(text.trim(), "t" | "true" | "f" | "false"),
            _ => false,
        },
        Expr::BinaryOp { op, .. } => !matches!(
            op,
            BinaryOperator::Plus
                | BinaryOperator::Minus
                | BinaryOperator::Multiply
                | BinaryOperator::Divide
                | BinaryOperator::Modulo
                | BinaryOperator::StringConcat
        ),
        _ => true,
    }
}

/// One expression, and nothing after it.
pub(in crate::govern) fn parse(text: &str) -> Result<Expr, Fault> {
    sql::parse_expression(text).map_err(|error| {
        let error = ClientError::from(error);
        Fault { message: error.message, hint: error.hint }
    })
}

/// The attributes that an expression reads.
pub(in crate::govern) fn attributes_of(expr: &Expr) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    let mut expr = expr.clone();
    walk::each(&mut expr, &mut |expr| {
        if let Expr::Identifier(ident) = expr {
            names.extend(placeholder::attribute(ident).map(str::to_owned));
        }
    });
    names
}

/// Puts the user's attributes in: a string becomes a literal, an array an array literal. Each must be there.
pub(in crate::govern) fn fill_attributes(mut expr: Expr, attributes: &BTreeMap<String, Attribute>) -> Expr {
    walk::each(&mut expr, &mut |expr| {
        let Expr::Identifier(ident) = expr else { return };
        let Some(name) = placeholder::attribute(ident) else { return };
        *expr = match attributes.get(name) {
            Some(Attribute::One(text)) => text_literal(text),
            Some(Attribute::Many(texts)) => text_literal(&literal::array(texts)),
            None => Expr::value(Value::Null),
        };
    });
    expr
}

/// A text as a literal, as the parser would have read it.
pub(in crate::govern) fn text_literal(text: &str) -> Expr {
    let quoted = quote_literal(text);
    let inner = quoted.get(1..quoted.len() - 1).unwrap_or_default();
    Expr::value(Value::SingleQuotedString(inner.to_owned()))
}

/// Puts an expression in the place of a quoted name.
pub(in crate::govern) fn put_in(expr: &mut Expr, name: &str, put: &Expr) {
    walk::each(expr, &mut |expr| {
        if matches!(expr, Expr::Identifier(ident) if ident.quote_style.is_some() && ident.value == name) {
            *expr = Expr::Nested(Box::new(put.clone()));
        }
    });
}

/// `(a) AND (b)`.
pub(in crate::govern) fn and(a: Expr, b: Expr) -> Expr {
    binary(a, BinaryOperator::And, b)
}

/// `(a) OR (b)`.
pub(in crate::govern) fn or(a: Expr, b: Expr) -> Expr {
    binary(a, BinaryOperator::Or, b)
}

fn binary(a: Expr, op: BinaryOperator, b: Expr) -> Expr {
    let nested = |expr| match expr {
        nested @ Expr::Nested(_) => Box::new(nested),
        expr => Box::new(Expr::Nested(Box::new(expr))),
    };
    Expr::BinaryOp { left: nested(a), op, right: nested(b) }
}

/// `CASE WHEN condition THEN a ELSE b END`.
pub(in crate::govern) fn either(condition: Expr, a: Expr, b: Expr) -> Expr {
    Expr::Case {
        case_token: ast::helpers::attached_token::AttachedToken::empty(),
        end_token: ast::helpers::attached_token::AttachedToken::empty(),
        operand: None,
        conditions: vec![ast::CaseWhen { condition, result: a }],
        else_result: Some(Box::new(b)),
    }
}

/// Schema and name of each function that an expression calls.
pub(in crate::govern) fn functions_of(expr: &Expr, functions: &mut BTreeSet<(Option<String>, String)>) {
    walk::each(&mut expr.clone(), &mut |expr| {
        let Expr::Function(function) = expr else { return };
        let parts: Vec<String> = function.name.0.iter().filter_map(|part| Some(sql::ident(part.as_ident()?))).collect();
        match parts.as_slice() {
            [name] => functions.insert((None, name.clone())),
            [schema, name] => functions.insert((Some(schema.clone()), name.clone())),
            _ => false,
        };
    });
}
