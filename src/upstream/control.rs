//! The control plane's own statements: typed constants, the only SQL besides permits that goes upstream on a lease.

use crate::names::quote_identifier;
use crate::sql::statement::{FetchDirection, Isolation};

/// A statement of pgveil's own. Names are quoted here; there is no way to put text of a client into one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Control {
    /// BEGIN, always READ ONLY.
    Begin { isolation: Option<Isolation>, deferrable: Option<bool> },
    /// COMMIT
    Commit { chain: bool },
    /// ROLLBACK
    Rollback { chain: bool },
    /// SAVEPOINT
    Savepoint(String),
    /// RELEASE SAVEPOINT
    Release(String),
    /// ROLLBACK TO SAVEPOINT
    RollbackTo(String),
    /// SET TRANSACTION of what is named, with READ ONLY.
    SetTransaction { isolation: Option<Isolation>, deferrable: Option<bool> },
    /// FETCH, or MOVE with `moving`.
    Fetch { moving: bool, cursor: String, direction: FetchDirection },
    /// CLOSE; `None`: ALL
    CloseCursor(Option<String>),
    /// An empty statement: answers EmptyQueryResponse.
    Ping,
}

/// Fails inside a transaction and so aborts it: no savepoint has a name that begins so. What the warehouse logs explains itself.
pub(super) const FAIL_TRANSACTION: &str = "ROLLBACK TO SAVEPOINT \"pgveil denied a statement of this transaction\"";

impl Control {
    /// The statement as it is sent.
    pub fn to_sql(&self) -> String {
        match self {
            Self::Begin { isolation, deferrable } => format!("BEGIN{}", modes(*isolation, *deferrable)),
            Self::Commit { chain } => format!("COMMIT{}", chained(*chain)),
            Self::Rollback { chain } => format!("ROLLBACK{}", chained(*chain)),
            Self::Savepoint(name) => format!("SAVEPOINT {}", quote_identifier(name)),
            Self::Release(name) => format!("RELEASE SAVEPOINT {}", quote_identifier(name)),
            Self::RollbackTo(name) => format!("ROLLBACK TO SAVEPOINT {}", quote_identifier(name)),
            Self::SetTransaction { isolation, deferrable } => {
                format!("SET TRANSACTION{}", modes(*isolation, *deferrable))
            }
            Self::Fetch { moving, cursor, direction } => {
                let verb = if *moving { "MOVE" } else { "FETCH" };
                format!("{verb} {} FROM {}", direction_sql(*direction), quote_identifier(cursor))
            }
            Self::CloseCursor(Some(name)) => format!("CLOSE {}", quote_identifier(name)),
            Self::CloseCursor(None) => "CLOSE ALL".to_owned(),
            Self::Ping => String::new(),
        }
    }
}

fn modes(isolation: Option<Isolation>, deferrable: Option<bool>) -> String {
    let mut sql = String::new();
    if let Some(isolation) = isolation {
        sql.push_str(" ISOLATION LEVEL ");
        sql.push_str(match isolation {
            Isolation::ReadUncommitted => "READ UNCOMMITTED",
            Isolation::ReadCommitted => "READ COMMITTED",
            Isolation::RepeatableRead => "REPEATABLE READ",
            Isolation::Serializable => "SERIALIZABLE",
        });
        sql.push(',');
    }
    sql.push_str(" READ ONLY");
    match deferrable {
        Some(true) => sql.push_str(", DEFERRABLE"),
        Some(false) => sql.push_str(", NOT DEFERRABLE"),
        None => {}
    }
    sql
}

/// A chained transaction keeps the characteristics of the one before it, READ ONLY among them.
fn chained(chain: bool) -> &'static str {
    if chain { " AND CHAIN" } else { "" }
}

fn direction_sql(direction: FetchDirection) -> String {
    match direction {
        FetchDirection::Forward(n) => format!("FORWARD {n}"),
        FetchDirection::ForwardAll => "FORWARD ALL".to_owned(),
        FetchDirection::Backward(n) => format!("BACKWARD {n}"),
        FetchDirection::BackwardAll => "BACKWARD ALL".to_owned(),
        FetchDirection::Absolute(n) => format!("ABSOLUTE {n}"),
        FetchDirection::Relative(n) => format!("RELATIVE {n}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn begin_is_always_read_only() {
        let begin = Control::Begin { isolation: Some(Isolation::Serializable), deferrable: Some(true) };
        assert_eq!(begin.to_sql(), "BEGIN ISOLATION LEVEL SERIALIZABLE, READ ONLY, DEFERRABLE");
        assert_eq!(Control::Begin { isolation: None, deferrable: None }.to_sql(), "BEGIN READ ONLY");
    }

    #[test]
    fn names_cannot_leave_their_quotes() {
        let sql = Control::Savepoint("a\"; DROP TABLE x; --".to_owned()).to_sql();
        assert_eq!(sql, "SAVEPOINT \"a\"\"; DROP TABLE x; --\"");
    }
}
