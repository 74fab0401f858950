//! The second parser: Postgres' own grammar must see in a text what the first one saw.

#[cfg(feature = "second-parser")]
use pg_query::FingerprintOptions;

/// Why a text is not to be trusted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GuardError {
    /// Postgres' grammar does not take the client's text.
    #[error("Postgres' grammar does not accept the statement: {0}")]
    Client(String),
    /// Postgres' grammar does not take what was printed.
    #[error("Postgres' grammar does not accept the rendered statement: {0}")]
    Rendered(String),
    /// The two mean different things.
    #[error("the two parsers do not agree on the statement")]
    Disagree,
}

/// What Postgres' grammar sees in a text. Names are exact.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GuardSummary {
    /// How many statements.
    pub statements: usize,
    /// Schema and name of every relation that is read, CTEs left out.
    pub relations: Vec<(Option<String>, String)>,
    /// Schema and name of every function that is called.
    pub functions: Vec<(Option<String>, String)>,
}

/// Demands that the client's text and the print of its unrewritten tree are one and the same statement to Postgres' grammar.
#[cfg(feature = "second-parser")]
pub fn agrees(client_text: &str, unrewritten_render: &str) -> Result<(), GuardError> {
    let options = FingerprintOptions::FULL_RELNAME;
    let client = pg_query::fingerprint(client_text, 0, options).map_err(|e| GuardError::Client(e.to_string()))?;
    let render =
        pg_query::fingerprint(unrewritten_render, 0, options).map_err(|e| GuardError::Rendered(e.to_string()))?;
    if client.value == render.value { Ok(()) } else { Err(GuardError::Disagree) }
}

/// Without the second parser there is nobody to ask.
#[cfg(not(feature = "second-parser"))]
pub fn agrees(_client_text: &str, _unrewritten_render: &str) -> Result<(), GuardError> {
    Ok(())
}

/// What Postgres' grammar sees in the text that is about to be sent; `None` without the second parser.
pub fn summary(_final_sql: &str) -> Result<Option<GuardSummary>, GuardError> {
    Ok(None)
}
