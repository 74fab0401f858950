//! Which functions a statement may call: an allow-list over `pg_catalog`, with a reason for each that is refused.
//!
//! The classification stands in `pg_catalog.txt`, one function a word: those of PostgreSQL 13 to 18. A test compares it
//! with a real server.

mod bound;
mod table;

pub use bound::Bound;
pub use table::{Entry, Rule, Versions, Volatility, entries, entry, is_grammar};

use super::refusal::Refusal;
use super::snapshot::Snapshot;

/// What pgveil answers by itself instead of the warehouse. The engine folds it into the statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Answer {
    /// `current_user`, `session_user`, `user`, `current_role`: pgveil's user, of type name.
    CurrentUser,
    /// `current_database()`, `current_catalog`: the database that the client connected to, of type name.
    CurrentDatabase,
    /// `current_schema()`: the first schema of the search path, of type name.
    CurrentSchema,
    /// `current_schemas(bool)`: the search path, of type name[].
    CurrentSchemas,
    /// `version()`, of type text.
    Version,
    /// `pg_backend_pid()`: pgveil's own process number of the session, of type int4.
    BackendPid,
    /// `current_setting(name [, missing_ok])`, of type text: the session's value of a setting on the list, never the warehouse's.
    CurrentSetting,
    /// `pg_is_in_recovery()`: false.
    InRecovery,
    /// `pg_client_encoding()`: `UTF8`, of type name.
    ClientEncoding,
    /// NULL of the named type: where Postgres gives NULL too when it knows nothing.
    Null(&'static str),
    /// `pg_cancel_backend(pid)`: only as a statement of its own, for the user's own sessions, of type bool.
    CancelBackend,
    /// `pg_terminate_backend(pid [, timeout])`: likewise.
    TerminateBackend,
}

/// What the rules say of a function.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FunctionRule {
    /// It may be called; it is written qualified with `pg_catalog` (or with its own schema, when the policy allows that).
    Allowed,
    /// It may be called, and is grammar: it is never written with a schema (`coalesce`, `greatest`, …).
    Grammar,
    /// It may be called with bounded arguments: [`Bound::apply`] checks or wraps them.
    Bounded(Bound),
    /// It may be called, and its result is cast to text: the result's own type (`regtype`) would look up in the warehouse's
    /// catalogs every literal that is compared or united with it.
    AsText,
    /// pgveil answers.
    Answered(Answer),
    /// It may not be called: the word for the audit record, and what to use instead.
    Refused {
        /// Why, as part of a sentence: `it reads files of the server`.
        reason: &'static str,
        /// What to use instead.
        hint: Option<String>,
    },
}

/// What the rules say of the function of this exact (folded) name. Without a schema it is looked for in `pg_catalog` alone.
pub fn lookup(schema: Option<&str>, name: &str, snapshot: &Snapshot) -> FunctionRule {
    match schema {
        None => in_pg_catalog(name, false),
        Some("pg_catalog") => in_pg_catalog(name, true),
        // Its body is an expression over its argument.
        Some("information_schema") if name == "_pg_expandarray" => FunctionRule::Allowed,
        Some(schema) => {
            let written = format!("{schema}.{name}");
            if snapshot.allowed_functions().contains(&written) {
                FunctionRule::Allowed
            } else {
                FunctionRule::Refused {
                    reason: "policy does not allow it",
                    hint: Some(format!(
                        "Functions outside pg_catalog are listed in policy.toml under [functions] allow; ask for \"{written}\" there."
                    )),
                }
            }
        }
    }
}

fn in_pg_catalog(name: &str, qualified: bool) -> FunctionRule {
    if is_grammar(name) {
        return if qualified {
            FunctionRule::Refused {
                reason: "it is part of the grammar and lies in no schema",
                hint: Some(format!("Write {name} without a schema.")),
            }
        } else {
            FunctionRule::Grammar
        };
    }
    match entry(name) {
        None => FunctionRule::Refused { reason: "it is not on the list of known functions", hint: nearest(name) },
        Some(entry) => match entry.rule {
            Rule::Allowed => FunctionRule::Allowed,
            Rule::Bounded(bound) => FunctionRule::Bounded(bound),
            Rule::AsText => FunctionRule::AsText,
            Rule::Answered(answer) => FunctionRule::Answered(answer),
            Rule::Refused { reason, hint } => FunctionRule::Refused { reason, hint: hint.map(str::to_owned) },
        },
    }
}

/// Whether PostgreSQL has a function of this name, allowed or not, or its grammar does.
pub fn is_known(name: &str) -> bool {
    is_grammar(name) || entry(name).is_some()
}

/// The refusal that a client sees.
pub fn refusal(schema: Option<&str>, name: &str, reason: &str, hint: Option<String>) -> Refusal {
    let shown = schema.map_or_else(|| name.to_owned(), |schema| format!("{schema}.{name}"));
    let refusal = Refusal::new("function", format!("function {shown} is not allowed: {reason}"));
    match hint {
        Some(hint) => refusal.with_hint(hint),
        None => refusal,
    }
}

/// The allowed function with the most similar name.
fn nearest(name: &str) -> Option<String> {
    entries()
        .filter(|entry| !matches!(entry.rule, Rule::Refused { .. }))
        .map(|entry| (strsim::damerau_levenshtein(name, entry.name), entry.name))
        .min()
        .filter(|(distance, _)| *distance <= name.len().div_ceil(4))
        .map(|(_, near)| format!("Perhaps you meant {near}."))
}

#[cfg(test)]
mod tests;
