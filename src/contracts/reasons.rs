//! Why a check could not run, in sentences of pgveil's own: a message of the warehouse may quote a value.

use std::time::Duration;

use crate::error::SqlState;

use super::texts::span;

/// Why a statement gave no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Failure {
    /// The warehouse refused it, or gave it up.
    Refused(SqlState),
    /// The connection was lost, or did not answer.
    Lost,
}

impl Failure {
    pub(super) fn of(error: &tokio_postgres::Error) -> Self {
        match error.code().and_then(|code| SqlState::from_bytes(code.code().as_bytes())) {
            Some(state) => Self::Refused(state),
            None => Self::Lost,
        }
    }

    /// Whether nothing more will be heard on this connection.
    pub(super) fn is_lost(self) -> bool {
        match self {
            Self::Lost => true,
            Self::Refused(state) => state.as_str().starts_with("57P") || state.as_str().starts_with("08"),
        }
    }

    /// Whether the time was over: asking in pieces would take longer still.
    pub(super) fn is_timeout(self) -> bool {
        matches!(self, Self::Refused(state) if matches!(state.as_str(), "57014" | "55P03"))
    }

    /// The sentence. `limit` is what the statement was given.
    pub(super) fn reason(self, limit: Duration) -> String {
        let state = match self {
            Self::Lost => return "the connection to the warehouse was lost".to_owned(),
            Self::Refused(state) => state,
        };
        let said = match state.as_str() {
            "57014" => return format!("it took longer than {} ([contracts] timeout)", span(limit.as_secs_f64())),
            "42501" => {
                "the warehouse's account may not read what it needs; pgveil check --warehouse --grants prints the GRANT"
            }
            "42P01" | "3F000" => "the relation, or one that it reads, does not exist",
            "42703" => "a column does not exist",
            "42883" | "42725" => "the column's type cannot be compared so",
            "22P02" | "22007" | "22008" | "22003" | "42846" | "42804" => {
                "a value or bound cannot be read as the type that it is compared with"
            }
            "22012" => "a division by zero",
            "55P03" => "the relation was locked for too long",
            "25006" => "it would have written",
            state if state.starts_with("53") => "the warehouse is out of memory, disk or connections",
            state if state.starts_with("57P") || state.starts_with("08") => "the warehouse ended the connection",
            state if state.starts_with("40") => "it collided with a change of the relation",
            state if state.starts_with("42") => "the warehouse does not accept it",
            state if state.starts_with("22") => "a value could not be computed",
            _ => "the warehouse could not answer",
        };
        format!("{said} (SQLSTATE {state})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_state_has_a_sentence_of_its_own() {
        let limit = Duration::from_secs(60);
        for (state, said) in [
            ("57014", "longer than 1 min"),
            ("42501", "GRANT"),
            ("22012", "division by zero (SQLSTATE 22012)"),
            ("53200", "out of memory"),
            ("XX000", "could not answer"),
        ] {
            let failure = Failure::Refused(SqlState::from_bytes(state.as_bytes()).unwrap());
            assert!(failure.reason(limit).contains(said), "{state}: {}", failure.reason(limit));
            assert_eq!(failure.is_timeout(), state == "57014");
            assert!(!failure.is_lost());
        }
        assert!(Failure::Lost.is_lost());
        assert!(Failure::Refused(SqlState::new("57P01")).is_lost());
    }
}
