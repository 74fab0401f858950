//! One client's connection, from the first byte to the last.
//!
//! A session is one task. It takes what the client has sent, message by message; what needs the warehouse is enqueued on
//! the lease, with a note in [`exchange`] of what the answer will be; what it has decided is recorded; and then [`drive`]
//! moves bytes in all directions at once until there is a message again. A message whose effect depends on answers that
//! are still to come (a COMMIT behind a SELECT in one pipeline) waits for them: [`Session::settle`].

mod by_name;
pub mod cancel;
mod clock;
mod cursors;
mod describe;
mod drive;
mod ending;
mod exchange;
mod execute;
mod extended;
mod layers;
mod lease;
pub mod listener;
mod local;
mod opening;
mod portals;
mod records;
mod run;
mod settings;
mod simple;
pub mod startup;
pub mod tls;
mod transaction;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use bytes::BytesMut;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, watch};
use tokio::time::Instant;

use crate::audit::Stamp;
use crate::error::{ClientError, ErrorKind, Severity, sqlstate};
use crate::govern::cache::{Surroundings, SurroundingsId};
use crate::govern::snapshot::Snapshot;
use crate::metrics::METRICS;
use crate::names::ProductId;
use crate::statement::{Queue, Shared, Shutdown, Slot, day_number, today};
use crate::upstream::{Lease, Pool, StatementName, UpstreamSettings};
use crate::wire::frontend::{self, Message};
use crate::wire::{WireError, backend};

use cancel::{Registration, Registry};
use clock::Clock;
use exchange::Exchange;
use portals::{Cursor, Portal, Prepared};
use records::Pending;
use settings::Settings;
use startup::Client;
use tls::ClientStream;
use transaction::Transaction;

/// Above this many bytes for the client nothing more is read from the warehouse.
const MOST_WAITING_FOR_CLIENT: usize = 64 * 1024;
/// Above this many outstanding answers no further message is taken.
const MOST_OUTSTANDING: usize = 512;

/// The whole life of a client after its authentication.
pub async fn run<S>(client: Client<S>, registry: &Registry, shared: Arc<Shared>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send,
{
    METRICS.sessions_started.increment(1);
    METRICS.sessions.increment(1.0);
    if let Some(mut session) = Session::<S>::open(client, registry, shared).await {
        let end = session.serve().await.err().unwrap_or(End::Closed);
        session.close(end).await;
    }
    METRICS.sessions.decrement(1.0);
}

/// Why a session ends.
#[derive(Debug)]
pub(in crate::session) enum End {
    /// The client is gone, or has said good-bye.
    Closed,
    /// The client is told why.
    Fatal(ClientError),
}

/// One client. `S` is what lies below TLS.
pub(in crate::session) struct Session<S = TcpStream> {
    shared: Arc<Shared>,
    pool: Pool,
    registration: Arc<Registration>,
    registry: Registry,
    shutdown: watch::Receiver<Shutdown>,
    /// In logs and in the audit log.
    name: String,
    stamp: Stamp,
    peer: std::net::SocketAddr,
    tls: Option<&'static str>,
    _place: OwnedSemaphorePermit,

    stream: ClientStream<S>,
    inbox: BytesMut,
    outbox: BytesMut,

    snapshot: Arc<Snapshot>,
    surroundings: Surroundings,
    surroundings_id: SurroundingsId,
    day: u64,
    /// Rises when decisions of before may not hold any more.
    epoch: u64,
    queue: Arc<Queue>,

    settings: Settings,
    transaction: Transaction,
    statements: HashMap<String, Arc<Prepared>>,
    portals: HashMap<String, Portal>,
    cursors: HashMap<String, Cursor>,
    /// Products about which the client was told what there is to know.
    said: HashSet<(ProductId, &'static str)>,

    lease: Option<Lease>,
    /// The settings that the lease was last asked for; the client's unnamed statement, while it is known where it lies.
    applied: Option<Arc<UpstreamSettings>>,
    unnamed: Option<(Arc<Prepared>, StatementName)>,
    slot: Option<Slot>,
    exchange: Exchange,
    pending: Vec<Pending>,
    /// A row is under way that the relay has not seen the end of.
    relaying: bool,
    /// After an error in the extended protocol: everything up to Sync is skipped.
    skipping: bool,
    /// Several statements of one Query are under way; whether one of them, or a DECLARE, has failed.
    in_script: bool,
    script_failed: bool,
    /// The client was told of a failure that the warehouse's transaction has yet to share; and of ReadyForQuery after it.
    fail_owed: bool,
    ready_owed: bool,
    /// What ended the connection of a transaction while nobody waited.
    lost_with: Option<ClientError>,
    /// How the last control statement ended.
    controlled: Option<Result<String, ClientError>>,
    /// Why what runs was cancelled.
    interrupted: Option<ClientError>,
    cancelling: Option<tokio::task::JoinHandle<()>>,
    clock: Clock,
    /// When the message in hand was taken.
    taken: Instant,
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Session<S> {
    /// Serves the client until it ends.
    async fn serve(&mut self) -> Result<(), End> {
        loop {
            self.take_messages().await?;
            self.record_pending().await?;
            self.rest();
            drive::until_message(self).await?;
        }
    }

    /// Takes every message that is there whole.
    async fn take_messages(&mut self) -> Result<(), End> {
        loop {
            if self.exchange.len() >= MOST_OUTSTANDING {
                // The Sync that would make the warehouse answer may stand behind messages that are not taken now.
                return self.flush().await;
            }
            if self.outbox.len() >= MOST_WAITING_FOR_CLIENT {
                return Ok(());
            }
            let header = match frontend::frame(&self.inbox, self.shared.max_message) {
                Ok(Some(header)) => header,
                Ok(None) => return Ok(()),
                Err(error) => return Err(End::Fatal(error.into())),
            };
            if self.inbox.len() < header.len {
                self.inbox.reserve(header.len - self.inbox.len());
                return Ok(());
            }
            self.check_shutdown()?;
            let frame = self.inbox.split_to(header.len);
            self.taken = Instant::now();
            match frontend::decode(&frame) {
                Ok(message) => self.message(message).await?,
                Err(error) => self.malformed(header.tag, error).await?,
            }
        }
    }

    async fn message(&mut self, message: Message<'_>) -> Result<(), End> {
        if self.skipping && !matches!(message, Message::Sync | Message::Terminate) {
            return Ok(());
        }
        match message {
            Message::Query(text) => self.query(text).await,
            Message::Parse(parse) => self.parse(&parse).await,
            Message::Bind(bind) => self.bind(&bind).await,
            Message::Describe(target) => self.describe(target).await,
            Message::Execute(execute) => self.execute(&execute).await,
            Message::Close(target) => self.close_target(target).await,
            Message::Flush => self.flush().await,
            Message::Sync => self.sync().await,
            // Postgres ignores what belongs to a COPY FROM that has failed already.
            Message::CopyData(_) | Message::CopyDone | Message::CopyFail(_) => Ok(()),
            Message::FunctionCall => self.function_call().await,
            Message::Terminate => Err(End::Closed),
        }
    }

    /// A message whose frame could be measured but not read.
    async fn malformed(&mut self, tag: u8, error: WireError) -> Result<(), End> {
        let error = ClientError::from(error);
        if error.severity == Severity::Fatal {
            return Err(End::Fatal(error));
        }
        if self.skipping && tag != frontend::tag::SYNC {
            return Ok(());
        }
        self.settle().await?;
        if self.skipping && tag != frontend::tag::SYNC {
            return Ok(());
        }
        if matches!(tag, frontend::tag::QUERY | frontend::tag::FUNCTION_CALL | frontend::tag::SYNC) {
            self.refuse(error).await?;
            self.tell_ready();
            return Ok(());
        }
        self.refuse_pipeline(error).await
    }

    async fn function_call(&mut self) -> Result<(), End> {
        self.settle().await?;
        if self.skipping {
            return Ok(());
        }
        let error = ClientError::new(
            ErrorKind::Denied,
            sqlstate::INSUFFICIENT_PRIVILEGE,
            "function calls through the fast path are not supported",
        )
        .with_hint("Call the function in a SELECT.");
        self.refuse(error).await?;
        self.tell_ready();
        Ok(())
    }

    fn check_shutdown(&self) -> Result<(), End> {
        if *self.shutdown.borrow() == Shutdown::Running { Ok(()) } else { Err(End::Fatal(shutting_down())) }
    }

    /// The snapshot in force: when it was swapped, the user is looked for in the new one, and what was decided before has
    /// to be decided anew.
    fn refresh(&mut self) -> Result<(), End> {
        if !Arc::ptr_eq(&self.snapshot, &self.shared.snapshot.load()) {
            self.follow_snapshot()?;
        }
        let day = day_number();
        if day != self.day {
            // Sunsets are decided by the day.
            self.day = day;
            self.surroundings.today = today();
            self.surroundings_changed();
        }
        if self.settings.follow_search_path(&mut self.surroundings) {
            self.surroundings_changed();
        }
        Ok(())
    }

    fn follow_snapshot(&mut self) -> Result<(), End> {
        let snapshot = self.shared.snapshot();
        let subject = &self.surroundings.subject;
        let gone = || {
            End::Fatal(
                ClientError::fatal(
                    ErrorKind::Authentication,
                    sqlstate::INVALID_AUTHORIZATION_SPECIFICATION,
                    "the policy of this user has changed",
                )
                .with_hint("Connect again."),
            )
        };
        let same = |user: &crate::names::UserName| {
            let users = |snapshot: &Snapshot| snapshot.parts.policy.users.get(user).cloned();
            users(&snapshot).is_some_and(|now| Some(now) == users(&self.snapshot))
        };
        if !same(&subject.user) || subject.authenticated_as.as_ref().is_some_and(|other| !same(other)) {
            return Err(gone());
        }
        let subject = snapshot.subject(subject.user.as_str(), subject.authenticated_as.as_ref()).ok_or_else(gone)?;
        // A warehouse that is configured in another way has another pool.
        let warehouse = &self.surroundings.warehouse;
        self.pool = self.shared.pool(warehouse).ok_or_else(|| {
            let message = format!("the database \"{warehouse}\" is no longer configured");
            End::Fatal(ClientError::fatal(ErrorKind::Client, sqlstate::INVALID_CATALOG_NAME, message))
        })?;
        self.surroundings.subject = subject;
        self.snapshot = snapshot;
        self.follow_policy();
        self.restamp();
        self.surroundings_changed();
        Ok(())
    }

    fn follow_policy(&mut self) {
        let Surroundings { warehouse, subject, today, .. } = &self.surroundings;
        let domains = self.snapshot.visible_domains(subject, warehouse, *today);
        self.settings.follow_policy(subject.limits.statement_timeout, &domains);
    }

    fn surroundings_changed(&mut self) {
        self.surroundings_id = self.snapshot.decisions().intern(&self.surroundings);
        self.epoch += 1;
    }

    /// ReadyForQuery, and before it what has changed of the settings that clients are told of.
    fn tell_ready(&mut self) {
        if !self.transaction.is_open() {
            self.settings.end_of_transaction(true);
        }
        self.settings.tell_changes(&mut self.outbox);
        backend::ready(&mut self.outbox, self.transaction.status());
    }
}

/// 57P01
fn shutting_down() -> ClientError {
    ClientError::fatal(ErrorKind::Unavailable, sqlstate::ADMIN_SHUTDOWN, "pgveil is shutting down")
        .with_hint("Connect again in a moment.")
}
