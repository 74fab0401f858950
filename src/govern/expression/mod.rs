//! One SQL expression of a product file: a row filter, or a `sql` mask. It is parsed, checked against allow-lists and written
//! so that its value depends on no setting that a client may change.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;

use crate::catalog::Product;
use crate::config::Attribute;
use crate::names::quote_literal;
use crate::sql::ast::{self, BinaryOperator, Expr, Ident, Value};

use super::facts::RelationFacts;

mod calls;
mod check;
mod kind;
mod literal;
mod placeholder;

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
    Ok(expr)
}

/// One expression, and nothing after it.
pub(in crate::govern) fn parse(text: &str) -> Result<Expr, Fault> {
    let dialect = sqlparser::dialect::PostgreSqlDialect {};
    let options = sqlparser::parser::ParserOptions::new().with_unescape(false);
    let fault = |error: sqlparser::parser::ParserError| {
        let text = error.to_string();
        Fault::new(text.strip_prefix("sql parser error: ").unwrap_or(&text).to_owned())
    };
    let mut parser =
        sqlparser::parser::Parser::new(&dialect).with_options(options).try_with_sql(text).map_err(fault)?;
    let expr = parser.parse_expr().map_err(fault)?;
    match parser.peek_token().token {
        sqlparser::tokenizer::Token::EOF => Ok(expr),
        other => Err(Fault::new(format!("one expression is expected, but \"{other}\" follows it"))),
    }
}

/// The attributes that an expression reads.
pub(in crate::govern) fn attributes_of(expr: &Expr) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    let _ = ast::visit_expressions(expr, |expr| {
        if let Expr::Identifier(ident) = expr {
            names.extend(placeholder::attribute(ident).map(str::to_owned));
        }
        ControlFlow::<()>::Continue(())
    });
    names
}

/// Puts the user's attributes in: a string becomes a literal, an array an array literal. Each must be there.
pub(in crate::govern) fn fill_attributes(mut expr: Expr, attributes: &BTreeMap<String, Attribute>) -> Expr {
    let _ = ast::visit_expressions_mut(&mut expr, |expr| {
        let name = match expr {
            Expr::Identifier(ident) => placeholder::attribute(ident).map(str::to_owned),
            _ => None,
        };
        if let Some(name) = name {
            *expr = match attributes.get(&name) {
                Some(Attribute::One(text)) => text_literal(text),
                Some(Attribute::Many(texts)) => text_literal(&literal::array(texts)),
                None => Expr::value(Value::Null),
            };
        }
        ControlFlow::<()>::Continue(())
    });
    expr
}

/// An identifier that is always quoted. The printer keeps what stands between the quotes, so a quote inside is doubled.
pub(in crate::govern) fn quoted(name: &str) -> Ident {
    Ident::with_quote('"', name.replace('"', "\"\""))
}

/// A text as a literal, as the parser would have read it.
pub(in crate::govern) fn text_literal(text: &str) -> Expr {
    let quoted = quote_literal(text);
    let inner = quoted.get(1..quoted.len() - 1).unwrap_or_default();
    Expr::value(Value::SingleQuotedString(inner.to_owned()))
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

/// Schema and name of each function that a query calls, once each.
pub(in crate::govern) fn functions_of(query: &ast::Query) -> Vec<(Option<String>, String)> {
    let mut functions = BTreeSet::new();
    let _ = ast::visit_expressions(query, |expr| {
        if let Expr::Function(function) = expr {
            let parts: Vec<String> = function.name.0.iter().filter_map(|part| Some(exact(part.as_ident()?))).collect();
            match parts.as_slice() {
                [name] => functions.insert((None, name.clone())),
                [schema, name] => functions.insert((Some(schema.clone()), name.clone())),
                _ => false,
            };
        }
        ControlFlow::<()>::Continue(())
    });
    functions.into_iter().collect()
}

/// The exact name of an identifier.
pub(in crate::govern) fn exact(ident: &Ident) -> String {
    crate::names::fold_identifier(&ident.value.replace("\"\"", "\""), ident.quote_style.is_some())
}

#[cfg(test)]
mod tests;
