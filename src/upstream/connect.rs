//! Opens a connection: socket, TLS, authentication, start-up parameters, and whether the pinned ones hold.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream, lookup_host};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use crate::config::WarehouseConfig;
use crate::error::SqlState;
use crate::names::quote_identifier;

use super::connection::Connection;
use super::dsn::{Dsn, Place, SslMode};
use super::startup;
use super::stream::Stream;
use super::tls;

/// Why there is no connection, by who can do something about it. Neither kind nor text holds a secret or the warehouse's words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectError {
    /// What happened.
    pub problem: Problem,
    /// Where, and a few words more.
    pub message: String,
}

/// What can happen on the way to a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Problem {
    /// The name is not known.
    Name,
    /// Nobody listens.
    Refused,
    /// No answer in time.
    Timeout,
    /// Another error of the network, or the connection ended.
    Network,
    /// TLS was demanded and is not offered, or failed.
    Tls,
    /// The password is wrong or missing, or the way to prove it is not acceptable.
    Password,
    /// The account or the address may not connect.
    Account,
    /// The database does not exist.
    Database,
    /// It has no connection left.
    Full,
    /// It starts, stops or recovers.
    NotReady,
    /// It does not speak Postgres' protocol.
    NotPostgres,
    /// A setting that pgveil pins is not in force.
    Pinned,
    /// Another error of the warehouse.
    Other,
}

impl Problem {
    /// Whether waiting cannot help: somebody has to change something.
    pub fn is_permanent(self) -> bool {
        match self {
            Self::Tls | Self::Password | Self::Account | Self::Database | Self::NotPostgres | Self::Pinned => true,
            Self::Name | Self::Refused | Self::Timeout | Self::Network | Self::Full | Self::NotReady | Self::Other => {
                false
            }
        }
    }
    /// The warehouse's answer to a start-up, by SQLSTATE.
    pub(super) fn of(state: SqlState) -> Self {
        match state.as_str() {
            "28P01" => Self::Password,
            "28000" => Self::Account,
            "3D000" => Self::Database,
            "53300" => Self::Full,
            "57P03" | "57P01" | "57P02" => Self::NotReady,
            // An option that it does not take: the settings that pgveil pins.
            "22023" | "42704" | "55P02" | "42602" => Self::Pinned,
            _ => Self::Other,
        }
    }
}

impl ConnectError {
    pub(super) fn refused(place: &str, state: SqlState) -> Self {
        let problem = Problem::of(state);
        let said = match problem {
            Problem::Password => "refuses the password",
            Problem::Account => "does not let this account in from here (pg_hba.conf)",
            Problem::Database => "has no such database",
            Problem::Full => "has no connection left for this account",
            Problem::NotReady => "starts or stops",
            Problem::Pinned => "does not take the start-up options that pgveil needs (is a pooler in between?)",
            _ => "refuses the connection",
        };
        Self::new(problem, format!("{place} {said} (SQLSTATE {state})"))
    }
    pub(super) fn new(problem: Problem, message: impl Into<String>) -> Self {
        Self { problem, message: message.into() }
    }
}

impl fmt::Display for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}
impl std::error::Error for ConnectError {}

/// Everything that is needed to open connections to one warehouse.
#[derive(Clone)]
pub struct Target {
    pub(super) dsn: Dsn,
    pub(super) tls: Option<Arc<ClientConfig>>,
    pub(super) search_path: String,
    options: Vec<(String, String)>,
}

impl fmt::Debug for Target {
    // Options hold the hash key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Target({})", self.dsn.label())
    }
}

/// Where a connection really went, to send a cancel there.
#[derive(Clone, Debug)]
pub(super) enum Address {
    Tcp(SocketAddr),
    Unix(PathBuf),
}

/// TLS towards one host.
pub(super) type Encryption = (Arc<ClientConfig>, ServerName<'static>);

impl Target {
    /// Reads the DSN and loads what TLS needs. `options` are custom settings for the start-up options.
    pub fn new(config: &WarehouseConfig, options: Vec<(String, String)>) -> Result<Self, String> {
        let dsn = Dsn::read(config)?;
        let tls = tls::client_config(&dsn)?;
        let mut search_path = "pg_catalog".to_owned();
        for schema in &config.extension_schemas {
            search_path.push_str(", ");
            search_path.push_str(&quote_identifier(schema));
        }
        Ok(Self { dsn, tls, search_path, options })
    }

    /// Where it leads, without the account's password.
    pub fn label(&self) -> String {
        self.dsn.label()
    }

    /// Opens a connection within `connect_timeout`.
    pub async fn connect(&self) -> Result<Connection, ConnectError> {
        let limit = self.dsn.connect_timeout;
        let attempt = async {
            let (stream, address, encryption) = self.open().await?;
            startup::start(self, stream, address, encryption).await
        };
        timeout(limit, attempt).await.unwrap_or_else(|_| Err(self.too_slow(limit)))
    }

    pub(super) fn too_slow(&self, limit: Duration) -> ConnectError {
        ConnectError::new(Problem::Timeout, format!("no answer from {} within {limit:?}", self.dsn.label()))
    }

    /// A socket with TLS as the DSN wants it, not yet a session.
    pub(super) async fn open(&self) -> Result<(Stream, Address, Option<Encryption>), ConnectError> {
        let mut last = ConnectError::new(Problem::Name, "the DSN names no host");
        for place in &self.dsn.places {
            match self.open_at(place).await {
                Ok(opened) => return Ok(opened),
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    async fn open_at(&self, place: &Place) -> Result<(Stream, Address, Option<Encryption>), ConnectError> {
        match place {
            Place::Unix(path) => {
                if matches!(self.dsn.ssl, SslMode::Require | SslMode::VerifyCa | SslMode::VerifyFull) {
                    let message = "a socket file has no TLS; write sslmode=disable";
                    return Err(ConnectError::new(Problem::Tls, message));
                }
                let address = Address::Unix(path.clone());
                Ok((connect_socket(&address).await.map_err(|error| network(place, &error))?, address, None))
            }
            Place::Tcp { host, address, port } => {
                let addresses = match address {
                    Some(address) => vec![SocketAddr::new(*address, *port)],
                    None => resolve(host, *port).await?,
                };
                let mut last = ConnectError::new(Problem::Name, format!("{host} has no address"));
                for address in addresses {
                    let address = Address::Tcp(address);
                    match connect_socket(&address).await {
                        Ok(stream) => {
                            let (stream, encryption) = self.negotiate(stream, host).await?;
                            return Ok((stream, address, encryption));
                        }
                        Err(error) => last = network(place, &error),
                    }
                }
                Err(last)
            }
        }
    }

    async fn negotiate(&self, stream: Stream, host: &str) -> Result<(Stream, Option<Encryption>), ConnectError> {
        let Some(config) = &self.tls else { return Ok((stream, None)) };
        let name = ServerName::try_from(host.to_owned())
            .map_err(|_| ConnectError::new(Problem::Tls, format!("{host} is no name that a certificate can have")))?;
        let encryption = (config.clone(), name);
        match encrypt(stream, &encryption, host).await? {
            (stream, true) => Ok((stream, Some(encryption))),
            (stream, false) if self.dsn.ssl == SslMode::Prefer => Ok((stream, None)),
            (_, false) => {
                Err(ConnectError::new(Problem::Tls, format!("{host} offers no TLS, and the DSN's sslmode demands it")))
            }
        }
    }

    /// The start-up message's parameters.
    pub(super) fn parameters(&self) -> Vec<(&'static str, String)> {
        let mut options = String::new();
        let mut option = |name: &str, value: &str| {
            options.push_str(" -c ");
            options.push_str(name);
            options.push('=');
            for c in value.chars() {
                if c.is_whitespace() || c == '\\' {
                    options.push('\\');
                }
                options.push(c);
            }
        };
        option("search_path", &self.search_path);
        option("default_transaction_read_only", "on");
        option("standard_conforming_strings", "on");
        for (name, value) in &self.options {
            option(name, value);
        }
        vec![
            ("user", self.dsn.user.clone()),
            ("database", self.dsn.database.clone()),
            ("client_encoding", "UTF8".to_owned()),
            ("application_name", "pgveil".to_owned()),
            ("options", options.trim_start().to_owned()),
        ]
    }
}

async fn resolve(host: &str, port: u16) -> Result<Vec<SocketAddr>, ConnectError> {
    match lookup_host((host, port)).await {
        Ok(addresses) => Ok(addresses.collect()),
        Err(_) => Err(ConnectError::new(Problem::Name, format!("the name {host} cannot be resolved"))),
    }
}

pub(super) async fn connect_socket(address: &Address) -> io::Result<Stream> {
    match address {
        Address::Unix(path) => Ok(Stream::Unix(UnixStream::connect(path).await?)),
        Address::Tcp(address) => {
            let stream = TcpStream::connect(address).await?;
            stream.set_nodelay(true)?;
            // A warehouse that vanished without a word is noticed on idle connections too.
            let keepalive =
                socket2::TcpKeepalive::new().with_time(Duration::from_secs(60)).with_interval(Duration::from_secs(10));
            socket2::SockRef::from(&stream).set_tcp_keepalive(&keepalive)?;
            Ok(Stream::Tcp(stream))
        }
    }
}

/// SSLRequest and handshake; false: not offered. Exactly one byte is read before the handshake, so nothing can be slipped
/// in ahead of it.
pub(super) async fn encrypt(
    mut stream: Stream,
    encryption: &Encryption,
    host: &str,
) -> Result<(Stream, bool), ConnectError> {
    const SSL_REQUEST: [u8; 8] = [0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f];
    let lost = |error: io::Error| {
        ConnectError::new(Problem::Network, format!("the connection to {host} was lost: {}", error.kind()))
    };
    stream.write_all(&SSL_REQUEST).await.map_err(lost)?;
    match stream.read_u8().await.map_err(lost)? {
        b'S' => {}
        b'N' => return Ok((stream, false)),
        _ => return Err(ConnectError::new(Problem::NotPostgres, format!("{host} does not speak Postgres' protocol"))),
    }
    let Stream::Tcp(tcp) = stream else { return Ok((stream, false)) };
    let connector = TlsConnector::from(encryption.0.clone());
    match connector.connect(encryption.1.clone(), tcp).await {
        Ok(tls) => Ok((Stream::Tls(Box::new(tls)), true)),
        Err(error) => Err(ConnectError::new(Problem::Tls, format!("TLS with {host} failed: {error}"))),
    }
}

fn network(place: &Place, error: &io::Error) -> ConnectError {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => {
            ConnectError::new(Problem::Refused, format!("nobody listens at {place} (connection refused)"))
        }
        io::ErrorKind::NotFound => ConnectError::new(Problem::Refused, format!("there is no socket {place}")),
        kind => ConnectError::new(Problem::Network, format!("{place} cannot be reached: {kind}")),
    }
}
