//! What pgveil answers itself, or with a statement of its own: settings, transactions, names, cursors.

use std::sync::Arc;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::Instant;

use crate::audit::Ticket;
use crate::error::{ClientError, ErrorKind, Notice, sqlstate};
use crate::govern::cache::{Decided, DecidedText};
use crate::govern::decide::{Decision, Plan};
use crate::govern::permit::Permit;
use crate::govern::settings as rules;
use crate::govern::signal::Signal;
use crate::sql::statement::{Discard, SessionStatement};
use crate::upstream::{Control, UpstreamError};
use crate::wire::BindRest;
use crate::wire::backend::{self, Field};

use super::drive::Trouble;
use super::exchange::{Asked, Expect};
use super::portals::Prepared;
use super::records::settle_ticket;
use super::run::Run;
use super::settings::{change, show};
use super::simple::fail_ticket;
use super::transaction::{Change, Step};
use super::{End, Session};

/// In which protocol a statement is answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// By a Query; `last`: ReadyForQuery follows.
    Simple { last: bool },
    /// By an Execute; what Describe tells is not told again. The result formats that Bind asked for, as they were sent.
    Extended { formats: Box<[u8]> },
}

/// A small answer.
#[derive(Debug, Default)]
pub(super) struct Answer {
    columns: &'static [&'static str],
    /// The name of the one column of SHOW.
    column: Option<&'static str>,
    rows: Vec<Vec<String>>,
    tag: String,
}

impl Answer {
    pub(super) fn tag(tag: impl Into<String>) -> Self {
        Self { tag: tag.into(), ..Self::default() }
    }
}

const SHOW_ALL: &[&str] = &["name", "setting", "description"];

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Session<S> {
    /// Answers PREPARE, EXECUTE and what concerns the session alone. Afterwards something may be outstanding: then its
    /// answer, and ReadyForQuery where it is due, come by themselves.
    pub(super) async fn answer_locally(
        &mut self,
        text: &str,
        whole: &DecidedText,
        decided: &Decided,
        form: Form,
    ) -> Result<(), Trouble> {
        let Decision::Allow(plan) = &decided.decision else { return Ok(()) };
        match plan {
            Plan::Prepare { name, types, permit } => self.prepare(text, whole, decided, name, types, permit).await,
            Plan::Execute { name, arguments } => self.execute_by_name(text, decided, name, arguments, &form).await,
            Plan::Session(fetch @ SessionStatement::Fetch { .. }) => self.fetch(text, decided, fetch, &form).await,
            Plan::Session(statement) => self.session_statement(text, decided, statement, &form).await,
            Plan::Signal(signal) => self.signal(text, decided, signal, &form).await,
            Plan::Empty | Plan::Upstream(_) | Plan::Declare { .. } => Ok(()),
        }
    }

    /// `pg_cancel_backend`, `pg_terminate_backend`
    async fn signal(&mut self, text: &str, decided: &Decided, signal: &Signal, form: &Form) -> Result<(), Trouble> {
        self.check_not_failed(text).await?;
        let ticket = self.record(text, decided).await?;
        let user = &self.surroundings.subject.user;
        let reached = if signal.terminate {
            self.registry.terminate_by_pid(signal.pid, user)
        } else {
            self.registry.cancel_by_pid(signal.pid, user)
        };
        let binary = matches!(form, Form::Extended { formats } if matches!(**formats, [_, _, _, 1, ..]));
        let rows: &[&[u8]] = match (reached, signal.listed) {
            (true, _) if binary => &[&[1]],
            (true, _) => &[b"t"],
            (false, false) if binary => &[&[0]],
            (false, false) => &[b"f"],
            (false, true) => &[],
        };
        if matches!(form, Form::Simple { .. }) {
            backend::row_description(&mut self.outbox, &[boolean(&signal.column)]);
        }
        for row in rows {
            backend::data_row(&mut self.outbox, &[Some(row)]);
        }
        backend::command_complete(&mut self.outbox, &format!("SELECT {}", rows.len()));
        settle_ticket(ticket, rows.len() as u64, None);
        Ok(())
    }

    async fn session_statement(
        &mut self,
        text: &str,
        decided: &Decided,
        statement: &SessionStatement,
        form: &Form,
    ) -> Result<(), Trouble> {
        let ends = matches!(
            statement,
            SessionStatement::Commit { .. } | SessionStatement::Rollback { .. } | SessionStatement::RollbackTo(_)
        );
        if !ends {
            self.check_not_failed(text).await?;
        }
        let ticket = self.record(text, decided).await?;
        let answered = match self.transaction.step(statement) {
            Some(step) => self.take_step(&decided.text, step).await,
            None => self.answer_of(&decided.text, statement).await,
        };
        match answered {
            Ok(answer) => {
                self.tell(&answer, form);
                settle_ticket(ticket, answer.rows.len() as u64, None);
                Ok(())
            }
            Err(trouble) => Err(fail_ticket(ticket, trouble)),
        }
    }

    async fn take_step(&mut self, text: &str, step: Step) -> Result<Answer, Trouble> {
        match step {
            Step::Refuse(error) => Err(error.into()),
            Step::Answer { tag, warning, change } => {
                if let Some(warning) = warning {
                    backend::notice(&mut self.outbox, &warning);
                }
                self.take_change(&change);
                let started = tag == "BEGIN" && verb(text) == "START";
                Ok(Answer::tag(if started { "START TRANSACTION" } else { tag }))
            }
            Step::Send { control, mut change } => {
                let told = match self.control(&control, None).await {
                    Ok(tag) => tag,
                    Err(trouble) => {
                        if matches!(change, Change::End { .. }) && !self.transaction.is_open() {
                            self.take_change(&Change::End { commit: false, chain: false });
                        }
                        return Err(trouble);
                    }
                };
                if let Change::End { commit, .. } = &mut change {
                    // COMMIT of what has failed meanwhile answers ROLLBACK.
                    *commit = told == "COMMIT";
                }
                self.take_change(&change);
                Ok(Answer::tag(told))
            }
        }
    }

    fn take_change(&mut self, change: &Change) {
        self.transaction.apply(change);
        self.settings.apply(change);
        if let Change::End { commit, .. } = change {
            self.lost_with = None;
            self.portals.clear();
            let commit = *commit;
            self.cursors.retain(|_, cursor| cursor.hold && (commit || !cursor.young));
            for cursor in self.cursors.values_mut() {
                cursor.young = false;
            }
        }
    }

    async fn answer_of(&mut self, text: &str, statement: &SessionStatement) -> Result<Answer, Trouble> {
        match statement {
            SessionStatement::Set { local, .. } | SessionStatement::Reset { local, .. } => {
                self.change_settings(statement)?;
                if *local && !self.transaction.is_open() && !self.in_script {
                    let warning = Notice::new("SET LOCAL can only be used in transaction blocks");
                    let warning = Notice { sqlstate: sqlstate::NO_ACTIVE_SQL_TRANSACTION, ..warning };
                    backend::notice(&mut self.outbox, &warning);
                }
                Ok(Answer::tag(verb(text)))
            }
            SessionStatement::SetCharacteristics(_) | SessionStatement::ResetAll => {
                self.change_settings(statement)?;
                Ok(Answer::tag(verb(text)))
            }
            SessionStatement::ResetAuthorization => Ok(Answer::tag(verb(text))),
            SessionStatement::Unlisten => Ok(Answer::tag("UNLISTEN")),
            SessionStatement::Show(name) => {
                let setting = rules::readable(name).map_err(|refusal| Trouble::from(refusal.into_error()))?;
                let value = show(setting, &self.settings, &self.transaction);
                Ok(Answer {
                    column: Some(setting.name),
                    rows: vec![vec![value]],
                    tag: "SHOW".to_owned(),
                    ..Answer::default()
                })
            }
            SessionStatement::ShowAll => {
                let row = |setting: &rules::Setting| {
                    vec![setting.name.to_owned(), show(setting, &self.settings, &self.transaction), String::new()]
                };
                let rows = rules::all().iter().map(row).collect();
                Ok(Answer { columns: SHOW_ALL, rows, tag: "SHOW".to_owned(), ..Answer::default() })
            }
            SessionStatement::Discard(what) => self.discard(*what, statement).await,
            SessionStatement::Deallocate(None) => {
                self.statements.clear();
                Ok(Answer::tag("DEALLOCATE ALL"))
            }
            SessionStatement::Deallocate(Some(name)) => {
                if self.statements.remove(name).is_none() {
                    return Err(no_statement(name).into());
                }
                Ok(Answer::tag("DEALLOCATE"))
            }
            SessionStatement::Close(name) => self.close_cursors(name.as_deref()).await,
            SessionStatement::Begin(_)
            | SessionStatement::StartTransaction(_)
            | SessionStatement::Commit { .. }
            | SessionStatement::Rollback { .. }
            | SessionStatement::Savepoint(_)
            | SessionStatement::Release(_)
            | SessionStatement::RollbackTo(_)
            | SessionStatement::SetTransaction(_)
            | SessionStatement::Fetch { .. } => Ok(Answer::default()),
        }
    }

    fn change_settings(&mut self, statement: &SessionStatement) -> Result<(), Trouble> {
        self.settings.begin_implicit();
        if let Some(notice) = change(&mut self.settings, statement)? {
            backend::notice(&mut self.outbox, &notice);
        }
        self.restamp();
        Ok(())
    }

    async fn discard(&mut self, what: Discard, statement: &SessionStatement) -> Result<Answer, Trouble> {
        match what {
            Discard::Plans => Ok(Answer::tag("DISCARD PLANS")),
            Discard::Sequences => Ok(Answer::tag("DISCARD SEQUENCES")),
            Discard::Temp => Ok(Answer::tag("DISCARD TEMP")),
            Discard::All => {
                if self.transaction.is_open() || self.in_script {
                    return Err(ClientError::new(
                        ErrorKind::Client,
                        sqlstate::ACTIVE_SQL_TRANSACTION,
                        "DISCARD ALL cannot run inside a transaction block",
                    )
                    .into());
                }
                self.close_cursors(None).await?;
                self.change_settings(statement)?;
                self.statements.clear();
                self.portals.clear();
                Ok(Answer::tag("DISCARD ALL"))
            }
        }
    }

    /// Runs a statement of pgveil's own to its end, and says with which tag.
    pub(super) async fn control(&mut self, control: &Control, permit: Option<&Permit>) -> Result<String, Trouble> {
        self.checkout_for(permit.and_then(|permit| permit.timeout)).await?;
        self.unnamed = None;
        self.enqueue(|connection| connection.control(control))?;
        self.await_control(false, None).await
    }

    pub(super) async fn await_control(&mut self, guarded: bool, asked: Option<Box<Asked>>) -> Result<String, Trouble> {
        self.controlled = None;
        self.exchange.push(Expect::Control { guarded, asked });
        self.exchange.push(Expect::Ready { told: false });
        self.settle().await?;
        match self.controlled.take() {
            Some(Ok(tag)) => Ok(tag),
            Some(Err(error)) => Err(error.into()),
            None => Err(crate::upstream::UpstreamError::Protocol("a statement without an end".to_owned())
                .to_client(self.pool.warehouse())
                .into()),
        }
    }

    pub(super) fn expect_run(&mut self, mut run: Run, permit: &Permit, ticket: Ticket, form: &Form) {
        run.notices = self.notices_of(permit);
        run.ticket = Some(ticket);
        run.described = matches!(form, Form::Extended { .. });
        self.exchange.push(Expect::Run(Box::new(run)));
    }

    /// Tells a small answer.
    fn tell(&mut self, answer: &Answer, form: &Form) {
        let out = &mut self.outbox;
        if matches!(form, Form::Simple { .. }) {
            let fields: Vec<Field<'_>> =
                answer.column.iter().chain(answer.columns).map(|name| Field::text(name)).collect();
            if !fields.is_empty() {
                backend::row_description(out, &fields);
            }
        }
        for row in &answer.rows {
            let values: Vec<Option<&[u8]>> = row.iter().map(|value| Some(value.as_bytes())).collect();
            backend::data_row(out, &values);
        }
        backend::command_complete(out, &answer.tag);
    }

    /// Runs a local statement for an Execute.
    pub(super) async fn execute_locally(&mut self, prepared: &Arc<Prepared>, formats: Box<[u8]>) -> Result<(), End> {
        let Some(decided) = prepared.decided.first() else { return Ok(()) };
        self.taken = Instant::now();
        let form = Form::Extended { formats };
        match self.answer_locally(&prepared.text, &prepared.decided, decided, form).await {
            Ok(()) => Ok(()),
            Err(Trouble::End(end)) => Err(end),
            Err(Trouble::Refused(error)) => self.refuse_pipeline(error).await,
        }
    }
}

/// The word that a statement begins with, behind white space and comments.
fn verb(text: &str) -> String {
    let mut text = text.trim_start();
    loop {
        if let Some(comment) = text.strip_prefix("--") {
            text = comment.split_once('\n').map_or("", |(_, rest)| rest).trim_start();
        } else if let Some(comment) = text.strip_prefix("/*") {
            let (mut depth, mut rest) = (1, comment);
            while depth > 0 && !rest.is_empty() {
                let step = match rest.get(..2) {
                    Some("/*") => {
                        depth += 1;
                        2
                    }
                    Some("*/") => {
                        depth -= 1;
                        2
                    }
                    _ => rest.chars().next().map_or(1, char::len_utf8),
                };
                rest = rest.get(step..).unwrap_or_default();
            }
            text = rest.trim_start();
        } else {
            break;
        }
    }
    let word = text.split(|c: char| !c.is_ascii_alphabetic()).next();
    word.unwrap_or_default().to_ascii_uppercase()
}

/// A column of type boolean.
pub(super) fn boolean(name: &str) -> Field<'_> {
    Field { type_oid: 16, type_size: 1, ..Field::text(name) }
}

/// The columns that Describe tells of a local statement, if it has some.
pub(super) fn columns(statement: &SessionStatement) -> Vec<Field<'static>> {
    match statement {
        SessionStatement::Show(name) => {
            rules::find(name).map(|setting| vec![Field::text(setting.name)]).unwrap_or_default()
        }
        SessionStatement::ShowAll => SHOW_ALL.iter().map(|name| Field::text(name)).collect(),
        _ => Vec::new(),
    }
}

/// A Bind of pgveil's own.
pub(super) fn bind_rest(rest: &[u8]) -> Result<BindRest<'_>, UpstreamError> {
    BindRest::parse(rest).map_err(|_| UpstreamError::Unsendable("a malformed Bind"))
}

/// 26000
pub(super) fn no_statement(name: &str) -> ClientError {
    let message = if name.is_empty() {
        "unnamed prepared statement does not exist".to_owned()
    } else {
        format!("prepared statement \"{name}\" does not exist")
    };
    ClientError::new(ErrorKind::Client, sqlstate::INVALID_SQL_STATEMENT_NAME, message)
}

/// 42P05
pub(super) fn statement_exists(name: &str) -> ClientError {
    let message = format!("prepared statement \"{name}\" already exists");
    ClientError::new(ErrorKind::Client, sqlstate::DUPLICATE_PREPARED_STATEMENT, message)
}

/// 42501: what is open would be answered differently now.
pub(super) fn changed(what: &str, name: &str) -> ClientError {
    ClientError::new(
        ErrorKind::Denied,
        sqlstate::INSUFFICIENT_PRIVILEGE,
        format!("the policy for {what} \"{name}\" has changed since it was opened"),
    )
    .with_detail("It was closed.")
    .with_hint("Run its statement again.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_verb_stands_behind_comments() {
        for text in ["set x = 1", "  SET x = 1", "-- a\n-- set\nset x = 1", "/* a /* reset */ é */ set x", "set"] {
            assert_eq!(verb(text), "SET", "{text}");
        }
        assert_eq!(verb("/* not closed"), "");
        assert_eq!(verb("-- only"), "");
    }
}
