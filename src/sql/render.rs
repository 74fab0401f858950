//! Trees to text.
//!
//! sqlparser's `Display` re-quotes literals and identifiers by guessing whether they are escaped already, which on decoded
//! text can be made to print code. Here it never guesses: the tree holds quoted text verbatim, every quote doubled, and such
//! text it prints as it stands (see [`super::tokens`]); prefix operators whose operand begins with an operator stand in
//! parentheses in the tree (see [`super::dialect`]). Marked clauses are put in their places (see [`super::marks`]). What is printed is proven anyway, by [`super::prove`].

use sqlparser::ast;

use crate::names::{quote_identifier, quote_literal};

use super::deep::with_deep_stack;
use super::marks::placed;
use super::statement::{CopyFormat, CopyOptions, Declare, ForceQuote, Statement};

/// The statement as it goes upstream. Only for kinds that do: a query (of PREPARE too), COPY, DECLARE, and EXPLAIN (as FORMAT
/// JSON); every other kind prints as an empty text.
pub fn render(statement: &Statement) -> String {
    match statement {
        Statement::Query(query) | Statement::Prepare { query, .. } => render_query(query),
        Statement::Explain(explain) => {
            let costs = if explain.costs { "on" } else { "off" };
            format!("EXPLAIN (COSTS {costs}, FORMAT json) {}", render_query(&explain.query))
        }
        Statement::CopyOut(copy) => {
            format!("COPY ({}) TO STDOUT{}", render_query(&copy.query), copy_options(&copy.options))
        }
        Statement::Declare(declare) => render_declare(declare),
        Statement::Empty | Statement::Execute { .. } | Statement::Session(_) | Statement::Refused(_) => String::new(),
    }
}

/// A query.
pub fn render_query(query: &ast::Query) -> String {
    with_deep_stack(|| placed(query.to_string()))
}

/// An expression.
pub fn render_expr(expr: &ast::Expr) -> String {
    with_deep_stack(|| placed(expr.to_string()))
}

/// A type.
pub fn render_type(data_type: &ast::DataType) -> String {
    with_deep_stack(|| data_type.to_string())
}

fn copy_options(options: &CopyOptions) -> String {
    let CopyOptions { format, delimiter, null, header, quote, escape, force_quote } = options;
    let mut written = Vec::new();
    match format {
        CopyFormat::Text => {}
        CopyFormat::Csv => written.push("FORMAT csv".to_owned()),
        CopyFormat::Binary => written.push("FORMAT binary".to_owned()),
    }
    if *header {
        written.push("HEADER true".to_owned());
    }
    for (name, value) in [("DELIMITER", delimiter), ("NULL", null), ("QUOTE", quote), ("ESCAPE", escape)] {
        if let Some(value) = value {
            written.push(format!("{name} {}", quote_literal(value)));
        }
    }
    match force_quote {
        None => {}
        Some(ForceQuote::All) => written.push("FORCE_QUOTE *".to_owned()),
        Some(ForceQuote::Columns(columns)) => {
            let columns: Vec<String> = columns.iter().map(|column| quote_identifier(column)).collect();
            written.push(format!("FORCE_QUOTE ({})", columns.join(", ")));
        }
    }
    if written.is_empty() { String::new() } else { format!(" WITH ({})", written.join(", ")) }
}

fn render_declare(declare: &Declare) -> String {
    let Declare { name, binary, insensitive, scroll, hold, query } = declare;
    let mut text = format!("DECLARE {}", quote_identifier(name));
    if *binary {
        text.push_str(" BINARY");
    }
    text.push_str(match insensitive {
        None => "",
        Some(true) => " INSENSITIVE",
        Some(false) => " ASENSITIVE",
    });
    text.push_str(match scroll {
        None => "",
        Some(true) => " SCROLL",
        Some(false) => " NO SCROLL",
    });
    text.push_str(if *hold { " CURSOR WITH HOLD FOR " } else { " CURSOR FOR " });
    text.push_str(&render_query(query));
    text
}
