//! Clients: who may come in, and what becomes of those who do not.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;

use arc_swap::ArcSwap;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, mpsc};

use crate::audit::Event;
use crate::auth::{Credentials, MockSecret};
use crate::config::{ServerConfig, User};
use crate::error::sqlstate;
use crate::metrics::METRICS;
use crate::names::{UserName, WarehouseName};
use crate::session::cancel::Registry;
use crate::session::startup::{Admission, Attempt, Refusal, StartupEnd, StartupSurroundings, accept};
use crate::session::tls::ServerTls;
use crate::session::{self, listener};
use crate::statement::Shared;

/// All clients of this process. Clones are the same.
#[derive(Clone)]
pub(super) struct Clients {
    shared: Arc<Shared>,
    /// New connections see the settings in force.
    surroundings: Arc<ArcSwap<StartupSurroundings>>,
}

impl Clients {
    pub(super) fn new(
        server: &ServerConfig,
        shared: Arc<Shared>,
        mock: MockSecret,
        tls: Option<Arc<ServerTls>>,
    ) -> Self {
        let surroundings = StartupSurroundings {
            admission: Arc::new(Doors { shared: Arc::clone(&shared) }),
            mock,
            tls,
            cancel: Registry::default(),
            slots: Arc::new(Semaphore::new(server.server.max_clients)),
            max_clients: server.server.max_clients,
            startup_timeout: server.server.startup_timeout,
        };
        Self { shared, surroundings: Arc::new(ArcSwap::from_pointee(surroundings)) }
    }

    /// Changed settings hold for connections that come later.
    pub(super) fn apply(&self, server: &ServerConfig, tls: Option<Arc<ServerTls>>) {
        let mut surroundings = StartupSurroundings::clone(&self.surroundings.load());
        let (before, now) = (surroundings.max_clients, server.server.max_clients);
        surroundings.slots.add_permits(now.saturating_sub(before));
        surroundings.slots.forget_permits(before.saturating_sub(now));
        surroundings.max_clients = now;
        surroundings.startup_timeout = server.server.startup_timeout;
        surroundings.tls = tls;
        self.surroundings.store(Arc::new(surroundings));
    }

    /// Accepts until `stop`. Each client holds a clone of `present`.
    pub(super) async fn accept(self, listener: TcpListener, stop: impl Future<Output = ()>, present: mpsc::Sender<()>) {
        listener::serve(listener, stop, |stream, peer| {
            let (clients, present) = (self.clone(), present.clone());
            tokio::spawn(async move {
                clients.serve(stream, peer).await;
                drop(present);
            });
        })
        .await;
    }

    async fn serve(self, stream: TcpStream, peer: SocketAddr) {
        let surroundings = self.surroundings.load_full();
        match accept(stream, peer, &surroundings).await {
            Ok(client) => session::run(client, &surroundings.cancel, self.shared).await,
            Err(StartupEnd::Closed | StartupEnd::Cancelled(_)) => {}
            Err(StartupEnd::HandshakeFailed(reason)) => tracing::info!(%peer, reason, "a TLS handshake failed"),
            Err(StartupEnd::TimedOut(attempt)) => self.refused(peer, &attempt, "timeout", sqlstate::CONNECTION_FAILURE),
            Err(StartupEnd::Refused(refusal)) => {
                let Refusal { attempt, reason, error } = *refusal;
                METRICS.error(error.kind);
                tracing::info!(%peer, user = attempt.user, reason, "a client is refused: {error}");
                self.refused(peer, &attempt, reason, error.sqlstate);
            }
        }
    }

    fn refused(&self, peer: SocketAddr, attempt: &Attempt, reason: &'static str, sqlstate: crate::error::SqlState) {
        METRICS.auth_failure(reason);
        self.shared.audit.event(&Event::AuthFailure {
            user: &attempt.user,
            client: peer,
            database: &attempt.database,
            tls: attempt.tls.then_some("TLS"),
            reason,
            sqlstate,
        });
    }
}

/// Answers from the policy in force.
struct Doors {
    shared: Arc<Shared>,
}

impl Admission for Doors {
    fn credentials(&self, user: &str, mock: &MockSecret) -> Credentials {
        Credentials::of(&self.shared.snapshot().parts.policy, user, mock)
    }

    fn database(&self, user: &UserName, name: &str) -> Result<WarehouseName, Vec<WarehouseName>> {
        let snapshot = self.shared.snapshot();
        let parts = &snapshot.parts;
        if let Some((warehouse, _)) = parts.warehouses.get_key_value(name) {
            return Ok(warehouse.clone());
        }
        let Some(user) = parts.policy.users.get(user) else { return Err(Vec::new()) };
        let sees = |warehouse: &WarehouseName| {
            parts.catalog.iter().any(|product| product.warehouse == *warehouse && may_see(&parts.policy, user, product))
        };
        Err(parts.warehouses.keys().filter(|warehouse| sees(warehouse)).cloned().collect())
    }
}

fn may_see(policy: &crate::config::Policy, user: &User, product: &crate::catalog::Product) -> bool {
    let roles = user.roles.iter().filter_map(|role| policy.roles.get(role));
    roles.flat_map(|role| role.products.iter().chain(&role.discover)).any(|pattern| pattern.matches(&product.id))
}
