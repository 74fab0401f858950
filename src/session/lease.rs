//! How a session comes to the warehouse, waits for it, and makes a refusal real there.

use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::Instant;

use crate::error::{ClientError, Notice};
use crate::govern::permit::{Denial, Permit};
use crate::metrics::METRICS;
use crate::upstream::{Connection, UpstreamError};
use crate::wire::{TransactionStatus, backend};

use super::clock::Deadline;
use super::drive::{self, Trouble};
use super::transaction::aborted;
use super::{End, Session};

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Session<S> {
    /// Everything for a statement of this permit: see [`Session::checkout_for`].
    pub(super) async fn checkout(&mut self, permit: &Permit) -> Result<(), Trouble> {
        self.checkout_for(permit.timeout).await
    }

    /// A place among the user's statements, a connection with the session's settings, and the transaction begun on it. The
    /// time that this takes counts towards the statement's limit.
    pub(super) async fn checkout_for(&mut self, limit: Option<Duration>) -> Result<(), Trouble> {
        if let Some(task) = self.cancelling.take() {
            // A cancel that is under way would hit the next statement.
            let _ = self.wait_for(task).await?;
            self.interrupted = None;
        }
        if self.slot.is_none() || self.lease.is_none() {
            self.wait_in_line(limit).await?;
        }
        let wanted = self.settings.wanted(limit);
        let lease = match self.lease.as_mut() {
            Some(lease) => lease,
            None => return Err(End::Closed.into()),
        };
        if let Err(error) = lease.apply(&wanted) {
            return Err(self.not_enqueued(&error));
        }
        if self.applied.as_ref().is_none_or(|applied| !Arc::ptr_eq(applied, &wanted)) {
            self.applied = Some(wanted);
            self.unnamed = None;
        }
        if let Some(begin) = self.transaction.send_begin() {
            self.unnamed = None;
            self.enqueue(|connection| connection.control_quietly(&begin))?;
        }
        Ok(())
    }

    async fn wait_in_line(&mut self, limit: Option<Duration>) -> Result<(), Trouble> {
        let begun = Instant::now();
        let deadline = self.settings.statement_limit(limit).map(|limit| {
            self.clock.set(begun + limit, Deadline::Statement(limit));
            begun + limit
        });
        let limits = &self.surroundings.subject.limits;
        if self.slot.is_none()
            && let Some(most) = limits.max_concurrent
        {
            let patience = limits.queue_timeout;
            self.slot = match self.queue.try_enter(most) {
                Some(slot) => Some(slot),
                None => {
                    let queue = Arc::clone(&self.queue);
                    Some(self.wait_for(async move { queue.enter(most, patience).await }).await??)
                }
            };
        }
        if self.lease.is_none() {
            self.lease = match self.pool.try_acquire() {
                Some(lease) => Some(lease),
                None => {
                    let pool = self.pool.clone();
                    let patience = Instant::now() + pool.acquire_timeout();
                    let until = deadline.map_or(patience, |deadline| deadline.min(patience));
                    let acquired = self.wait_for(async move { pool.acquire(until).await }).await?;
                    Some(acquired.map_err(ClientError::from)?)
                }
            };
            METRICS.queue.record(begun.elapsed());
        }
        Ok(())
    }

    /// Enqueues on the lease. An error ends the lease.
    pub(super) fn enqueue(
        &mut self,
        enqueue: impl FnOnce(&mut Connection) -> Result<(), UpstreamError>,
    ) -> Result<(), Trouble> {
        let Some(lease) = self.lease.as_mut() else {
            let error = UpstreamError::Protocol("no lease".to_owned()).to_client(self.pool.warehouse());
            return Err(error.into());
        };
        match enqueue(lease) {
            Ok(()) => Ok(()),
            Err(error) => Err(self.not_enqueued(&error)),
        }
    }

    fn not_enqueued(&mut self, error: &UpstreamError) -> Trouble {
        let told = error.to_client(self.pool.warehouse());
        match self.lost(error) {
            Ok(()) => {
                // The one who asked is told, so the next one need not be.
                self.lost_with = None;
                Trouble::Refused(told)
            }
            Err(end) => Trouble::End(end),
        }
    }

    /// Waits until everything that was asked is answered, without ending a pipeline.
    pub(super) async fn settle(&mut self) -> Result<(), End> {
        if self.exchange.is_empty() && self.pending.is_empty() {
            return Ok(());
        }
        self.record_pending().await?;
        if let Some(lease) = self.lease.as_mut()
            && lease.in_pipeline()
            && let Err(error) = lease.flush_request()
        {
            return self.lost(&error);
        }
        drive::until_settled(self).await
    }

    /// Tells an error of pgveil's own; an open transaction fails with it, in the warehouse too. Call it when everything is
    /// settled.
    pub(super) async fn refuse(&mut self, error: ClientError) -> Result<(), End> {
        METRICS.error(error.kind);
        backend::error(&mut self.outbox, &error);
        if !self.transaction.is_open() {
            self.settings.end_of_transaction(false);
        }
        let pipeline = self.lease.as_ref().is_some_and(|lease| lease.in_pipeline());
        if self.transaction.is_open() && !self.transaction.is_sent() {
            self.transaction.fail_alone();
        }
        if !pipeline && (!self.transaction.is_sent() || self.transaction.has_failed()) {
            return Ok(());
        }
        self.unnamed = None;
        let Some(lease) = self.lease.as_mut() else { return Ok(()) };
        if let Err(error) = lease.fail_transaction() {
            return self.lost(&error);
        }
        if pipeline && !self.in_script {
            // The warehouse skips to the client's Sync, whose answer says where it stands.
            return Ok(());
        }
        if pipeline && let Some(Err(error)) = self.lease.as_mut().map(|lease| lease.sync()) {
            return self.lost(&error);
        }
        if pipeline {
            self.exchange.push(super::exchange::Expect::Ready { told: false });
        }
        drive::until_quiet(self).await?;
        let status = self.lease.as_ref().map(|lease| lease.transaction_status());
        self.transaction.heard(status.unwrap_or(TransactionStatus::Idle));
        Ok(())
    }

    /// [`Self::refuse`] in the extended protocol: what follows up to Sync is skipped.
    pub(super) async fn refuse_pipeline(&mut self, error: ClientError) -> Result<(), End> {
        self.settle().await?;
        if self.skipping {
            return Ok(());
        }
        self.refuse(error).await?;
        self.skipping = true;
        Ok(())
    }

    /// 25P02 for everything but the end of a failed transaction.
    pub(super) async fn check_not_failed(&mut self, text: &str) -> Result<(), Trouble> {
        if !self.transaction.has_failed() {
            return Ok(());
        }
        let error = self.lost_with.take().unwrap_or_else(aborted);
        let denial = Denial { error: error.clone(), reason: "transaction_failed", products: Vec::new() };
        self.deny(text, None, &denial).await;
        Err(error.into())
    }

    /// The notices of a permit that this session has not been told yet.
    pub(super) fn notices_of(&mut self, permit: &Permit) -> Vec<Notice> {
        let mut notices = Vec::new();
        for (product, notice) in &permit.notices {
            if self.said.insert((product.clone(), notice.topic)) {
                notices.push(notice.clone());
            }
        }
        notices
    }

    /// Tells a ReadyForQuery that had to wait until the warehouse's transaction had failed.
    pub(super) fn tell_owed(&mut self) {
        if !self.ready_owed || !self.exchange.is_empty() {
            return;
        }
        let status = match &self.lease {
            Some(lease) if lease.is_waiting() => return,
            Some(lease) => lease.transaction_status(),
            None => TransactionStatus::Idle,
        };
        self.ready_owed = false;
        self.transaction.heard(status);
        self.tell_ready();
        self.release();
    }
}
