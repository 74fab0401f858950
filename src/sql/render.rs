//! Trees to text.

use sqlparser::ast;

use super::deep::with_deep_stack;
use super::statement::Statement;

/// The statement as it goes upstream. Only for kinds that do: a query, COPY, DECLARE, and EXPLAIN (as FORMAT JSON); every
/// other kind prints as an empty statement.
pub fn render(statement: &Statement) -> String {
    match statement {
        Statement::Query(query) => render_query(query),
        Statement::Explain(explain) => {
            format!("EXPLAIN (COSTS {}, FORMAT JSON) {}", explain.costs, render_query(&explain.query))
        }
        Statement::CopyOut(copy) => format!("COPY ({}) TO STDOUT", render_query(&copy.query)),
        Statement::Declare(declare) => {
            format!("DECLARE \"{}\" CURSOR FOR {}", declare.name, render_query(&declare.query))
        }
        Statement::Prepare { query, .. } => render_query(query),
        Statement::Empty | Statement::Execute { .. } | Statement::Session(_) | Statement::Refused(_) => String::new(),
    }
}

/// A query.
pub fn render_query(query: &ast::Query) -> String {
    with_deep_stack(|| query.to_string())
}

/// An expression.
pub fn render_expr(expr: &ast::Expr) -> String {
    with_deep_stack(|| expr.to_string())
}

/// A type.
pub fn render_type(data_type: &ast::DataType) -> String {
    with_deep_stack(|| data_type.to_string())
}
