//! The second opinion: what the first parser saw in a client's text must be all that is there ([`super::conserved`]), and
//! Postgres' own grammar must see the same (crate `pg_query`, feature `second-parser`).

use crate::error::{ClientError, ErrorKind, sqlstate};

use super::conserved::conserved;
use super::deep::with_deep_stack;
use super::lex::lex_as_far_as_possible;
use super::limits::SqlError;
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

impl From<GuardError> for ClientError {
    fn from(error: GuardError) -> Self {
        let (kind, code) = match &error {
            GuardError::TooDeep => (ErrorKind::Limit, sqlstate::STATEMENT_TOO_COMPLEX),
            GuardError::Client(message) => {
                let own = message.strip_prefix("Invalid statement: ").unwrap_or(message);
                return Self::new(ErrorKind::Client, sqlstate::SYNTAX_ERROR, own);
            }
            GuardError::Rendered(_) | GuardError::Disagree | GuardError::Lost => {
                (ErrorKind::Denied, sqlstate::SYNTAX_ERROR)
            }
        };
        // What was printed stays here: it names what the client may not know.
        let message = match error {
            GuardError::TooDeep => "statement is too complex: it nests too deeply",
            _ => "the statement cannot be checked: its parts do not read alike to both parsers",
        };
        Self::new(kind, code, message)
            .with_hint("Write the statement in simpler terms, and report this if it is plain SQL.")
    }
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

/// Demands that the client's text and the print of its unrewritten tree are one and the same statement: word for word, and to
/// Postgres' grammar. Gives the print of its query; kinds without one are agreed upon.
pub fn check(parsed: &Parsed) -> Result<Option<String>, GuardError> {
    let query = match &parsed.statement {
        Statement::Query(query) | Statement::Prepare { query, .. } => query,
        Statement::Explain(explain) => &explain.query,
        Statement::CopyOut(copy) => &copy.query,
        Statement::Declare(declare) => &declare.query,
        Statement::Empty | Statement::Execute { .. } | Statement::Session(_) | Statement::Refused(_) => {
            return Ok(None);
        }
    };
    let text = match (&parsed.statement, &parsed.query_text) {
        (Statement::Query(_), _) => parsed.text.as_str(),
        (_, Some(range)) => parsed.text.get(range.clone()).unwrap_or_default(),
        // `COPY t TO STDOUT`: the query was made here.
        (_, None) => return Ok(None),
    };
    let print = render_query(query);
    agrees(text, &print).map(|()| Some(print))
}

pub(super) fn agrees(client_text: &str, unrewritten_render: &str) -> Result<(), GuardError> {
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

/// A syntax error as Postgres would tell it. The first parser may have given up at another word: it tries one form after the
/// other, and Postgres' grammar points at the first word with which the text cannot go on.
pub fn as_postgres_says(text: &str, error: SqlError) -> SqlError {
    let SqlError::Syntax { position: Some(position), .. } = &error else { return error };
    match second_parser_says(text).and_then(|message| Some((told_place(text, &message, *position)?, message))) {
        Some((place, _)) if place == *position => error,
        Some((place, message)) => SqlError::syntax(message, place),
        None => error,
    }
}

/// The place that a message of Postgres' grammar names; of several words that are alike, the nearest to `near`.
pub fn told_place(text: &str, message: &str, near: usize) -> Option<usize> {
    let (lexemes, _) = lex_as_far_as_possible(text);
    if message == "syntax error at end of input" {
        let last = lexemes.last()?;
        return Some(last.position + text.get(last.start..last.end)?.chars().count());
    }
    let (_, word) = message.strip_suffix('"')?.rsplit_once(" at or near \"")?;
    let same = lexemes.iter().filter(|lexeme| text.get(lexeme.start..lexeme.end) == Some(word));
    same.map(|lexeme| lexeme.position).min_by_key(|place| place.abs_diff(near))
}

#[cfg(feature = "second-parser")]
fn second_parser_says(text: &str) -> Option<String> {
    let question = || pg_query::fingerprint(text, 0, pg_query::FingerprintOptions::FULL_RELNAME);
    let message = with_deep_stack(|| asked(question, GuardError::Client)).err()?.to_string();
    Some(message.strip_prefix("Invalid statement: ").unwrap_or(&message).to_owned())
}

#[cfg(not(feature = "second-parser"))]
fn second_parser_says(_text: &str) -> Option<String> {
    None
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
        if seen.statement_types.iter().any(|kind| kind == "DeclareCursorStmt") {
            return declared(final_sql);
        }
        if seen.statement_types.is_empty() {
            return Ok(Some(GuardSummary::default()));
        }
        // The summary lists each kind of statement once, however many there are. Without a semicolon there is one.
        let statements = if final_sql.contains(';') {
            asked(|| pg_query::is_utility_stmt(final_sql), GuardError::Rendered)?.len()
        } else {
            1
        };
        let schema = |name: &str| (!name.is_empty()).then(|| name.to_owned());
        Ok(Some(GuardSummary {
            statements,
            relations: seen.tables.iter().map(|t| (schema(&t.schema_name), t.table_name.clone())).collect(),
            functions: seen
                .functions
                .iter()
                .map(|f| (f.schema_name.as_deref().and_then(schema), f.function_name.clone()))
                .collect(),
        }))
    })
}

/// The summary of a DECLARE is that of its query: `pg_query` does not look inside.
#[cfg(feature = "second-parser")]
fn declared(text: &str) -> Result<Option<GuardSummary>, GuardError> {
    let parsed =
        super::parse::parse(text, &super::proof::RENDERED).map_err(|error| GuardError::Rendered(error.to_string()))?;
    match parsed.as_slice() {
        [one] if matches!(one.statement, Statement::Declare(_)) => {
            let query = one.query_text.clone().and_then(|range| one.text.get(range)).ok_or(GuardError::Disagree)?;
            summary(query)
        }
        _ => Err(GuardError::Disagree),
    }
}

/// What Postgres' grammar sees in the text that is about to be sent; `None` without the second parser.
#[cfg(not(feature = "second-parser"))]
pub fn summary(_final_sql: &str) -> Result<Option<GuardSummary>, GuardError> {
    Ok(None)
}

#[cfg(test)]
#[cfg(feature = "second-parser")]
mod tests {
    use super::*;

    fn seen(text: &str) -> (usize, String, String) {
        let summary = summary(text).unwrap().unwrap();
        let list = |names: &[(Option<String>, String)]| {
            let mut names: Vec<String> = names
                .iter()
                .map(|(schema, name)| schema.as_ref().map_or_else(|| name.clone(), |schema| format!("{schema}.{name}")))
                .collect();
            names.sort();
            names.join(" ")
        };
        (summary.statements, list(&summary.relations), list(&summary.functions))
    }

    #[test]
    fn the_summary_sees_relations_and_functions_wherever_they_stand() {
        for (text, relations, functions) in [
            ("SELECT a FROM s.t", "s.t", ""),
            ("WITH x AS (SELECT f(1) FROM s.t) SELECT * FROM x", "s.t", "f"),
            ("SELECT (SELECT max(a) FROM u) FROM t JOIN v ON v.a = (SELECT 1 FROM w)", "t u v w", "max"),
            (
                "SELECT 1 FROM t, LATERAL (SELECT 1 FROM u) x, g(1) ORDER BY (SELECT 1 FROM v) LIMIT (SELECT 1 FROM w)",
                "t u v w",
                "g",
            ),
            (
                "SELECT sum(a) FILTER (WHERE h(a)) OVER (ORDER BY i(b)) FROM t GROUP BY k(c) HAVING l(d)",
                "t",
                "h i k l sum",
            ),
            ("SELECT CASE WHEN f(a) THEN ARRAY[g(b)] END, ROW(h(c)), (i(d)).x FROM \"T\"", "T", "f g h i"),
            ("EXPLAIN (FORMAT json) SELECT f(a) FROM s.t", "s.t", "f"),
            ("COPY (SELECT f(a) FROM s.t) TO STDOUT", "s.t", "f"),
            ("DECLARE c CURSOR FOR SELECT f(a) FROM s.t UNION SELECT g(b) FROM u", "s.t u", "f g"),
            ("SELECT a FROM s.t WHERE a IN (SELECT b FROM u WHERE f(b))", "s.t u", "f"),
        ] {
            assert_eq!(seen(text), (1, relations.to_owned(), functions.to_owned()), "{text}");
        }
        assert_eq!(seen("SELECT 1; SELECT 2").0, 2);
        assert_eq!(seen("-- nothing").0, 0);
    }

    #[test]
    fn what_differs_does_not_agree() {
        for (client, print) in [
            ("SELECT a FROM t", "SELECT b FROM t"),
            ("SELECT a FROM t", "SELECT a FROM u"),
            ("SELECT a FROM t1", "SELECT a FROM t2"),
            ("SELECT a FROM s.t", "SELECT a FROM t"),
            ("SELECT a FROM t", "SELECT a FROM t; SELECT 1"),
            ("SELECT a, b FROM t", "SELECT b, a FROM t"),
            ("SELECT a AS x FROM t", "SELECT a AS y FROM t"),
            ("SELECT 'a'", "SELECT 'b'"),
            ("SELECT 1", "SELECT 2"),
            ("SELECT a FROM t x", "SELECT a FROM t y"),
            ("SELECT (a + b) * c", "SELECT a + b * c"),
            ("SELECT a FROM t WHERE b AND c", "SELECT a FROM t WHERE b"),
            ("SELECT \"A\" FROM t", "SELECT a FROM t"),
        ] {
            assert!(agrees(client, print).is_err(), "{client}");
        }
    }
}
