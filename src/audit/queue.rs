//! Records that wait to be written, and who writes them.

use std::borrow::Cow;
use std::cell::RefCell;
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use jiff::Timestamp;
use tokio::sync::oneshot;

use crate::config::{AuditConfig, AuditFailure, Durability, SqlRecording};
use crate::error::SqlState;
use crate::metrics::METRICS;

use super::file::LogFile;
use super::record::{self, Event, Outcome, StatementRecord, Texts, Verdict};
use super::{AuditError, Redact, Ticket, Tickets};

/// Outcomes and events wait at most twice this long for a statement to take them along.
const PATIENCE: Duration = Duration::from_millis(25);
/// How long after a failure the log is tried again when no statement comes.
const RETRY: Duration = Duration::from_secs(1);
/// Old files are looked for this often.
const HOUSEKEEPING: Duration = Duration::from_secs(3600);
/// What waits for a disk that is full takes no more memory than this; what comes then is lost, and counted.
const MOST_WAITING_BYTES: usize = 8 << 20;
/// A statement that writes for others goes back to its own work after so many batches.
const BATCHES_FOR_OTHERS: usize = 4;

type Answer = Result<Tickets, AuditError>;

/// One record without its head.
struct Entry {
    /// Where its text ends in [`Batch::text`].
    end: usize,
    at: Timestamp,
    kind: Kind,
}

enum Kind {
    /// Somebody waits for it, and for the records that follow it: `count` with this one.
    Statements { count: usize, owes_outcome: bool, waiter: Option<oneshot::Sender<Answer>> },
    /// One of those.
    Following,
    /// Nobody waits.
    Other,
}

/// Records that are written together.
#[derive(Default)]
pub(super) struct Batch {
    text: Vec<u8>,
    entries: Vec<Entry>,
}

impl Batch {
    fn push(&mut self, tail: &[u8], at: Timestamp, kind: Kind) {
        self.text.extend_from_slice(tail);
        self.entries.push(Entry { end: self.text.len(), at, kind });
    }

    /// The records, in order: time and text.
    pub(super) fn records(&self) -> impl Iterator<Item = (Timestamp, &[u8])> {
        let mut start = 0;
        self.entries.iter().map(move |entry| {
            let tail = self.text.get(start..entry.end).unwrap_or_default();
            start = entry.end;
            (entry.at, tail)
        })
    }

    /// Hands every record over, in order.
    fn drain(&mut self, mut take: impl FnMut(&[u8], Timestamp, Kind)) {
        let mut start = 0;
        for entry in self.entries.drain(..) {
            take(self.text.get(start..entry.end).unwrap_or_default(), entry.at, entry.kind);
            start = entry.end;
        }
        self.text.clear();
    }

    fn clear(&mut self) {
        self.text.clear();
        self.entries.clear();
        // One statement of many megabytes must not keep its memory for ever.
        self.text.shrink_to(1 << 20);
    }
}

/// What went wrong since the last good write.
#[derive(Clone, Debug)]
pub(super) struct Failure {
    error: AuditError,
    last: Instant,
    pub(super) refused: u64,
    pub(super) unrecorded: u64,
    pub(super) lost: u64,
}

struct State {
    batch: Batch,
    spare: Batch,
    /// Somebody has taken a batch and is at the file.
    writing: bool,
    /// Statements in `batch`.
    waiting: usize,
    /// Since when the oldest record waits.
    oldest: Option<Instant>,
    /// The log's thread wakes up by itself then.
    wakes_at: Option<Instant>,
    failure: Option<Failure>,
    closed: bool,
}

impl State {
    fn new() -> Self {
        Self {
            batch: Batch::default(),
            spare: Batch::default(),
            writing: false,
            waiting: 0,
            oldest: None,
            wakes_at: None,
            failure: None,
            closed: false,
        }
    }

    /// When the log's thread has something to do.
    fn due(&self, now: Instant) -> Option<Instant> {
        if self.waiting > 0 {
            return Some(now);
        }
        match &self.failure {
            // Also with nothing to write: else a proxy that gets no statements because it is not ready stays so.
            Some(failure) => Some(failure.last + RETRY),
            None => self.oldest.map(|oldest| oldest + PATIENCE),
        }
    }

    /// Notes a failed attempt, and puts back what it could not write, before what has come since.
    fn keep(&mut self, on_failure: AuditFailure, error: AuditError, statements: u64, mut kept: Batch) {
        let now = Instant::now();
        let failure = self.failure.get_or_insert_with(|| {
            tracing::error!(%error, "the audit log cannot be written");
            Failure { error: error.clone(), last: now, refused: 0, unrecorded: 0, lost: 0 }
        });
        failure.error = error;
        failure.last = now;
        match on_failure {
            AuditFailure::Deny => failure.refused += statements,
            AuditFailure::Allow => failure.unrecorded += statements,
        }
        if kept.entries.is_empty() {
            return;
        }
        self.batch.drain(|tail, at, kind| kept.push(tail, at, kind));
        self.batch = kept;
        self.oldest = Some(now);
    }

    fn report_losses(&self) {
        let left = self.batch.entries.len();
        if left > 0 {
            tracing::error!(records = left, "the audit log could not be written to the end");
        }
    }
}

/// The queue of one log.
pub(super) struct Queue {
    state: Mutex<State>,
    wake: Condvar,
    file: Mutex<LogFile>,
    settings: ArcSwap<Settings>,
    redact: Redact,
    path: PathBuf,
}

/// What may change while the log is open.
#[derive(Clone, Copy)]
struct Settings {
    durability: Durability,
    on_failure: AuditFailure,
    recording: SqlRecording,
}

impl Settings {
    fn of(config: &AuditConfig) -> Self {
        Self { durability: config.durability, on_failure: config.on_failure, recording: config.sql }
    }
}

thread_local! {
    /// Where a record is written out before the queue is locked.
    static TAIL: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

fn with_tail<T, W>(write: impl FnOnce(&mut Vec<u8>) -> W, then: impl FnOnce(&[u8], W) -> T) -> T {
    // Taken out, not borrowed: a ticket that is dropped while a batch is answered writes a record too.
    let mut tail = TAIL.take();
    tail.clear();
    let written = write(&mut tail);
    let result = then(&tail, written);
    tail.shrink_to(1 << 20);
    TAIL.set(tail);
    result
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Queue {
    pub(super) fn new(config: &AuditConfig, redact: Redact, file: LogFile) -> Self {
        Self {
            state: Mutex::new(State::new()),
            path: config.path.clone(),
            wake: Condvar::new(),
            file: Mutex::new(file),
            settings: ArcSwap::from_pointee(Settings::of(config)),
            redact,
        }
    }

    pub(super) fn reconfigure(&self, config: &AuditConfig) {
        self.settings.store(Arc::new(Settings::of(config)));
        lock(&self.file).reconfigure(config);
    }

    fn settings(&self) -> Settings {
        **self.settings.load()
    }

    pub(super) async fn decided(self: &Arc<Self>, record: &StatementRecord<'_>) -> Result<Ticket, AuditError> {
        let mut tickets = self.decided_all(std::slice::from_ref(record)).await?;
        tickets.next().ok_or_else(|| self.unanswered())
    }

    pub(super) async fn decided_all(self: &Arc<Self>, records: &[StatementRecord<'_>]) -> Answer {
        match self.enqueue(records) {
            Ok(answer) => answer,
            Err(receiver) => receiver.await.unwrap_or_else(|_| Err(self.unanswered())),
        }
    }

    /// Writes the records if nobody else is writing, else leaves them to who is. They are all of one kind, allowed or denied.
    fn enqueue(self: &Arc<Self>, records: &[StatementRecord<'_>]) -> Result<Answer, oneshot::Receiver<Answer>> {
        let owes_outcome = records.iter().any(|record| matches!(record.verdict, Verdict::Allow { .. }));
        with_tail(
            |tail| {
                let mut ends = Vec::with_capacity(records.len());
                for record in records {
                    record::write_statement(tail, record, &self.texts(record));
                    ends.push(tail.len());
                }
                ends
            },
            |tail, ends| {
                let at = Timestamp::now();
                let mut state = lock(&self.state);
                let leads = !state.writing && (self.settings().durability == Durability::Write || state.closed);
                let (waiter, receiver) = if leads {
                    (None, None)
                } else {
                    let (sender, receiver) = oneshot::channel();
                    (Some(sender), Some(receiver))
                };
                let mut kind = Kind::Statements { count: records.len(), owes_outcome, waiter };
                let mut start = 0;
                for end in &ends {
                    let record = tail.get(start..*end).unwrap_or_default();
                    state.batch.push(record, at, std::mem::replace(&mut kind, Kind::Following));
                    start = *end;
                }
                state.waiting += records.len();
                match receiver {
                    None => Ok(self.lead(state)),
                    Some(receiver) => {
                        if self.settings().durability == Durability::Sync && !state.writing {
                            self.wake.notify_one();
                        }
                        Err(receiver)
                    }
                }
            },
        )
    }

    fn texts<'a>(&self, record: &StatementRecord<'a>) -> Texts<'a> {
        let forwarded = match record.verdict {
            Verdict::Allow { forwarded, .. } => forwarded,
            Verdict::Deny { .. } => None,
        };
        match self.settings().recording {
            SqlRecording::Full => {
                Texts { sql: Some(Cow::Borrowed(record.sql)), forwarded: forwarded.map(Cow::Borrowed) }
            }
            SqlRecording::Redacted => Texts {
                sql: Some(Cow::Owned((self.redact)(record.sql))),
                forwarded: forwarded.map(|text| Cow::Owned((self.redact)(text))),
            },
            SqlRecording::None => Texts { sql: None, forwarded: None },
        }
    }

    pub(super) fn outcome(self: &Arc<Self>, of: u64, outcome: &Outcome) {
        with_tail(|tail| record::write_outcome(tail, of, outcome), |tail, ()| self.leave(tail));
    }

    pub(super) fn cut_off(self: &Arc<Self>, of: u64, duration: Duration, by: SqlState) {
        with_tail(|tail| record::write_cut_off(tail, of, duration, by), |tail, ()| self.leave(tail));
    }

    pub(super) fn event(self: &Arc<Self>, event: &Event<'_>) {
        with_tail(|tail| record::write_event(tail, event), |tail, ()| self.leave(tail));
    }

    /// Leaves a record for which nobody waits.
    fn leave(self: &Arc<Self>, tail: &[u8]) {
        let mut state = lock(&self.state);
        let waiting_bytes = state.batch.text.len() + tail.len();
        if let Some(failure) = &mut state.failure
            && waiting_bytes > MOST_WAITING_BYTES
        {
            failure.lost += 1;
            METRICS.audit_lost.increment(1);
            return;
        }
        state.batch.push(tail, Timestamp::now(), Kind::Other);
        state.oldest.get_or_insert_with(Instant::now);
        if state.closed && !state.writing {
            // The log's thread is gone.
            let unanswered = self.write_taken(state, BATCHES_FOR_OTHERS);
            debug_assert!(unanswered.is_none(), "nobody waits for this record");
        } else if state.wakes_at.is_none() {
            self.wake.notify_one();
        }
    }

    /// Writes what has gathered, the caller's own records (the only ones without a waiter) included.
    fn lead(self: &Arc<Self>, state: MutexGuard<'_, State>) -> Answer {
        self.write_taken(state, BATCHES_FOR_OTHERS).unwrap_or_else(|| Err(self.unanswered()))
    }

    /// Writes batches until nobody waits any more, `most` of them. Returns the answer for the statements without a waiter.
    fn write_taken<'a>(self: &'a Arc<Self>, mut state: MutexGuard<'a, State>, most: usize) -> Option<Answer> {
        let mut own = None;
        state.writing = true;
        for round in 1..=most {
            let mut batch = std::mem::take(&mut state.spare);
            std::mem::swap(&mut batch, &mut state.batch);
            state.waiting = 0;
            state.oldest = None;
            let failure = state.failure.clone();
            drop(state);

            let result = lock(&self.file).write(&batch, failure.as_ref());
            let (answer, kept) = match result {
                Ok(first) => (self.accept(&mut batch, first), None),
                Err(error) => {
                    let (answer, refused, kept) = self.refuse(&mut batch, &error);
                    (answer, Some((error, refused, kept)))
                }
            };
            own = own.or(answer);

            state = lock(&self.state);
            match kept {
                None => {
                    if state.failure.take().is_some() {
                        tracing::info!("the audit log can be written again");
                    }
                }
                Some((error, refused, kept)) => state.keep(self.settings().on_failure, error, refused, kept),
            }
            batch.clear();
            state.spare = batch;
            if state.waiting == 0 || round == most {
                break;
            }
        }
        state.writing = false;
        if state.waiting > 0 || (self.settings().durability == Durability::Sync && !state.batch.entries.is_empty()) {
            self.wake.notify_one();
        }
        own
    }

    /// Whoever wrote did not say what came of it (it panicked): nothing is known to be recorded.
    fn unanswered(&self) -> AuditError {
        let reason = "the writer has ended unexpectedly".to_owned();
        AuditError::Io { path: self.path.clone(), action: "written", reason }
    }

    /// Tells those who wait that their records are written.
    fn accept(self: &Arc<Self>, batch: &mut Batch, first: u64) -> Option<Answer> {
        METRICS.audit_records.increment(batch.entries.len() as u64);
        let mut own = None;
        for (seq, entry) in (first..).zip(&mut batch.entries) {
            if let Kind::Statements { count, owes_outcome, waiter } = &mut entry.kind {
                let tickets = Tickets::new(Arc::clone(self), Some(seq), *count, *owes_outcome);
                match waiter.take() {
                    // Nobody there any more: the tickets are dropped, which records that the statements were cut off.
                    Some(waiter) => drop(waiter.send(Ok(tickets))),
                    None => own = Some(Ok(tickets)),
                }
            }
        }
        own
    }

    /// Tells those who wait that nothing was written; returns what must be kept for the next attempt.
    fn refuse(self: &Arc<Self>, batch: &mut Batch, error: &AuditError) -> (Option<Answer>, u64, Batch) {
        let (mut own, mut statements, mut kept) = (None, 0, Batch::default());
        batch.drain(|tail, at, kind| match kind {
            Kind::Other => kept.push(tail, at, Kind::Other),
            Kind::Following => {}
            Kind::Statements { count, waiter, .. } => {
                statements += count as u64;
                let answer = match self.settings().on_failure {
                    AuditFailure::Deny => Err(error.clone()),
                    AuditFailure::Allow => Ok(Tickets::new(Arc::clone(self), None, count, false)),
                };
                match waiter {
                    Some(waiter) => drop(waiter.send(answer)),
                    None => own = Some(answer),
                }
            }
        });
        METRICS.audit_failures.increment(1);
        match self.settings().on_failure {
            AuditFailure::Deny => METRICS.audit_refused.increment(statements),
            AuditFailure::Allow => METRICS.audit_unrecorded.increment(statements),
        }
        (own, statements, kept)
    }

    /// The log's own thread: writes for those who wait for a sync, and what nobody waits for.
    pub(super) fn serve(self: &Arc<Self>) {
        let mut housekeeping = Instant::now() + HOUSEKEEPING;
        let mut state = lock(&self.state);
        loop {
            let now = Instant::now();
            let due = state.due(now);
            if !state.writing && (state.closed || due.is_some_and(|due| due <= now)) {
                let last = state.closed;
                if !state.batch.entries.is_empty() || state.failure.is_some() {
                    drop(self.write_taken(state, 1));
                    state = lock(&self.state);
                }
                if last && !state.writing && (state.batch.entries.is_empty() || state.failure.is_some()) {
                    state.report_losses();
                    return;
                }
                continue;
            }
            if housekeeping <= now {
                housekeeping = now + HOUSEKEEPING;
                drop(state);
                lock(&self.file).expire();
                state = lock(&self.state);
                continue;
            }
            let next = if state.writing { Some(now + PATIENCE) } else { due };
            state.wakes_at = next;
            let wait = next.unwrap_or(housekeeping).min(housekeeping).saturating_duration_since(now);
            state = self.wake.wait_timeout(state, wait).unwrap_or_else(PoisonError::into_inner).0;
            state.wakes_at = None;
        }
    }

    pub(super) fn health(&self) -> Result<(), AuditError> {
        lock(&self.state).failure.as_ref().map_or(Ok(()), |failure| Err(failure.error.clone()))
    }

    pub(super) fn lag(&self) -> (usize, Duration) {
        let state = lock(&self.state);
        (state.batch.entries.len(), state.oldest.map_or(Duration::ZERO, |oldest| oldest.elapsed()))
    }

    pub(super) fn close(&self) {
        lock(&self.state).closed = true;
        self.wake.notify_all();
    }

    pub(super) fn is_closed(&self) -> bool {
        lock(&self.state).closed
    }
}
