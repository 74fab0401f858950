//! The audit log: one JSON object a line, hash-chained, the decision before the first byte goes upstream, the outcome after.
//!
//! A record waits in the [`queue`] without `seq` and hash until it is written: the one who finds nobody writing takes all
//! that has gathered, chains it and writes it with one `write(2)`. A batch that cannot be written is taken apart again: its
//! statements are refused, and because nothing of it was chained, the next batch leaves no gap.

mod chain;
mod file;
mod json;
mod line;
mod queue;
mod record;
mod rotation;
mod tail;
#[cfg(test)]
mod tests;
pub mod verify;

use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Instant;

use crate::config::AuditConfig;
use crate::error::{ClientError, ErrorKind, SqlState, sqlstate};

pub use record::{ContractOutcome, Event, Outcome, ReloadOutcome, SessionFields, Stamp, StatementRecord, Verdict};

use queue::Queue;

/// How literals are replaced in a statement's text, for `[audit] sql = "redacted"`.
pub type Redact = fn(&str) -> String;

/// Why the audit log cannot be opened or written.
#[derive(Clone, Debug, thiserror::Error)]
pub enum AuditError {
    /// Another process holds it.
    #[error("audit log {path} is in use by another pgveil{holder}; stop that one or give this one its own [audit] path", path = .path.display())]
    Locked {
        /// The log.
        path: PathBuf,
        /// ` (process 17)`, when that is known.
        holder: String,
    },
    /// What is there is not what pgveil wrote.
    #[error("audit log {path} cannot be continued: {what}", path = .path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong and what to do.
        what: String,
    },
    /// The system refused.
    #[error("audit log {path} cannot be {action}: {reason}", path = .path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// opened, written, …
        action: &'static str,
        /// The system's words.
        reason: String,
    },
}

impl AuditError {
    /// What the client is told: that, and no more of the server's disks.
    pub fn to_client(&self) -> ClientError {
        ClientError::new(ErrorKind::Internal, sqlstate::IO_ERROR, "audit log cannot be written")
            .with_detail("No statement runs that cannot be recorded.")
            .with_hint("Tell the operators of pgveil; its log says why.")
    }
}

/// The audit log of this process. Clones are the same log; when the last one is dropped, everything is written.
#[derive(Clone)]
pub struct Audit {
    owner: Arc<Owner>,
}

struct Owner {
    queue: Arc<Queue>,
    writer: Mutex<Option<JoinHandle<()>>>,
}

impl Audit {
    /// Opens the log, continues its chain and mends what a crash left behind.
    pub fn open(config: &AuditConfig, redact: Redact) -> Result<Self, AuditError> {
        let file = file::LogFile::open(config)?;
        let queue = Arc::new(Queue::new(config, redact, file));
        let writer = Arc::clone(&queue);
        let writer =
            std::thread::Builder::new().name("audit".to_owned()).spawn(move || writer.serve()).map_err(|e| {
                AuditError::Io { path: config.path.clone(), action: "opened", reason: format!("no thread for it: {e}") }
            })?;
        Ok(Self { owner: Arc::new(Owner { queue, writer: Mutex::new(Some(writer)) }) })
    }

    /// Records a decision; returns when the record is written as `[audit] durability` says. An error means that the
    /// statement must not run.
    pub async fn decided(&self, record: &StatementRecord<'_>) -> Result<Ticket, AuditError> {
        self.owner.queue.decided(record).await
    }

    /// Records several decisions at once, all to run their statements: with one write, which is what a pipeline costs then. The
    /// tickets come in the order of the records. An error means that none of the statements must run.
    pub async fn decided_all(&self, records: &[StatementRecord<'_>]) -> Result<Tickets, AuditError> {
        debug_assert!(!records.is_empty(), "nothing is decided");
        self.owner.queue.decided_all(records).await
    }

    /// Records something else. Does not wait: it is written with the next statement, or within 50 ms.
    pub fn event(&self, event: &Event<'_>) {
        self.owner.queue.event(event);
    }

    /// Takes over changed settings; another `path` needs a restart.
    pub fn reconfigure(&self, config: &AuditConfig) {
        self.owner.queue.reconfigure(config);
    }

    /// `Err`: the last attempt to write failed; for readiness.
    pub fn health(&self) -> Result<(), AuditError> {
        self.owner.queue.health()
    }

    /// How many records wait to be written, and how long the oldest has been waiting; for the metrics.
    pub fn lag(&self) -> (usize, std::time::Duration) {
        self.owner.queue.lag()
    }

    /// Writes everything and ends the log's thread; what comes later is written at once. Blocks.
    pub fn close(&self) {
        self.owner.close();
    }
}

impl Owner {
    fn close(&self) {
        self.queue.close();
        let writer = self.writer.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take();
        if let Some(writer) = writer
            && writer.join().is_err()
        {
            tracing::error!("the audit log's thread has panicked");
        }
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        self.close();
    }
}

/// The receipts of decisions that were recorded together, in their order. Those that nobody takes record, as a dropped
/// [`Ticket`] does, that their statement was cut off.
#[must_use = "tickets that are dropped record that their statements were cut off"]
pub struct Tickets {
    queue: Arc<Queue>,
    /// Of the next one.
    seq: Option<u64>,
    left: usize,
    owe_outcomes: bool,
}

impl Tickets {
    fn new(queue: Arc<Queue>, seq: Option<u64>, left: usize, owe_outcomes: bool) -> Self {
        Self { queue, seq, left, owe_outcomes }
    }
}

impl Iterator for Tickets {
    type Item = Ticket;

    fn next(&mut self) -> Option<Ticket> {
        self.left = self.left.checked_sub(1)?;
        let ticket = Ticket::new(Arc::clone(&self.queue), self.seq, self.owe_outcomes);
        self.seq = self.seq.map(|seq| seq + 1);
        Some(ticket)
    }
}

impl Drop for Tickets {
    fn drop(&mut self) {
        self.for_each(drop);
    }
}

/// The receipt of a recorded decision. Dropped without [`Ticket::completed`], it records that the statement was cut off.
#[must_use = "a ticket that is dropped records that its statement was cut off"]
pub struct Ticket {
    queue: Arc<Queue>,
    /// `None`: no outcome is owed (a denial, or unrecorded under `on_failure = "allow"`).
    of: Option<u64>,
    seq: Option<u64>,
    started: Instant,
}

impl std::fmt::Debug for Ticket {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ticket").field("seq", &self.seq).finish_non_exhaustive()
    }
}

impl Ticket {
    fn new(queue: Arc<Queue>, seq: Option<u64>, owes_outcome: bool) -> Self {
        Self { queue, of: seq.filter(|_| owes_outcome), seq, started: Instant::now() }
    }

    /// The record's number; `None` when it could not be written and `on_failure` is `allow`.
    pub fn seq(&self) -> Option<u64> {
        self.seq
    }

    /// When the decision was recorded.
    pub fn started(&self) -> Instant {
        self.started
    }

    /// Records how the statement ended. Never blocks on the disk.
    pub fn completed(mut self, outcome: &Outcome) {
        if let Some(of) = self.of.take() {
            self.queue.outcome(of, outcome);
        }
    }

    /// Records that the statement was cut off, by what.
    pub fn cut_off(mut self, by: SqlState) {
        if let Some(of) = self.of.take() {
            self.queue.cut_off(of, self.started.elapsed(), by);
        }
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        if let Some(of) = self.of.take() {
            let by = if self.queue.is_closed() { sqlstate::ADMIN_SHUTDOWN } else { sqlstate::CONNECTION_FAILURE };
            self.queue.cut_off(of, self.started.elapsed(), by);
        }
    }
}
