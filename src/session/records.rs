//! The audit records of a session: the decision before the first byte goes upstream, the outcome after.

use std::sync::Arc;

use tokio::io::{AsyncRead, AsyncWrite};

use crate::audit::{Outcome, SessionFields, Stamp, StatementRecord, Ticket, Verdict};
use crate::error::{ClientError, SqlState};
use crate::govern::cache::Decided;
use crate::govern::permit::{Denial, Permit};
use crate::metrics::METRICS;
use crate::names::ProductId;
use crate::statement::Rejection;
use crate::upstream::Control;

use super::exchange::Place;
use super::portals::Prepared;
use super::{End, Session};

/// A statement that is enqueued for the warehouse and not recorded yet.
#[derive(Debug)]
pub(super) struct Pending {
    /// Whose answer the record's outcome is.
    pub place: Place,
    pub prepared: Arc<Prepared>,
    /// A Parse; its record is spared when the statement is executed in the same breath.
    pub parse: bool,
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Session<S> {
    /// Makes the fields that all records of the session have.
    pub(super) fn restamp(&mut self) {
        let subject = &self.surroundings.subject;
        let (user, behalf) = match &subject.authenticated_as {
            Some(other) => (other, Some(subject.user.as_str())),
            None => (&subject.user, None),
        };
        let application = crate::govern::settings::find("application_name");
        self.stamp = Stamp::new(&SessionFields {
            session: &self.name,
            user,
            on_behalf_of: behalf,
            roles: &subject.roles,
            client: self.peer,
            application: &application.map(|setting| self.settings.value(setting)).unwrap_or_default(),
            database: self.surroundings.warehouse.as_str(),
            tls: self.tls,
        });
    }

    /// Records an allowed statement. An error means that it must not run.
    pub(super) async fn record(&self, text: &str, decided: &Decided) -> Result<Ticket, ClientError> {
        let permit = decided.decision.permit().map(|permit| &**permit);
        self.record_permit(text, decided, permit).await
    }

    /// Records an allowed statement that runs the permit of another (EXECUTE, FETCH).
    pub(super) async fn record_permit(
        &self,
        text: &str,
        decided: &Decided,
        permit: Option<&Permit>,
    ) -> Result<Ticket, ClientError> {
        self.write_record(text, decided, permit, permit.map(|permit| &*permit.sql)).await
    }

    async fn write_record(
        &self,
        text: &str,
        decided: &Decided,
        permit: Option<&Permit>,
        forwarded: Option<&str>,
    ) -> Result<Ticket, ClientError> {
        let products = products_of(permit);
        let record = self.allowed(text, decided, permit, forwarded, &products);
        METRICS.allowed.increment(1);
        self.shared.audit.decided(&record).await.map_err(|error| error.to_client())
    }

    fn allowed<'a>(
        &'a self,
        text: &'a str,
        decided: &'a Decided,
        permit: Option<&'a Permit>,
        forwarded: Option<&'a str>,
        products: &'a [ProductId],
    ) -> StatementRecord<'a> {
        let fingerprint = permit.map_or_else(|| decided.fingerprint(), |permit| &permit.fingerprint);
        StatementRecord {
            stamp: &self.stamp,
            sql: text,
            fingerprint: Some(fingerprint),
            verdict: Verdict::Allow {
                forwarded,
                masked: permit.map(|permit| &*permit.masked).unwrap_or_default(),
                unmasked: permit.map(|permit| &*permit.unmasked).unwrap_or_default(),
            },
            products,
            generation: self.snapshot.generation(),
        }
    }

    /// Records FETCH and the like, which read what the permit of their cursor allows.
    pub(super) async fn record_control(
        &self,
        text: &str,
        decided: &Decided,
        permit: &Permit,
        control: &Control,
    ) -> Result<Ticket, ClientError> {
        self.write_record(text, decided, Some(permit), Some(&control.to_sql())).await
    }

    /// Records a denial. That it cannot be recorded changes nothing: it does not run either way.
    pub(super) async fn record_denial(&self, text: &str, rejection: &Rejection) {
        self.deny(text, rejection.fingerprint.as_deref(), &rejection.denial).await;
    }

    /// Records that a statement is refused for what the session is in, not for what it asks.
    pub(super) async fn deny(&self, text: &str, fingerprint: Option<&str>, denial: &Denial) {
        METRICS.denied(denial.reason);
        let record = StatementRecord {
            stamp: &self.stamp,
            sql: text,
            fingerprint,
            verdict: Verdict::Deny { reason: denial.reason, sqlstate: denial.error.sqlstate },
            products: &denial.products,
            generation: self.snapshot.generation(),
        };
        match self.shared.audit.decided(&record).await {
            Ok(ticket) => drop(ticket),
            Err(error) => tracing::error!(session = self.name, %error, "a denial could not be recorded"),
        }
    }

    /// Records what was enqueued since the last time. Nothing of it was sent yet; if it cannot be recorded, nothing will.
    pub(super) async fn record_pending(&mut self) -> Result<(), End> {
        if self.pending.is_empty() {
            return Ok(());
        }
        let pending = std::mem::take(&mut self.pending);
        let executed = |at: usize, one: &Pending| {
            let mut later = pending.iter().skip(at + 1);
            later.any(|later| !later.parse && Arc::ptr_eq(&later.prepared, &one.prepared))
        };
        let due: Vec<(&Pending, &Decided, Vec<ProductId>)> = pending
            .iter()
            .enumerate()
            .filter(|(at, one)| !(one.parse && executed(*at, one)))
            .filter_map(|(_, one)| {
                Some((one, one.prepared.decided.first()?, products_of(one.prepared.permit().map(|permit| &**permit))))
            })
            .collect();
        if !due.is_empty() {
            let records: Vec<StatementRecord<'_>> = due
                .iter()
                .map(|(one, decided, products)| {
                    let permit = one.prepared.permit().map(|permit| &**permit);
                    let forwarded = permit.map(|permit| &*permit.sql);
                    self.allowed(&one.prepared.text, decided, permit, forwarded, products)
                })
                .collect();
            METRICS.allowed.increment(records.len() as u64);
            let tickets = match self.shared.audit.decided_all(&records).await {
                Ok(tickets) => tickets,
                Err(error) => return self.lose(&error.to_client()),
            };
            for ((one, ..), ticket) in due.iter().zip(tickets) {
                self.exchange.attach(one.place, ticket);
            }
        }
        self.pending = pending;
        self.pending.clear();
        Ok(())
    }
}

fn products_of(permit: Option<&Permit>) -> Vec<ProductId> {
    permit.map(|permit| permit.products.iter().map(|product| product.id.clone()).collect()).unwrap_or_default()
}

/// Writes down the end of a statement that pgveil has answered itself, or that failed before it was sent.
pub(super) fn settle_ticket(ticket: Ticket, rows: u64, sqlstate: Option<SqlState>) {
    let duration = ticket.started().elapsed();
    METRICS.statement.record(duration);
    ticket.completed(&Outcome { rows, bytes: 0, duration, truncated: false, sqlstate });
}
