//! The second opinion: what the first parser saw in a client's text must be all that is there ([`super::conserved`]), and
//! Postgres' own grammar must see the same (crate `pg_query`, feature `second-parser`).

use super::conserved::conserved;
use super::deep::with_deep_stack;
use super::render::render_query;
use super::statement::{Parsed, Statement};

/// Why a text is not to be trusted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GuardError {
    /// Postgres' grammar does not take the client's text: its own words.
    #[error("{0}")]
    Client(String),
    /// Postgres' grammar does not take what was printed.
    #[error("Postgres' grammar does not accept the rendered statement: {0}")]
    Rendered(String),
    /// The two mean different things.
    #[error("the two parsers do not agree on the statement")]
    Disagree,
    /// Postgres' grammar gives up on how deep it nests.
    #[error("the statement nests too deeply for Postgres' grammar")]
    TooDeep,
    /// Part of the client's text is not in the tree.
    #[error("the statement cannot be reproduced faithfully")]
    Lost,
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

/// [`agrees`] for a statement as it was parsed, before anything in it is rewritten. Kinds without a query are agreed upon.
pub fn check(parsed: &Parsed) -> Result<(), GuardError> {
    let query = match &parsed.statement {
        Statement::Query(query) | Statement::Prepare { query, .. } => query,
        Statement::Explain(explain) => &explain.query,
        Statement::CopyOut(copy) => &copy.query,
        Statement::Declare(declare) => &declare.query,
        Statement::Empty | Statement::Execute { .. } | Statement::Session(_) | Statement::Refused(_) => return Ok(()),
    };
    let text = match (&parsed.statement, &parsed.query_text) {
        (Statement::Query(_), _) => parsed.text.as_str(),
        (_, Some(range)) => parsed.text.get(range.clone()).unwrap_or_default(),
        // `COPY t TO STDOUT`: the query was made here.
        (_, None) => return Ok(()),
    };
    agrees(text, &render_query(query))
}

/// Demands that the client's text and the print of its unrewritten tree are one and the same statement: word for word, and to
/// Postgres' grammar.
pub fn agrees(client_text: &str, unrewritten_render: &str) -> Result<(), GuardError> {
    with_deep_stack(|| {
        second_parser_agrees(client_text, unrewritten_render)?;
        if conserved(client_text, unrewritten_render) { Ok(()) } else { Err(GuardError::Lost) }
    })
}

#[cfg(feature = "second-parser")]
fn second_parser_agrees(client_text: &str, unrewritten_render: &str) -> Result<(), GuardError> {
    use pg_query::FingerprintOptions;
    // Without these an alias stands for its relation, schemas do not count, and neither do digits in names.
    let options = FingerprintOptions::RANGEVAR_PG17_COMPAT | FingerprintOptions::FULL_RELNAME;
    let print = |text: &str| pg_query::fingerprint(text, 0, options).map(|fingerprint| fingerprint.value);
    let client = asked(|| print(client_text), GuardError::Client)?;
    let rendered = asked(|| print(unrewritten_render), GuardError::Rendered)?;
    if client == rendered { Ok(()) } else { Err(GuardError::Disagree) }
}

/// Asks Postgres' code. It measures how much of its thread's own stack is left, which says nothing about the grown stack that
/// this runs on; what it takes for too deep is asked again on a thread of its own.
#[cfg(feature = "second-parser")]
fn asked<T: Send>(
    question: impl Fn() -> Result<T, pg_query::Error> + Sync,
    refused: impl Fn(String) -> GuardError,
) -> Result<T, GuardError> {
    const STACK: usize = 16 * 1024 * 1024;
    let too_deep = |answer: &Result<T, pg_query::Error>| {
        answer.as_ref().is_err_and(|error| error.to_string().contains("stack depth limit exceeded"))
    };
    let mut answer = question();
    if too_deep(&answer) {
        answer = std::thread::scope(|scope| {
            let thread = std::thread::Builder::new().stack_size(STACK).spawn_scoped(scope, &question);
            match thread.map(std::thread::ScopedJoinHandle::join) {
                Ok(Ok(answer)) => answer,
                Ok(Err(_)) | Err(_) => Err(pg_query::Error::Parse("stack depth limit exceeded".to_owned())),
            }
        });
    }
    if too_deep(&answer) {
        return Err(GuardError::TooDeep);
    }
    answer.map_err(|error| refused(error.to_string()))
}

#[cfg(not(feature = "second-parser"))]
fn second_parser_agrees(_client_text: &str, _unrewritten_render: &str) -> Result<(), GuardError> {
    Ok(())
}

/// What Postgres' grammar sees in the text that is about to be sent; `None` without the second parser.
#[cfg(feature = "second-parser")]
pub fn summary(final_sql: &str) -> Result<Option<GuardSummary>, GuardError> {
    with_deep_stack(|| {
        let seen = asked(|| pg_query::summary(final_sql, 0, -1), GuardError::Rendered)?;
        let schema = |name: &str| (!name.is_empty()).then(|| name.to_owned());
        Ok(Some(GuardSummary {
            statements: seen.statement_types.len(),
            relations: seen.tables.iter().map(|t| (schema(&t.schema_name), t.table_name.clone())).collect(),
            functions: seen
                .functions
                .iter()
                .map(|f| (f.schema_name.as_deref().and_then(schema), f.function_name.clone()))
                .collect(),
        }))
    })
}

/// What Postgres' grammar sees in the text that is about to be sent; `None` without the second parser.
#[cfg(not(feature = "second-parser"))]
pub fn summary(_final_sql: &str) -> Result<Option<GuardSummary>, GuardError> {
    Ok(None)
}
