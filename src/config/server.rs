//! The compiled `pgveil.toml`.

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use crate::names::WarehouseName;

/// A text that is never printed: `Debug` shows `***`.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct SecretString(String);

impl SecretString {
    /// Wraps a secret.
    pub fn new(secret: impl Into<String>) -> Self {
        Self(secret.into())
    }
    /// The secret itself; the caller must neither log nor print it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}
impl fmt::Debug for SecretString {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// Whether clients must use TLS.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TlsMode {
    /// TLS for who asks for it.
    #[default]
    Prefer,
    /// Plaintext is refused.
    Require,
}

/// `[server.tls]` and `[http.tls]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsConfig {
    /// PEM chain, the server's own certificate first.
    pub cert: PathBuf,
    /// PEM key.
    pub key: PathBuf,
    /// PEM certificates that client certificates must chain to.
    pub client_ca: Option<PathBuf>,
    /// Whether clients must use TLS.
    pub mode: TlsMode,
}

/// `[server]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerSection {
    /// One or more addresses.
    pub listen: Vec<SocketAddr>,
    /// Further ones get 53300.
    pub max_clients: usize,
    /// From accept to the end of authentication.
    pub startup_timeout: Duration,
    /// Bytes of one frontend message.
    pub max_message: usize,
    /// Non-loopback listeners without TLS start only when this is true.
    pub allow_plaintext: bool,
    /// SIGTERM: how long running statements may go on.
    pub shutdown_grace: Duration,
    /// TLS for clients.
    pub tls: Option<TlsConfig>,
}

/// `[http]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpConfig {
    /// Where the HTTP side listens.
    pub listen: SocketAddr,
    /// Whether catalog pages and GETs need no login.
    pub anonymous_read: bool,
    /// TLS for HTTP.
    pub tls: Option<TlsConfig>,
}

/// `[warehouses.NAME]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WarehouseConfig {
    /// `postgres://USER@HOST:PORT/DATABASE?sslmode=…`; may hold a password.
    pub dsn: SecretString,
    /// Overrides a password in the DSN.
    pub password: Option<SecretString>,
    /// The most connections for statements.
    pub pool_size: usize,
    /// How long a statement waits for one.
    pub acquire_timeout: Duration,
    /// The schema of a product without `relation`.
    pub default_schema: String,
    /// Schemas of extensions whose types and operators products use.
    pub extension_schemas: Vec<String>,
}

/// What an invalid product file does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnCatalogError {
    /// Nothing changes.
    #[default]
    Refuse,
    /// Only that product is withheld.
    Quarantine,
}

/// `[catalog]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CatalogConfig {
    /// The directory.
    pub path: PathBuf,
    /// Variables that product files may use.
    pub env: Vec<String>,
    /// What an invalid file does.
    pub on_error: OnCatalogError,
}

/// What happens to a statement that cannot be recorded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AuditFailure {
    /// It is refused with 58030.
    #[default]
    Deny,
    /// It runs.
    Allow,
}

/// What a record survives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Durability {
    /// A crash of pgveil.
    #[default]
    Write,
    /// A crash of the machine (one sync a batch).
    Sync,
}

/// How much of a statement's text is recorded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SqlRecording {
    /// All of it.
    #[default]
    Full,
    /// Literals replaced.
    Redacted,
    /// Nothing.
    None,
}

/// `[audit]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditConfig {
    /// The current file; older ones lie beside it.
    pub path: PathBuf,
    /// What a failure does.
    pub on_failure: AuditFailure,
    /// What a record survives.
    pub durability: Durability,
    /// How much of the text is recorded.
    pub sql: SqlRecording,
    /// Bytes after which a new file is begun.
    pub rotate_at: u64,
    /// How long older files are kept.
    pub keep: Duration,
}

/// `[state] url`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StateUrl {
    /// One node.
    Sqlite(PathBuf),
    /// Several nodes share it.
    Postgres(SecretString),
}

/// What a version does whose contract has not passed yet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Unvalidated {
    /// It is served with a notice.
    #[default]
    Serve,
    /// It is denied.
    Hold,
}

/// `[contracts]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContractsConfig {
    /// How often checks run.
    pub interval: Duration,
    /// How often availability is probed.
    pub probe_interval: Duration,
    /// How long one product's run may take.
    pub timeout: Duration,
    /// The most connections to each warehouse that checks use, besides those of statements.
    pub connections: usize,
    /// What an unvalidated version does.
    pub unvalidated: Unvalidated,
    /// Where breaches are posted.
    pub webhook: Option<SecretString>,
}

/// The whole of `pgveil.toml`, compiled; paths are absolute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerConfig {
    /// `[server]`
    pub server: ServerSection,
    /// `[http]`; `None`: no HTTP listener
    pub http: Option<HttpConfig>,
    /// `[warehouses.*]`, at least one
    pub warehouses: BTreeMap<WarehouseName, WarehouseConfig>,
    /// `[catalog]`
    pub catalog: CatalogConfig,
    /// `[policy] path`: a file or a directory
    pub policy_path: PathBuf,
    /// `[masking] hash_key`
    pub hash_key: Option<SecretString>,
    /// `[audit]`
    pub audit: AuditConfig,
    /// `[state] url`
    pub state: StateUrl,
    /// `[contracts]`
    pub contracts: ContractsConfig,
}
