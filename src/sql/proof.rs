//! The proof of a print: parsed again it must be the same tree.

use super::deep::with_deep_stack;
use super::limits::TextLimits;
use super::parse::parse;
use super::statement::{Explain, ExplainFormat, Statement};

/// A print that is not the statement that it was printed from.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProofError {
    /// It does not parse.
    #[error("the rendered statement does not parse: {0}")]
    Unparsable(String),
    /// It parses as something else.
    #[error("the rendered statement is not the statement that was checked")]
    Different,
}

/// Rewriting makes a text longer than what a client may send: a masked relation is a derived table.
pub(super) const RENDERED: TextLimits =
    TextLimits { max_bytes: 256 * 1024 * 1024, max_tokens: 4_000_000, max_depth: 2_000 };

/// Parses the print again and demands the tree that it was printed from (spans apart).
pub fn prove(statement: &Statement, rendered: &str) -> Result<(), ProofError> {
    with_deep_stack(|| {
        let again = parse(rendered, &RENDERED).map_err(|error| ProofError::Unparsable(error.to_string()))?;
        match again.as_slice() {
            [one] if same(statement, &one.statement) => Ok(()),
            _ => Err(ProofError::Different),
        }
    })
}

/// Whether what was read again is what was printed: EXPLAIN goes upstream in a format of its own, PREPARE as its query.
fn same(printed: &Statement, again: &Statement) -> bool {
    match (printed, again) {
        (Statement::Explain(printed), Statement::Explain(again)) => {
            let Explain { costs, format: _, query } = printed;
            again.format == ExplainFormat::Json && *costs == again.costs && *query == again.query
        }
        (Statement::Prepare { query: printed, .. }, Statement::Query(again)) => printed == again,
        (Statement::Query(_) | Statement::CopyOut(_) | Statement::Declare(_), again) => printed == again,
        _ => false,
    }
}
