//! The composition root: everything is opened in order, wired together, and closed in the opposite order.

mod checks;
mod clients;
mod effects;
mod health;
mod log;
mod signals;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::sync::{Notify, mpsc, watch};

use crate::audit::{Audit, AuditError};
use crate::auth::MockSecret;
use crate::contracts::Keeper;
use crate::error::{Diagnostics, Level};
use crate::http::{self, HttpListener};
use crate::metrics::METRICS;
use crate::reload::first::{self, Begun, First};
use crate::reload::{self, Reloader};
use crate::session::listener;
use crate::session::tls::{ServerTls, TlsError};
use crate::state::{StateError, Store};
use crate::statement::{Queues, Shared, Shutdown};

use clients::Clients;
use effects::Live;
use health::Health;

pub use log::start_log;

/// A worker has the stack that a tree needs, so that none is made for each statement; what is not touched costs nothing.
const STACK: usize = crate::sql::DEEP_STACK;
/// How long sessions have to say good-bye after they were cut off.
const LAST_WORDS: Duration = Duration::from_secs(5);
/// How often histograms are folded and gauges are brought up to date.
const UPKEEP: Duration = Duration::from_secs(5);

/// Why pgveil does not start.
#[derive(Debug, thiserror::Error)]
pub enum AppError {
    /// The files have errors, and no last good ones are kept.
    #[error("{}", spell_out(.0))]
    Invalid(Diagnostics),
    /// A port or certificate.
    #[error(transparent)]
    Listen(#[from] listener::ListenError),
    /// The HTTP side's port or certificate.
    #[error(transparent)]
    Http(#[from] http::ListenError),
    /// A certificate.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The audit log.
    #[error(transparent)]
    Audit(#[from] AuditError),
    /// The state store.
    #[error(transparent)]
    State(#[from] StateError),
    /// The system refuses something basic.
    #[error("pgveil cannot start: {0}")]
    System(#[from] std::io::Error),
}

fn spell_out(findings: &Diagnostics) -> String {
    let errors = findings.iter().filter(|f| f.level == Level::Error).count();
    let mut text = format!("the configuration has {errors} error{}\n\n", if errors == 1 { "" } else { "s" });
    for finding in findings.clone().sorted() {
        text.push_str(&format!("{finding}\n\n"));
    }
    text.push_str("no catalog and policy are kept from an earlier start, so there is nothing to serve");
    text
}

/// Serves until SIGTERM or SIGINT. `ready` is called when clients can connect.
pub fn run(config: &Path, ready: impl FnOnce()) -> Result<(), AppError> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .worker_threads(workers())
        .thread_stack_size(STACK)
        .build()?;
    let result = runtime.block_on(async {
        let signals = signals::Signals::install()?;
        serve(config, signals, ready).await
    });
    // Nothing of importance is left, and a look-up of a name may hang for long.
    runtime.shutdown_timeout(Duration::from_secs(1));
    result
}

/// One core is left to the kernel's side of the network, the audit log and whoever else is there: a worker that has to be woken
/// for each message costs more than it does. TOKIO_WORKER_THREADS says otherwise.
fn workers() -> usize {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let told = std::env::var("TOKIO_WORKER_THREADS").ok().and_then(|told| told.parse().ok());
    told.unwrap_or_else(|| cores.saturating_sub(1)).max(1)
}

async fn serve(config: &Path, mut signals: signals::Signals, ready: impl FnOnce()) -> Result<(), AppError> {
    let config = std::path::absolute(config)?;
    let server = first::server(&config).await.map_err(AppError::Invalid)?;
    // What most often goes wrong comes first, and before anything is written.
    let listeners = listener::bind(&server.server)?;
    let tls = server.server.tls.as_ref().map(ServerTls::load).transpose()?.map(Arc::new);
    let http = match &server.http {
        Some(http) => Some(HttpListener::bind(http).await?),
        None => None,
    };
    let store = Store::open_url(&server.state).await?;
    let audit = Audit::open(&server.audit, crate::sql::redact)?;
    let first = first::build(&config, &server, &store).await.map_err(AppError::Invalid)?;

    let (shutdown, shutdown_seen) = watch::channel(Shutdown::Running);
    let (shared, first) = share(first, audit.clone(), shutdown_seen.clone())?;
    let mock = MockSecret::derived(store.secret("unknown users").await?.expose());
    let desk = http::Desk::new(Arc::clone(&shared), mock.clone(), store.clone());
    desk.configure(&server);
    let clients = Clients::new(&server, Arc::clone(&shared), mock, tls.clone());
    let http_tls = http.as_ref().and_then(HttpListener::tls);
    let (in_force, config_seen) = watch::channel(Arc::new(first.sources.server.clone()));
    let grace = server.server.shutdown_grace;
    let effects = Arc::new(Live::new(clients.clone(), tls, desk.clone(), http_tls, grace, in_force));
    let grace = effects.grace();
    let keeping = checks::begin(Keeper::new(Arc::clone(&shared), store.clone(), config_seen))?;
    let reloader = Reloader::new(config, first, Arc::clone(&shared), store, effects).await;
    let health = Arc::new(Health::new(Arc::clone(&shared), reloader.standing()));

    let hangup = Arc::new(Notify::new());
    let reloading = tokio::spawn(reloader.run(Arc::clone(&hangup)));
    let upkeep = tokio::spawn(upkeep(Arc::clone(&health)));
    let (http_stop, http_stopped) = watch::channel(false);
    let http = http.map(|listener| {
        if let Ok(address) = listener.address() {
            tracing::info!(%address, "HTTP: the catalog, /metrics, /healthz, /readyz");
        }
        tokio::spawn(http::serve(listener, http::router(health, desk), stopped(http_stopped)))
    });
    let (present, mut all_gone) = mpsc::channel::<()>(1);
    for listener in listeners {
        if let Ok(address) = listener.local_addr() {
            tracing::info!(%address, "clients may connect");
        }
        tokio::spawn(clients.clone().accept(listener, draining(shutdown_seen.clone()), present.clone()));
    }
    drop(present);
    ready();

    signals.wait_for_stop(&hangup).await;
    drain(&mut signals, &shutdown, &mut all_gone, **grace.load()).await;
    reloading.abort();
    upkeep.abort();
    keeping.end().await;
    for pool in shared.pools.load().values() {
        pool.close();
    }
    let _ = http_stop.send(true);
    if let Some(http) = http {
        let _ = http.await;
    }
    // The disk may be slow, and this thread serves nobody any more.
    tokio::task::spawn_blocking(move || audit.close()).await.map_err(std::io::Error::other)?;
    tracing::info!("pgveil has stopped");
    Ok(())
}

/// What all sessions share. The snapshot moves there.
fn share(first: First, audit: Audit, shutdown: watch::Receiver<Shutdown>) -> Result<(Arc<Shared>, Begun), AppError> {
    let pools = reload::open_pools(&first.sources.server, None).map_err(AppError::Invalid)?;
    let (snapshot, begun) = first.begin();
    let snapshot_breaches = snapshot.parts.breaches.clone();
    let shared = Shared {
        snapshot: ArcSwap::from_pointee(snapshot),
        pools: ArcSwap::from_pointee(pools),
        audit,
        queues: Queues::default(),
        versions: dashmap::DashMap::default(),
        doubts: tokio::sync::Notify::new(),
        breaches: ArcSwap::from_pointee(snapshot_breaches),
        breaches_changed: tokio::sync::Notify::new(),
        max_message: begun.sources.server.server.max_message,
        shutdown,
    };
    Ok((Arc::new(shared), begun))
}

/// Lets statements end, then cuts off what is left. A second signal cuts off at once.
async fn drain(
    signals: &mut signals::Signals,
    shutdown: &watch::Sender<Shutdown>,
    all_gone: &mut mpsc::Receiver<()>,
    grace: Duration,
) {
    tracing::info!(?grace, "stopping: no new clients; statements that run may end");
    shutdown.send_replace(Shutdown::Draining);
    // Nothing is ever sent: the channel ends when the last client is gone.
    tokio::select! {
        _ = all_gone.recv() => return,
        () = tokio::time::sleep(grace) => tracing::warn!("the grace is over: what still runs is cut off"),
        () = signals.stop() => tracing::warn!("told to stop again: what still runs is cut off"),
    }
    shutdown.send_replace(Shutdown::CutOff);
    let _ = tokio::time::timeout(LAST_WORDS, all_gone.recv()).await;
}

async fn draining(mut shutdown: watch::Receiver<Shutdown>) {
    let _ = shutdown.wait_for(|state| *state >= Shutdown::Draining).await;
}

async fn stopped(mut stop: watch::Receiver<bool>) {
    let _ = stop.wait_for(|stop| *stop).await;
}

async fn upkeep(health: Arc<Health>) {
    let mut tick = tokio::time::interval(UPKEEP);
    loop {
        tick.tick().await;
        http::Probe::sample(&*health);
        METRICS.fold();
    }
}
