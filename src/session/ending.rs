//! What follows from an answer: statements end, transactions move, the lease goes back; and what follows when something
//! breaks, takes too long or is over.

use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{Instant, timeout};

use crate::audit::{Event, Outcome};
use crate::error::{ClientError, ErrorKind, SqlState, sqlstate};
use crate::metrics::METRICS;
use crate::statement::duration_text;
use crate::upstream::{Control, RowRelay, UpstreamError};
use crate::wire::{TransactionStatus, backend};

use super::clock::Deadline;
use super::drive::{self, timed_out};
use super::exchange::{Effect, Made};
use super::run::{Ending, Run, Unexpected, Way};
use super::{End, Session};

/// How long a warehouse that was asked to cancel may take before its connection is given up.
const CANCEL_PATIENCE: Duration = Duration::from_secs(10);
/// How long the last message may take, and a ROLLBACK after the client is gone.
const LAST_WORD: Duration = Duration::from_secs(2);

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Session<S> {
    /// What follows from one answer of the warehouse.
    pub(super) fn take_effect(&mut self, effect: Effect) -> Result<(), End> {
        match effect {
            Effect::None => {}
            Effect::Ended(run, ending) => self.ended(*run, ending),
            Effect::Failed { error, runs, unmade, synced } => {
                METRICS.error(ErrorKind::Warehouse);
                self.failed(error, runs, unmade, synced);
            }
            Effect::Controlled(tag) => self.controlled = Some(Ok(tag)),
            Effect::ControlFailed(error) => self.controlled = Some(Err(error)),
            Effect::Ready { status, told } => self.ready(status, told),
        }
        Ok(())
    }

    fn ended(&mut self, mut run: Run, ending: Ending) {
        let truncated = run.relay.withheld() > 0;
        let sqlstate = (ending == Ending::OverCap).then_some(sqlstate::PROGRAM_LIMIT_EXCEEDED);
        complete(&mut run, truncated, sqlstate);
        let still_there = self.exchange.spend(&run.way, run.relay.sent());
        match &run.way {
            Way::Text => {}
            Way::Portal(name) => {
                if let Some(portal) = self.portals.get_mut(name).filter(|_| still_there) {
                    portal.sent += run.relay.sent();
                    portal.ended |= truncated;
                }
            }
            Way::Cursor(name) => {
                if let Some(cursor) = self.cursors.get_mut(name) {
                    cursor.sent += run.relay.sent();
                }
            }
        }
        if ending == Ending::OverCap {
            METRICS.error(ErrorKind::Limit);
            self.over_cap();
        }
        self.next_deadline();
    }

    /// The client was told 54000 in place of the end of a result; the warehouse knows nothing of it yet.
    fn over_cap(&mut self) {
        self.fail_owed = self.transaction.is_sent();
        let synced = self.exchange.discard_to_ready(|| RowRelay::rows(Some(0), false, true));
        self.skipping |= !synced && !self.in_script;
        self.script_failed = true;
    }

    fn failed(&mut self, error: SqlState, runs: Vec<Run>, unmade: Vec<Made>, synced: bool) {
        for mut run in runs {
            let truncated = run.relay.withheld() > 0;
            complete(&mut run, truncated, Some(error));
        }
        for made in unmade {
            match made {
                Made::Nothing => {}
                Made::Statement(name) => drop(self.statements.remove(&name)),
                Made::Portal(name) => drop(self.portals.remove(&name)),
            }
        }
        self.skipping |= !synced && !self.in_script;
        self.script_failed = true;
        if !self.transaction.is_open() {
            self.settings.end_of_transaction(false);
        }
    }

    fn ready(&mut self, status: TransactionStatus, told: bool) {
        self.transaction.heard(status);
        if self.fail_owed && self.fail_transaction_now() {
            self.ready_owed = told;
            return;
        }
        if told {
            self.tell_ready();
        }
        self.release();
    }

    /// Makes a failure real in the warehouse's transaction. False: there is none.
    fn fail_transaction_now(&mut self) -> bool {
        self.fail_owed = false;
        let Some(lease) = self.lease.as_mut() else { return false };
        if !self.transaction.is_sent() || self.transaction.has_failed() {
            return false;
        }
        self.unnamed = None;
        lease.fail_transaction().is_ok()
    }

    /// The number of the record of what runs, for the log.
    pub(super) fn running(&self) -> Option<u64> {
        self.exchange.first_run().and_then(|run| run.ticket.as_ref()?.seq())
    }

    /// Gives back what nothing needs any more: the place among the user's statements, and the connection.
    pub(super) fn release(&mut self) {
        if !self.exchange.is_empty() {
            return;
        }
        self.slot = None;
        if self.cancelling.is_none() {
            self.interrupted = None;
        }
        let idle = !self.transaction.is_sent() && !self.cursors.values().any(|cursor| cursor.hold);
        if idle && self.lease.as_ref().is_some_and(|lease| lease.is_clean()) {
            self.drop_lease();
        }
        self.rest();
    }

    /// The lease is not the session's any more, and nothing that lay on it.
    pub(super) fn drop_lease(&mut self) {
        self.lease = None;
        self.applied = None;
        self.unnamed = None;
        self.portals.retain(|_, portal| !portal.on_lease);
        self.cursors.clear();
    }

    /// Sets the timer for what the session is waiting for now.
    pub(super) fn rest(&mut self) {
        if !self.exchange.is_empty() {
            if self.clock.due().is_none() {
                self.next_deadline();
            }
        } else if self.transaction.is_open() || self.lease.as_ref().is_some_and(|lease| lease.in_pipeline()) {
            // A pipeline without its Sync holds a connection as well.
            match self.settings.idle_limit(self.surroundings.subject.limits.idle_in_transaction_timeout) {
                Some(limit) => self.clock.set(Instant::now() + limit, Deadline::IdleInTransaction(limit)),
                None => self.clock.clear(),
            }
        } else {
            self.clock.clear();
        }
    }

    /// The deadline of the statement whose turn it is.
    pub(super) fn next_deadline(&mut self) {
        if self.interrupted.is_some() {
            return;
        }
        let Some(run) = self.exchange.first_run() else { return };
        let limit = run.permit.as_ref().and_then(|permit| permit.timeout);
        match self.settings.statement_limit(limit) {
            // In a pipeline the time of the next one begins with the end of the one before.
            Some(limit) => self.clock.set(run.started.max(self.taken) + limit, Deadline::Statement(limit)),
            None => self.clock.clear(),
        }
    }

    /// A deadline has passed.
    pub(super) fn deadline_passed(&mut self, deadline: Deadline) -> Result<(), End> {
        match deadline {
            Deadline::Statement(limit) => {
                METRICS.error(ErrorKind::Limit);
                self.interrupt(timed_out(limit));
                Ok(())
            }
            Deadline::IdleInTransaction(limit) => Err(End::Fatal(
                ClientError::fatal(
                    ErrorKind::Limit,
                    sqlstate::IDLE_IN_TRANSACTION_SESSION_TIMEOUT,
                    format!("terminating connection due to idle-in-transaction timeout ({})", duration_text(limit)),
                )
                .with_hint("End transactions soon after their last statement; an open one holds a connection."),
            )),
            Deadline::Cancelled => {
                // The warehouse did not stop: its connection is closed, which stops it when it next writes.
                let error = self.interrupted.take().unwrap_or_else(|| timed_out(CANCEL_PATIENCE));
                self.lose(&error)
            }
        }
    }

    /// Cancels what runs in the warehouse, if something does; the client is told `why`.
    pub(super) fn interrupt(&mut self, why: ClientError) {
        let Some(lease) = &self.lease else { return };
        if self.exchange.is_empty() || self.interrupted.is_some() {
            return;
        }
        let cancel = lease.cancel_handle();
        self.interrupted = Some(why);
        self.clock.set(Instant::now() + CANCEL_PATIENCE, Deadline::Cancelled);
        let (session, statement) = (self.name.clone(), self.running());
        self.cancelling = Some(tokio::spawn(async move {
            if let Err(error) = cancel.cancel(CANCEL_PATIENCE).await {
                tracing::warn!(session, statement, %error, "a statement could not be cancelled in the warehouse");
            }
        }));
    }

    /// A row beyond a cap that does not stand in the SQL (WITH TIES) was withheld. The rest is dropped as it comes: a cancel
    /// would abort the client's transaction for an answer that is complete.
    pub(super) fn cap_reached(&mut self) {
        tracing::debug!(
            session = self.name,
            statement = self.running(),
            "a result goes on beyond its row cap; the rest is dropped"
        );
    }

    /// The connection to the warehouse is lost.
    pub(super) fn lost(&mut self, error: &UpstreamError) -> Result<(), End> {
        let statement = self.running();
        tracing::warn!(session = self.name, statement, warehouse = %self.pool.warehouse(), %error, "a lease has ended");
        let told = error.to_client(self.pool.warehouse());
        self.lose(&told)
    }

    /// The warehouse has sent what was not asked for: nothing on this connection can be trusted.
    pub(super) fn unexpected(&mut self, unexpected: Unexpected) -> Result<(), End> {
        tracing::error!(
            session = self.name,
            statement = self.running(),
            what = unexpected.0,
            "the warehouse sent what was not asked for"
        );
        let error = UpstreamError::Protocol(unexpected.0.to_owned()).to_client(self.pool.warehouse());
        self.lose(&error)
    }

    /// Ends the lease; what was outstanding on it fails with this error.
    pub(super) fn lose(&mut self, error: &ClientError) -> Result<(), End> {
        METRICS.error(error.kind);
        if self.exchange.current().is_some_and(|run| run.relay.in_row()) {
            // The client has half a row: nothing can be told to it any more.
            return Err(End::Closed);
        }
        self.relaying = false;
        if let Some(lease) = self.lease.take() {
            lease.discard();
        }
        let in_transaction = self.transaction.is_sent();
        self.drop_lease();
        if in_transaction {
            self.transaction.fail_alone();
        }
        if self.exchange.is_empty() {
            // Nobody waits for an answer: the next statement is told.
            self.lost_with = in_transaction.then(|| error.clone());
        }
        while !self.exchange.is_empty() {
            if let Some(told) = self.exchange.take_ready() {
                if told {
                    self.tell_ready();
                }
                continue;
            }
            if self.exchange.is_control() {
                self.controlled = Some(Err(error.clone()));
            } else {
                backend::error(&mut self.outbox, error);
            }
            if let Effect::Failed { error, runs, unmade, synced } = self.exchange.fail(error.sqlstate) {
                self.failed(error, runs, unmade, synced);
            }
        }
        self.interrupted = None;
        self.release();
        Ok(())
    }

    /// Ends the session: tells the client why, cancels what runs, brings the connection back clean where that is quick.
    pub(super) async fn close(mut self, end: End) {
        let sqlstate = match &end {
            End::Closed => None,
            End::Fatal(error) => Some(error.sqlstate),
        };
        if let End::Fatal(error) = &end
            && !self.exchange.current().is_some_and(|run| run.relay.in_row())
        {
            METRICS.error(error.kind);
            backend::error(&mut self.outbox, error);
            let last_word = drive::send_rest(&mut self.stream, &mut self.outbox);
            if timeout(LAST_WORD, last_word).await.is_ok_and(|sent| sent.is_ok()) {
                self.stream.farewell().await;
            }
        }
        self.shared.audit.event(&Event::SessionEnd { stamp: &self.stamp, sqlstate });
        self.leave_warehouse().await;
    }

    async fn leave_warehouse(&mut self) {
        if let Some(task) = self.cancelling.take() {
            let _ = task.await;
        }
        let statement = self.running();
        let Some(lease) = self.lease.as_mut() else { return };
        if lease.is_clean() && self.cursors.is_empty() {
            return;
        }
        if !self.exchange.is_empty() {
            let cancel = lease.cancel_handle();
            if let Err(error) = cancel.cancel(CANCEL_PATIENCE).await {
                tracing::warn!(session = self.name, statement, %error, "the statement of a client that is gone was not cancelled");
            }
            if let Some(lease) = self.lease.take() {
                lease.discard();
            }
            return;
        }
        let tidy = async {
            if lease.transaction_status() != TransactionStatus::Idle {
                lease.control_quietly(&Control::Rollback { chain: false })?;
            }
            if !self.cursors.is_empty() {
                lease.control_quietly(&Control::CloseCursor(None))?;
            }
            while lease.is_waiting() {
                if lease.next_frame()?.is_none() && lease.is_waiting() {
                    lease.fill().await?;
                }
            }
            Ok::<(), UpstreamError>(())
        };
        if !matches!(timeout(LAST_WORD, tidy).await, Ok(Ok(())))
            && let Some(lease) = self.lease.take()
        {
            lease.discard();
        }
    }
}

/// Writes down how a statement ended.
fn complete(run: &mut Run, truncated: bool, sqlstate: Option<SqlState>) {
    let now = Instant::now();
    let (rows, bytes, duration) = (run.relay.sent(), run.relay.bytes(), now - run.started);
    METRICS.rows.increment(rows);
    METRICS.bytes.increment(bytes);
    METRICS.statement.record(duration);
    if let Some(ticket) = run.ticket.take() {
        // It was sent as soon as it was recorded.
        METRICS.warehouse.record(now.into_std().saturating_duration_since(ticket.started()));
        ticket.completed(&Outcome { rows, bytes, duration, truncated, sqlstate });
    }
}
