//! Parse, Bind, Describe, Execute, Close, Flush, Sync.
//!
//! What goes upstream is enqueued without waiting for what was asked before: if that fails, the warehouse skips what
//! follows just as Postgres would have, and what the skipped messages made is unmade. What pgveil answers itself, and every
//! refusal, waits for its turn.

use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite};

use crate::error::{ClientError, ErrorKind, sqlstate};
use crate::govern::decide::Plan;
use crate::govern::permit::Permit;
use crate::sql::statement::SessionStatement;
use crate::upstream::{StatementName, UpstreamSettings};
use crate::wire::frontend::{Bind, Parse, Target};

use super::drive::Trouble;
use super::exchange::{Asked, Description, Expect, Made};
use super::local::{no_statement, statement_exists};
use super::portals::{Portal, Prepared};
use super::records::Pending;
use super::run::is_guarded;
use super::transaction::aborted;
use super::{End, Session};

const PARSE_COMPLETE: &[u8] = &[b'1', 0, 0, 0, 4];
const BIND_COMPLETE: &[u8] = &[b'2', 0, 0, 0, 4];
const CLOSE_COMPLETE: &[u8] = &[b'3', 0, 0, 0, 4];

/// What a prepared statement is looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Use {
    /// The client has given it a name.
    Named,
    /// It is the client's unnamed one; `bound`: a portal is made of it.
    Unnamed { bound: bool },
}

impl Use {
    pub(super) fn of(name: &str, bound: bool) -> Self {
        if name.is_empty() { Self::Unnamed { bound } } else { Self::Named }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Session<S> {
    /// A refusal ends the pipeline, not the session.
    pub(super) async fn or_refuse(&mut self, result: Result<(), Trouble>) -> Result<(), End> {
        match result {
            Ok(()) => Ok(()),
            Err(Trouble::End(end)) => Err(end),
            Err(Trouble::Refused(error)) => self.refuse_pipeline(error).await,
        }
    }

    /// Answers with frames of pgveil's own, behind what is outstanding.
    pub(super) fn answer_in_order(&mut self, frames: Bytes, made: Made) {
        match self.lease.as_mut() {
            Some(lease) if !self.exchange.is_empty() => {
                lease.answer(frames);
                self.exchange.push(Expect::One { made, guarded: true, ticket: None, asked: None });
            }
            _ => self.outbox.extend_from_slice(&frames),
        }
    }

    /// Parse
    pub(super) async fn parse(&mut self, parse: &Parse<'_>) -> Result<(), End> {
        self.begin_message()?;
        let result = self.try_parse(parse).await;
        self.or_refuse(result).await
    }

    async fn try_parse(&mut self, parse: &Parse<'_>) -> Result<(), Trouble> {
        let name = parse.statement;
        if !name.is_empty() && self.statements.contains_key(name) {
            return Err(statement_exists(name).into());
        }
        if name.is_empty() {
            // As in Postgres, also when what takes its place turns out to be wrong.
            self.statements.remove("");
        }
        let types = parse.types.to_vec();
        let decided = match self.decide(parse.sql, &types) {
            Ok(decided) => decided,
            Err(rejection) => {
                self.settle().await?;
                if !self.skipping {
                    self.record_denial(parse.sql, &rejection).await;
                }
                return Err(rejection.denial.error.into());
            }
        };
        if decided.len() > 1 {
            return Err(several().into());
        }
        let text: Arc<str> = Arc::from(parse.sql);
        let prepared =
            Arc::new(Prepared { text, types, by_sql: false, decided, epoch: self.epoch, read_under: OnceLock::new() });
        match prepared.permit() {
            Some(permit) => self.parse_upstream(name, &prepared, permit).await?,
            None => {
                self.settle().await?;
                if self.skipping {
                    return Ok(());
                }
                if self.transaction.has_failed() && !ends_transaction(&prepared) {
                    return Err(aborted().into());
                }
                self.answer_in_order(Bytes::from_static(PARSE_COMPLETE), Made::Statement(name.to_owned()));
            }
        }
        self.statements.insert(name.to_owned(), prepared);
        Ok(())
    }

    async fn parse_upstream(
        &mut self,
        name: &str,
        prepared: &Arc<Prepared>,
        permit: &Arc<Permit>,
    ) -> Result<(), Trouble> {
        if self.exchange.is_empty() {
            self.check_not_failed(&prepared.text).await?;
        }
        self.checkout(permit).await?;
        self.read_under(prepared);
        let made = Made::Statement(name.to_owned());
        if name.is_empty() {
            let mut lies = StatementName::unnamed();
            self.enqueue(|connection| {
                lies = connection.parse_passing(permit, &prepared.types)?;
                if !lies.is_unnamed() {
                    connection.answer(Bytes::from_static(PARSE_COMPLETE));
                }
                Ok(())
            })?;
            self.unnamed = Some((Arc::clone(prepared), lies));
        } else {
            self.enqueue(|connection| {
                connection.prepare(permit, &prepared.types)?;
                connection.answer(Bytes::from_static(PARSE_COMPLETE));
                Ok(())
            })?;
        }
        let asked = prepared.decided.first().map(|decided| Box::new(Asked::new(decided, &prepared.types, permit)));
        let place = self.exchange.push(Expect::One { made, guarded: is_guarded(permit), ticket: None, asked });
        self.pending.push(Pending { place, prepared: Arc::clone(prepared), parse: true });
        Ok(())
    }

    /// A prepared statement as it is decided now.
    pub(super) async fn current_statement(&mut self, name: &str) -> Result<Arc<Prepared>, Trouble> {
        let Some(prepared) = self.statements.get(name).map(Arc::clone) else {
            return Err(no_statement(name).into());
        };
        if prepared.epoch == self.epoch {
            return Ok(prepared);
        }
        let decided = match self.decide(&prepared.text, &prepared.types) {
            Ok(decided) => decided,
            Err(rejection) => {
                self.settle().await?;
                self.record_denial(&prepared.text, &rejection).await;
                return Err(rejection.denial.error.into());
            }
        };
        let now = Arc::new(Prepared {
            text: Arc::clone(&prepared.text),
            types: prepared.types.clone(),
            by_sql: prepared.by_sql,
            decided,
            epoch: self.epoch,
            read_under: prepared.read_under.clone(),
        });
        self.check_same_shape(&prepared, &now).await?;
        self.statements.insert(name.to_owned(), Arc::clone(&now));
        Ok(now)
    }

    /// A client that has learnt the columns of a statement reads its rows by them.
    async fn check_same_shape(&mut self, before: &Arc<Prepared>, now: &Arc<Prepared>) -> Result<(), Trouble> {
        let (Some(old), Some(new)) = (before.permit().map(Arc::clone), now.permit().map(Arc::clone)) else {
            return Ok(());
        };
        if old.sql == new.sql {
            return Ok(());
        }
        self.settle().await?;
        let one = self.shape_of(&old, before).await?;
        let other = self.shape_of(&new, now).await?;
        match one {
            // What cannot be described any more cannot be told to differ; the new one is.
            Some(one) if Some(&one) != other.as_ref() => Err(ClientError::new(
                ErrorKind::Client,
                sqlstate::FEATURE_NOT_SUPPORTED,
                "cached plan must not change result type",
            )
            .with_hint("Prepare the statement again.")
            .into()),
            _ => Ok(()),
        }
    }

    /// The columns of a permit as the warehouse describes them.
    async fn shape_of(&mut self, permit: &Arc<Permit>, prepared: &Prepared) -> Result<Option<Bytes>, Trouble> {
        self.checkout(permit).await?;
        self.unnamed = None;
        let read_under = self.read_under(prepared);
        self.enqueue(|connection| {
            let name = connection.ensure_prepared(permit, &prepared.types, &read_under)?;
            connection.describe_statement(&name)?;
            connection.sync()
        })?;
        let guarded = is_guarded(permit);
        let description = Description { guarded, captured: true, quiet: true, ..Description::default() };
        self.exchange.push(Expect::Description(description));
        self.exchange.push(Expect::Ready { told: false });
        self.settle().await?;
        Ok(self.exchange.take_captured())
    }

    /// The settings under which a statement was read first; those of now if it was not yet.
    pub(super) fn read_under(&self, prepared: &Prepared) -> Arc<UpstreamSettings> {
        Arc::clone(prepared.read_under.get_or_init(|| self.applied.clone().unwrap_or_default()))
    }

    /// Where a statement lies on the lease, prepared again if it must be.
    pub(super) fn on_lease(
        &mut self,
        prepared: &Arc<Prepared>,
        permit: &Permit,
        way: Use,
    ) -> Result<StatementName, Trouble> {
        if let Some((unnamed, lies)) = &self.unnamed
            && Arc::ptr_eq(unnamed, prepared)
        {
            let name = lies.clone();
            if way == (Use::Unnamed { bound: true }) && !name.is_unnamed() {
                // Each portal is a use of its own.
                self.unnamed = None;
            }
            return Ok(name);
        }
        let mut name = StatementName::unnamed();
        let read_under = self.read_under(prepared);
        self.enqueue(|connection| {
            let types = &prepared.types;
            name = match way {
                Use::Named => connection.ensure_prepared(permit, types, &read_under)?,
                Use::Unnamed { .. } => connection.ensure_passing(permit, types, &read_under)?,
            };
            Ok(())
        })?;
        Ok(name)
    }

    /// Bind
    pub(super) async fn bind(&mut self, bind: &Bind<'_>) -> Result<(), End> {
        self.begin_message()?;
        let result = self.try_bind(bind).await;
        self.or_refuse(result).await
    }

    async fn try_bind(&mut self, bind: &Bind<'_>) -> Result<(), Trouble> {
        let prepared = self.current_statement(bind.statement).await?;
        let name = bind.portal;
        if !name.is_empty() && self.portals.contains_key(name) {
            return Err(portal_exists(name).into());
        }
        let binary = bind.rest.result_format_count() > 0 && bind.rest.result_is_binary(0);
        let made = Made::Portal(name.to_owned());
        let on_lease = prepared.permit().is_some();
        match prepared.permit() {
            Some(permit) => {
                if self.exchange.is_empty() {
                    self.check_not_failed(&prepared.text).await?;
                }
                self.checkout(permit).await?;
                let statement = self.on_lease(&prepared, permit, Use::of(bind.statement, true))?;
                self.enqueue(|connection| connection.bind(name, &statement, &bind.rest))?;
                self.exchange.push(Expect::One { made, guarded: is_guarded(permit), ticket: None, asked: None });
            }
            None => {
                self.settle().await?;
                if self.skipping {
                    return Ok(());
                }
                if self.transaction.has_failed() && !ends_transaction(&prepared) {
                    return Err(aborted().into());
                }
                if bind.rest.parameter_count() > 0 {
                    return Err(too_many_parameters(bind).into());
                }
                self.answer_in_order(Bytes::from_static(BIND_COMPLETE), made);
            }
        }
        let tail = bind.rest.bytes().len().saturating_sub(2 + 2 * bind.rest.result_format_count());
        let formats = match on_lease {
            true => Box::default(),
            false => bind.rest.bytes().get(tail..).unwrap_or_default().into(),
        };
        let portal = Portal { prepared, on_lease, sent: 0, ended: false, binary, formats };
        self.portals.insert(name.to_owned(), portal);
        Ok(())
    }

    /// Close
    pub(super) async fn close_target(&mut self, target: Target<'_>) -> Result<(), End> {
        match target {
            Target::Statement(name) => {
                self.statements.remove(name);
            }
            Target::Portal(name) => {
                let portal = self.portals.remove(name).is_some_and(|portal| portal.on_lease);
                let cursor = self.cursors.remove(name).is_some();
                if (portal || cursor) && self.lease.is_some() {
                    let closed = self.enqueue(|connection| connection.close_portal(name));
                    if closed.is_ok() {
                        self.exchange.push(Expect::One {
                            made: Made::Nothing,
                            guarded: true,
                            ticket: None,
                            asked: None,
                        });
                    }
                    return self.or_refuse(closed).await;
                }
            }
        }
        self.answer_in_order(Bytes::from_static(CLOSE_COMPLETE), Made::Nothing);
        Ok(())
    }

    /// Flush
    pub(super) async fn flush(&mut self) -> Result<(), End> {
        match self.lease.as_mut() {
            Some(lease) if lease.in_pipeline() => match lease.flush_request() {
                Ok(()) => Ok(()),
                Err(error) => self.lost(&error),
            },
            _ => Ok(()),
        }
    }

    /// Sync
    pub(super) async fn sync(&mut self) -> Result<(), End> {
        self.skipping = false;
        self.unnamed = None;
        match self.lease.as_mut() {
            Some(lease) if lease.in_pipeline() => match lease.sync() {
                Ok(()) => {
                    self.exchange.push(Expect::Ready { told: true });
                    Ok(())
                }
                Err(error) => {
                    self.lost(&error)?;
                    self.tell_ready();
                    Ok(())
                }
            },
            _ => {
                self.settle().await?;
                self.skipping = false;
                self.tell_ready();
                self.release();
                Ok(())
            }
        }
    }
}

fn ends_transaction(prepared: &Prepared) -> bool {
    matches!(
        prepared.plan(),
        Some(
            Plan::Empty
                | Plan::Session(
                    SessionStatement::Commit { .. }
                        | SessionStatement::Rollback { .. }
                        | SessionStatement::RollbackTo(_)
                )
        )
    )
}

fn several() -> ClientError {
    let message = "cannot insert multiple commands into a prepared statement";
    ClientError::new(ErrorKind::Client, sqlstate::SYNTAX_ERROR, message)
}

fn portal_exists(name: &str) -> ClientError {
    let message = format!("cursor \"{name}\" already exists");
    ClientError::new(ErrorKind::Client, sqlstate::DUPLICATE_CURSOR, message)
}

pub(super) fn no_portal(name: &str) -> ClientError {
    ClientError::new(ErrorKind::Client, sqlstate::INVALID_CURSOR_NAME, format!("portal \"{name}\" does not exist"))
}

fn too_many_parameters(bind: &Bind<'_>) -> ClientError {
    let message = format!(
        "bind message supplies {} parameters, but prepared statement \"{}\" requires 0",
        bind.rest.parameter_count(),
        bind.statement
    );
    ClientError::new(ErrorKind::Client, sqlstate::PROTOCOL_VIOLATION, message)
}
