//! What follows from a changed `pgveil.toml` besides catalog and policy: certificates, limits on clients, the grace.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use sha2::{Digest, Sha256};
use tokio::sync::watch;

use crate::config::{ServerConfig, TlsConfig};
use crate::http::{Desk, HttpTls};
use crate::reload::Effects;
use crate::session::tls::ServerTls;

use super::clients::Clients;

/// What is in force.
pub(super) struct Live {
    clients: Clients,
    certificates: Mutex<Certificates>,
    desk: Desk,
    http: Option<Arc<HttpTls>>,
    grace: Arc<ArcSwap<Duration>>,
    in_force: watch::Sender<Arc<ServerConfig>>,
}

struct Certificates {
    server: Option<Arc<ServerTls>>,
    /// What the files held when they were last read, good or not: an error is said once.
    server_seen: Option<[u8; 32]>,
    http_seen: Option<[u8; 32]>,
}

impl Live {
    pub(super) fn new(
        clients: Clients,
        server: Option<Arc<ServerTls>>,
        desk: Desk,
        http: Option<Arc<HttpTls>>,
        grace: Duration,
        in_force: watch::Sender<Arc<ServerConfig>>,
    ) -> Self {
        let certificates = Certificates {
            server_seen: server.as_ref().map(|tls| content(tls.files())),
            http_seen: http.as_ref().map(|tls| content(tls.files())),
            server,
        };
        Self {
            clients,
            certificates: Mutex::new(certificates),
            desk,
            http,
            grace: Arc::new(ArcSwap::from_pointee(grace)),
            in_force,
        }
    }

    /// `[server] shutdown_grace`, as it is in force.
    pub(super) fn grace(&self) -> Arc<ArcSwap<Duration>> {
        Arc::clone(&self.grace)
    }
}

impl Effects for Live {
    fn applied(&self, config: &ServerConfig) {
        self.grace.store(Arc::new(config.server.shutdown_grace));
        self.desk.configure(config);
        self.in_force.send_replace(Arc::new(config.clone()));
        let mut certificates = self.certificates.lock().unwrap_or_else(PoisonError::into_inner);
        if certificates.server.as_ref().map(|tls| tls.files()) != config.server.tls.as_ref() {
            match config.server.tls.as_ref().map(ServerTls::load).transpose() {
                Ok(tls) => {
                    certificates.server_seen = tls.as_ref().map(|tls| content(tls.files()));
                    certificates.server = tls.map(Arc::new);
                }
                Err(error) => tracing::error!(%error, "[server.tls] stays as it was"),
            }
        }
        self.clients.apply(config, certificates.server.clone());
    }

    fn looked(&self) {
        let mut certificates = self.certificates.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(tls) = certificates.server.clone() {
            let seen = content(tls.files());
            if certificates.server_seen.replace(seen) != Some(seen) {
                report("[server.tls]", tls.reload());
            }
        }
        if let Some(tls) = &self.http {
            let seen = content(tls.files());
            if certificates.http_seen.replace(seen) != Some(seen) {
                report("[http.tls]", tls.reload());
            }
        }
    }
}

fn report<E: std::fmt::Display>(section: &str, result: Result<(), E>) {
    match result {
        Ok(()) => tracing::info!("{section}: the certificate is read again"),
        Err(error) => tracing::error!(%error, "{section}: the former certificate stays in use"),
    }
}

/// A digest of the files, one that is missing included.
fn content(files: &TlsConfig) -> [u8; 32] {
    let mut digest = Sha256::new();
    let paths: [Option<&PathBuf>; 3] = [Some(&files.cert), Some(&files.key), files.client_ca.as_ref()];
    for path in paths.into_iter().flatten() {
        let bytes = std::fs::read(Path::new(path)).unwrap_or_default();
        digest.update((bytes.len() as u64).to_le_bytes());
        digest.update(&bytes);
    }
    digest.finalize().into()
}
