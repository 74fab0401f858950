//! The transaction that a client is in, and where the warehouse stands with it. No I/O.
//!
//! BEGIN is not sent at once but together with the first statement that needs the warehouse: a transaction that only sets
//! and shows, or that idles before its first statement, holds no connection, and BEGIN costs no round trip.

use crate::error::{ClientError, ErrorKind, Notice, sqlstate};
use crate::sql::statement::{Isolation, SessionStatement, TransactionModes};
use crate::upstream::Control;
use crate::wire::TransactionStatus;

/// How far the warehouse knows of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Standing {
    /// There is no transaction.
    #[default]
    None,
    /// BEGIN goes with the first statement.
    Unsent,
    /// The warehouse is in it.
    Sent,
    /// It has failed before the warehouse knew of it, or the connection was lost: only its end is left.
    Lost,
}

/// See the module.
#[derive(Clone, Debug, Default)]
pub(super) struct Transaction {
    status: TransactionStatus,
    standing: Standing,
    modes: TransactionModes,
}

/// What a transaction statement comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// pgveil answers it.
    Answer { tag: &'static str, warning: Option<Notice>, change: Change },
    /// The warehouse answers it.
    Send { control: Control, change: Change },
    /// It is an error.
    Refuse(ClientError),
}

/// What it does to the transaction and to settings, once it has succeeded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Change {
    None,
    Begin(TransactionModes),
    Modes(TransactionModes),
    /// COMMIT of a failed transaction is a rollback.
    End {
        commit: bool,
        chain: bool,
    },
    Savepoint(String),
    Release(String),
    RollbackTo(String),
}

impl Transaction {
    /// What ReadyForQuery says.
    pub(super) fn status(&self) -> TransactionStatus {
        self.status
    }
    /// Everything but its end is 25P02.
    pub(super) fn has_failed(&self) -> bool {
        self.status == TransactionStatus::Failed
    }
    /// A transaction is open.
    pub(super) fn is_open(&self) -> bool {
        self.status != TransactionStatus::Idle
    }
    /// The warehouse is in it.
    pub(super) fn is_sent(&self) -> bool {
        self.standing == Standing::Sent
    }
    /// The modes in force, for SHOW.
    pub(super) fn modes(&self) -> TransactionModes {
        self.modes
    }

    /// The BEGIN that has to go before the next statement; from now on the warehouse is in the transaction.
    pub(super) fn send_begin(&mut self) -> Option<Control> {
        if self.standing != Standing::Unsent || self.has_failed() {
            return None;
        }
        self.standing = Standing::Sent;
        Some(Control::Begin { isolation: self.modes.isolation, deferrable: self.modes.deferrable })
    }

    /// The warehouse has said where it stands.
    pub(super) fn heard(&mut self, status: TransactionStatus) {
        match (self.standing, status) {
            (Standing::Sent, TransactionStatus::Idle) => *self = Self::default(),
            (Standing::Sent, status) => self.status = status,
            // What was answered came before BEGIN.
            (Standing::None | Standing::Unsent | Standing::Lost, _) => {}
        }
    }

    /// The transaction has failed without the warehouse: there it has not begun, or its connection is gone.
    pub(super) fn fail_alone(&mut self) {
        if self.is_open() {
            self.status = TransactionStatus::Failed;
            self.standing = Standing::Lost;
        }
    }

    /// What a transaction statement comes to now. `None`: it is no transaction statement.
    pub(super) fn step(&self, statement: &SessionStatement) -> Option<Step> {
        Some(match statement {
            SessionStatement::Begin(modes) => self.begin(*modes, "BEGIN"),
            SessionStatement::StartTransaction(modes) => self.begin(*modes, "START TRANSACTION"),
            SessionStatement::Commit { chain } => self.end(true, *chain),
            SessionStatement::Rollback { chain } => self.end(false, *chain),
            SessionStatement::Savepoint(name) => {
                let change = Change::Savepoint(name.clone());
                self.inside("SAVEPOINT", Control::Savepoint(name.clone()), change)
            }
            SessionStatement::Release(name) => {
                let change = Change::Release(name.clone());
                self.inside("RELEASE SAVEPOINT", Control::Release(name.clone()), change)
            }
            SessionStatement::RollbackTo(name) => self.rollback_to(name),
            SessionStatement::SetTransaction(modes) => self.set_modes(*modes),
            SessionStatement::SetCharacteristics(_)
            | SessionStatement::Set { .. }
            | SessionStatement::Reset { .. }
            | SessionStatement::ResetAll
            | SessionStatement::ResetAuthorization
            | SessionStatement::Show(_)
            | SessionStatement::ShowAll
            | SessionStatement::Discard(_)
            | SessionStatement::Deallocate(_)
            | SessionStatement::Fetch { .. }
            | SessionStatement::Close(_)
            | SessionStatement::Unlisten => return None,
        })
    }

    fn begin(&self, modes: TransactionModes, tag: &'static str) -> Step {
        match self.status {
            TransactionStatus::Idle => answer(tag, None, Change::Begin(modes)),
            TransactionStatus::InTransaction => {
                let warning = warning(sqlstate::ACTIVE_SQL_TRANSACTION, "there is already a transaction in progress");
                // Postgres lets BEGIN change the modes of the transaction that is open, as SET TRANSACTION does.
                match self.set_modes(modes) {
                    Step::Answer { change, .. } if modes != TransactionModes::default() => {
                        answer(tag, Some(warning), change)
                    }
                    _ => answer(tag, Some(warning), Change::None),
                }
            }
            TransactionStatus::Failed => Step::Refuse(aborted()),
        }
    }

    fn end(&self, commit: bool, chain: bool) -> Step {
        let verb = if commit { "COMMIT" } else { "ROLLBACK" };
        let succeeds = commit && !self.has_failed();
        match self.standing {
            Standing::None if chain => outside(&format!("{verb} AND CHAIN")),
            Standing::None => {
                let warning = warning(sqlstate::NO_ACTIVE_SQL_TRANSACTION, "there is no transaction in progress");
                answer(verb, Some(warning), Change::End { commit, chain: false })
            }
            Standing::Unsent | Standing::Lost => {
                answer(if succeeds { "COMMIT" } else { "ROLLBACK" }, None, Change::End { commit: succeeds, chain })
            }
            Standing::Sent => {
                let control = if commit { Control::Commit { chain } } else { Control::Rollback { chain } };
                Step::Send { control, change: Change::End { commit: succeeds, chain } }
            }
        }
    }

    fn inside(&self, what: &str, control: Control, change: Change) -> Step {
        match self.status {
            TransactionStatus::Idle => outside(what),
            TransactionStatus::InTransaction => Step::Send { control, change },
            TransactionStatus::Failed => Step::Refuse(aborted()),
        }
    }

    fn rollback_to(&self, name: &str) -> Step {
        match (self.status, self.standing) {
            (TransactionStatus::Idle, _) => outside("ROLLBACK TO SAVEPOINT"),
            (TransactionStatus::Failed, Standing::None | Standing::Unsent | Standing::Lost) => {
                Step::Refuse(ClientError::new(
                    ErrorKind::Client,
                    sqlstate::INVALID_SAVEPOINT_SPECIFICATION,
                    format!("savepoint \"{name}\" does not exist"),
                ))
            }
            _ => Step::Send {
                control: Control::RollbackTo(name.to_owned()),
                change: Change::RollbackTo(name.to_owned()),
            },
        }
    }

    fn set_modes(&self, modes: TransactionModes) -> Step {
        match (self.status, self.standing) {
            (TransactionStatus::Failed, _) => Step::Refuse(aborted()),
            (TransactionStatus::Idle, _) => {
                let text = "SET TRANSACTION can only be used in transaction blocks";
                answer("SET", Some(warning(sqlstate::NO_ACTIVE_SQL_TRANSACTION, text)), Change::None)
            }
            (TransactionStatus::InTransaction, Standing::Sent)
                if modes.isolation.is_some() || modes.deferrable.is_some() =>
            {
                let control = Control::SetTransaction { isolation: modes.isolation, deferrable: modes.deferrable };
                Step::Send { control, change: Change::Modes(modes) }
            }
            (TransactionStatus::InTransaction, _) => answer("SET", None, Change::Modes(modes)),
        }
    }

    /// What a statement did that has succeeded.
    pub(super) fn apply(&mut self, change: &Change) {
        match change {
            Change::Begin(modes) => {
                *self = Self { status: TransactionStatus::InTransaction, standing: Standing::Unsent, modes: *modes };
            }
            Change::Modes(modes) => {
                self.modes.isolation = modes.isolation.or(self.modes.isolation);
                self.modes.read_only = modes.read_only.or(self.modes.read_only);
                self.modes.deferrable = modes.deferrable.or(self.modes.deferrable);
            }
            Change::End { chain: true, .. } => {
                let standing = if self.standing == Standing::Sent { Standing::Sent } else { Standing::Unsent };
                *self = Self { status: TransactionStatus::InTransaction, standing, modes: self.modes };
            }
            Change::End { chain: false, .. } => *self = Self::default(),
            Change::RollbackTo(_) => self.status = TransactionStatus::InTransaction,
            Change::None | Change::Savepoint(_) | Change::Release(_) => {}
        }
    }
}

fn answer(tag: &'static str, warning: Option<Notice>, change: Change) -> Step {
    Step::Answer { tag, warning, change }
}

fn warning(sqlstate: crate::error::SqlState, message: &str) -> Notice {
    Notice { sqlstate, ..Notice::new(message) }
}

fn outside(what: &str) -> Step {
    Step::Refuse(ClientError::new(
        ErrorKind::Client,
        sqlstate::NO_ACTIVE_SQL_TRANSACTION,
        format!("{what} can only be used in transaction blocks"),
    ))
}

/// 25P02
pub(super) fn aborted() -> ClientError {
    ClientError::new(
        ErrorKind::Client,
        sqlstate::IN_FAILED_SQL_TRANSACTION,
        "current transaction is aborted, commands ignored until end of transaction block",
    )
}

/// An isolation level as SHOW gives it.
pub(super) fn isolation_text(isolation: Isolation) -> &'static str {
    match isolation {
        Isolation::ReadUncommitted => "read uncommitted",
        Isolation::ReadCommitted => "read committed",
        Isolation::RepeatableRead => "repeatable read",
        Isolation::Serializable => "serializable",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MODES: TransactionModes = TransactionModes { isolation: None, read_only: None, deferrable: None };

    fn run(transaction: &mut Transaction, statement: SessionStatement) -> Step {
        let step = transaction.step(&statement).expect("a transaction statement");
        if let Step::Answer { change, .. } | Step::Send { change, .. } = &step {
            transaction.apply(change);
        }
        step
    }
    fn begun() -> Transaction {
        let mut transaction = Transaction::default();
        run(&mut transaction, SessionStatement::Begin(MODES));
        transaction
    }
    fn tag(step: &Step) -> &str {
        match step {
            Step::Answer { tag, .. } => tag,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_transaction_without_statements_never_reaches_the_warehouse() {
        let mut transaction = begun();
        assert_eq!(transaction.status(), TransactionStatus::InTransaction);
        assert_eq!(tag(&run(&mut transaction, SessionStatement::Commit { chain: false })), "COMMIT");
        assert_eq!(transaction.status(), TransactionStatus::Idle);
    }

    #[test]
    fn begin_goes_with_the_first_statement_once() {
        let mut transaction = begun();
        transaction.heard(TransactionStatus::Idle);
        assert!(transaction.is_open(), "an answer to what came before BEGIN says nothing of it");
        assert_eq!(transaction.send_begin(), Some(Control::Begin { isolation: None, deferrable: None }));
        assert_eq!(transaction.send_begin(), None);
        transaction.heard(TransactionStatus::Failed);
        assert!(transaction.has_failed());
        let commit = run(&mut transaction, SessionStatement::Commit { chain: false });
        let change = Change::End { commit: false, chain: false };
        assert_eq!(commit, Step::Send { control: Control::Commit { chain: false }, change });
        assert!(!transaction.is_open());
    }

    #[test]
    fn a_failure_before_the_warehouse_knows_is_as_real() {
        let mut transaction = begun();
        transaction.fail_alone();
        assert_eq!(transaction.send_begin(), None);
        for statement in [
            SessionStatement::Savepoint("a".into()),
            SessionStatement::Begin(MODES),
            SessionStatement::SetTransaction(MODES),
        ] {
            assert_eq!(transaction.step(&statement), Some(Step::Refuse(aborted())), "{statement:?}");
        }
        let Some(Step::Refuse(error)) = transaction.step(&SessionStatement::RollbackTo("a".into())) else { panic!() };
        assert_eq!(error.sqlstate, sqlstate::INVALID_SAVEPOINT_SPECIFICATION);
        assert_eq!(tag(&run(&mut transaction, SessionStatement::Commit { chain: true })), "ROLLBACK");
        assert_eq!(transaction.status(), TransactionStatus::InTransaction, "chained");
        assert!(transaction.send_begin().is_some());
    }

    #[test]
    fn outside_of_a_transaction_postgres_warns_or_refuses() {
        let transaction = Transaction::default();
        let Some(Step::Answer { warning: Some(warning), .. }) =
            transaction.step(&SessionStatement::Rollback { chain: false })
        else {
            panic!()
        };
        assert_eq!(warning.sqlstate, sqlstate::NO_ACTIVE_SQL_TRANSACTION);
        for statement in [
            SessionStatement::Rollback { chain: true },
            SessionStatement::Savepoint("a".into()),
            SessionStatement::Release("a".into()),
            SessionStatement::RollbackTo("a".into()),
        ] {
            assert!(matches!(transaction.step(&statement), Some(Step::Refuse(_))), "{statement:?}");
        }
    }

    #[test]
    fn read_write_is_remembered_and_never_sent() {
        let mut transaction = begun();
        transaction.send_begin();
        let read_write = TransactionModes { read_only: Some(false), ..MODES };
        let step = run(&mut transaction, SessionStatement::SetTransaction(read_write));
        assert_eq!(tag(&step), "SET");
        assert_eq!(transaction.modes().read_only, Some(false));
    }

    #[test]
    fn rollback_to_revives_a_failed_transaction() {
        let mut transaction = begun();
        transaction.send_begin();
        run(&mut transaction, SessionStatement::Savepoint("a".into()));
        transaction.heard(TransactionStatus::Failed);
        assert!(matches!(run(&mut transaction, SessionStatement::RollbackTo("a".into())), Step::Send { .. }));
        assert_eq!(transaction.status(), TransactionStatus::InTransaction);
    }
}
