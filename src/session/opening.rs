//! A session begins: whose it is, what it starts with, what the client is told before its first message.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{Instant, timeout};

use crate::audit::{Event, Stamp};
use crate::error::{ClientError, ErrorKind, sqlstate};
use crate::govern::cache::Surroundings;
use crate::govern::decide::SearchPath;
use crate::metrics::METRICS;
use crate::statement::{Shared, day_number, today};
use crate::upstream::Pool;
use crate::wire::{TransactionStatus, backend};

use super::cancel::Registry;
use super::clock::Clock;
use super::exchange::Exchange;
use super::settings::Settings;
use super::startup::Client;
use super::statements::Statements;
use super::tls::ClientStream;
use super::transaction::Transaction;
use super::{Session, drive};

/// How long a log-in waits for a warehouse of which not even the version is known yet.
const FIRST_CONTACT: Duration = Duration::from_secs(2);

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Session<S> {
    /// Makes a session of a client, and tells it so. `None`: it could not begin, which the client was told.
    pub(super) async fn open(client: Client<S>, registry: &Registry, shared: Arc<Shared>) -> Option<Box<Self>> {
        let Client { stream, buffer, user, warehouse, parameters, peer, tls, protocol, slot, .. } = client;
        let snapshot = shared.snapshot();
        let (subject, pool) = match (snapshot.subject(user.as_str(), None), shared.pool(&warehouse)) {
            (Some(subject), Some(pool)) => (subject, pool),
            (None, _) => {
                turn_away(stream, &gone_user()).await;
                return None;
            }
            (_, None) => {
                turn_away(stream, &gone_warehouse(warehouse.as_str())).await;
                return None;
            }
        };
        let version = server_version(&shared, &pool).await;
        let limit = subject.limits.statement_timeout;
        let (settings, notices) = match Settings::new(user.as_str(), version.as_deref(), limit, &parameters) {
            Ok(settings) => settings,
            Err(error) => {
                let error = ClientError { severity: crate::error::Severity::Fatal, ..error };
                turn_away(stream, &error).await;
                return None;
            }
        };
        let registration = Arc::new(registry.register(&user, protocol));
        let mut surroundings = Surroundings { warehouse, subject, search_path: SearchPath::Domains, today: today() };
        surroundings.search_path = settings.search_path();
        let queue = shared.queues.of(&user);
        let mut outbox = BytesMut::with_capacity(1024);
        for notice in &notices {
            backend::notice(&mut outbox, notice);
        }
        let mut session = Box::new(Self {
            pool,
            registry: registry.clone(),
            shutdown: shared.shutdown.clone(),
            name: format!("{:08x}", registration.pid()),
            stamp: Stamp::default(),
            peer,
            tls: tls.map(|tls| tls.version),
            _place: slot,
            stream,
            inbox: buffer,
            outbox,
            surroundings_id: snapshot.decisions().intern(&surroundings),
            snapshot,
            surroundings,
            day: day_number(),
            epoch: 0,
            queue,
            settings,
            transaction: Transaction::default(),
            statements: Statements::default(),
            portals: HashMap::new(),
            cursors: HashMap::new(),
            said: HashSet::new(),
            lease: None,
            applied: None,
            unnamed: None,
            slot: None,
            exchange: Exchange::default(),
            pending: Vec::new(),
            relaying: false,
            skipping: false,
            in_script: false,
            script_failed: false,
            fail_owed: false,
            ready_owed: false,
            lost_with: None,
            controlled: None,
            interrupted: None,
            cancelling: None,
            clock: Clock::new(),
            taken: Instant::now(),
            registration,
            shared,
        });
        session.greet();
        Some(session)
    }

    /// What comes between AuthenticationOk and the client's first message.
    fn greet(&mut self) {
        self.follow_policy();
        self.restamp();
        self.shared.audit.event(&Event::SessionStart(&self.stamp));
        self.settings.tell_all(&mut self.outbox);
        backend::backend_key_data(&mut self.outbox, self.registration.pid(), self.registration.key());
        backend::ready(&mut self.outbox, TransactionStatus::Idle);
        tracing::info!(
            session = self.name,
            user = %self.surroundings.subject.user,
            warehouse = %self.surroundings.warehouse,
            peer = %self.peer,
            tls = self.tls.unwrap_or("no"),
            "session begins"
        );
    }
}

/// The version that the warehouse last told, or tells now if it is there.
async fn server_version(shared: &Shared, pool: &Pool) -> Option<Arc<str>> {
    if let Some(version) = shared.versions.get(pool.warehouse()) {
        return Some(Arc::clone(&version));
    }
    let lease = timeout(FIRST_CONTACT, pool.acquire(Instant::now() + FIRST_CONTACT)).await.ok()?.ok()?;
    let version: Arc<str> = Arc::from(lease.parameter("server_version")?);
    shared.versions.insert(pool.warehouse().clone(), Arc::clone(&version));
    Some(version)
}

async fn turn_away<S: AsyncRead + AsyncWrite + Unpin>(mut stream: ClientStream<S>, error: &ClientError) {
    METRICS.error(error.kind);
    let mut out = BytesMut::new();
    backend::error(&mut out, error);
    if matches!(timeout(FIRST_CONTACT, drive::send_rest(&mut stream, &mut out)).await, Ok(Ok(()))) {
        stream.farewell().await;
    }
}

fn gone_user() -> ClientError {
    ClientError::fatal(
        ErrorKind::Authentication,
        sqlstate::INVALID_AUTHORIZATION_SPECIFICATION,
        "the policy of this user has changed",
    )
    .with_hint("Connect again.")
}

fn gone_warehouse(name: &str) -> ClientError {
    ClientError::fatal(ErrorKind::Client, sqlstate::INVALID_CATALOG_NAME, format!("database \"{name}\" does not exist"))
        .with_hint("Connect again.")
}
