//! The proof of a print: parsed again it must be the same tree.

use super::deep::with_deep_stack;
use super::lex::lex;
use super::limits::{SqlError, TextLimits};
use super::parse::parse_lexemes;
use super::redact::redact_lexemes;
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

/// What is known of a print that was proven.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proven {
    /// The print without its literals, for logs.
    pub redacted: String,
}

/// Parses the print again and demands the tree that it was printed from (spans apart).
pub fn prove(statement: &Statement, rendered: &str) -> Result<Proven, ProofError> {
    let unparsable = |error: SqlError| ProofError::Unparsable(error.to_string());
    with_deep_stack(|| {
        let lexemes = lex(rendered, &RENDERED).map_err(unparsable)?;
        let again = parse_lexemes(rendered, &lexemes, &RENDERED).map_err(unparsable)?;
        match again.as_slice() {
            [one] if same(statement, &one.statement) => Ok(Proven { redacted: redact_lexemes(rendered, &lexemes) }),
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
