//! The proof of a print: parsed again it must be the same tree.

use super::deep::with_deep_stack;
use super::limits::TextLimits;
use super::parse::parse;
use super::statement::Statement;

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

/// Parses the print again and demands the tree that it was printed from.
pub fn prove(statement: &Statement, rendered: &str) -> Result<(), ProofError> {
    with_deep_stack(|| {
        let again = parse(rendered, &TextLimits { max_bytes: usize::MAX, ..TextLimits::default() })
            .map_err(|error| ProofError::Unparsable(error.to_string()))?;
        match again.as_slice() {
            [one] if one.statement == *statement => Ok(()),
            _ => Err(ProofError::Different),
        }
    })
}
