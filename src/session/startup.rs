//! From the first byte of a connection to AuthenticationOk.
//!
//! Nothing here trusts the client: sizes are bounded before they are read, no byte that came before a TLS handshake is
//! taken for one that came after it, and one deadline covers the whole.

mod parameters;

#[cfg(test)]
mod tests;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::auth::{AuthError, Credentials, Method, MockSecret};
use crate::config::TlsMode;
use crate::error::{ClientError, ErrorKind, sqlstate};
use crate::names::{UserName, WarehouseName};
use crate::wire::opening::{self, Opening};
use crate::wire::{WireError, backend, frontend};

use super::cancel::Registry;
use super::tls::{ClientStream, ServerTls, TlsInfo};
use parameters::{Wanted, shown};

/// The newest minor version of protocol 3 that is spoken here.
const NEWEST_MINOR: u16 = 2;

/// How long a goodbye may take when the deadline has passed.
const LAST_WORD: Duration = Duration::from_millis(200);

/// What is asked about people and databases while they log in. Answers come from the policy in force at that moment.
pub trait Admission: Send + Sync {
    /// [`Credentials::of`] with the policy in force.
    fn credentials(&self, user: &str, mock: &MockSecret) -> Credentials;
    /// The warehouse of this name, or all that the user may use.
    fn database(&self, user: &UserName, name: &str) -> Result<WarehouseName, Vec<WarehouseName>>;
}

/// What all connections share while they log in.
#[derive(Clone)]
pub struct StartupSurroundings {
    /// Who may log in.
    pub admission: Arc<dyn Admission>,
    /// For names that nobody has.
    pub mock: MockSecret,
    /// `[server.tls]`
    pub tls: Option<Arc<ServerTls>>,
    /// Where cancel requests are looked up.
    pub cancel: Registry,
    /// As many permits as `max_clients`.
    pub slots: Arc<Semaphore>,
    /// `[server] max_clients`
    pub max_clients: usize,
    /// `[server] startup_timeout`
    pub startup_timeout: Duration,
}

/// A client that has authenticated. AuthenticationOk was sent, nothing after it.
#[derive(Debug)]
pub struct Client<S = TcpStream> {
    /// Its connection.
    pub stream: ClientStream<S>,
    /// Bytes that were read and not yet looked at.
    pub buffer: BytesMut,
    /// Who it is.
    pub user: UserName,
    /// How that was proven.
    pub method: Method,
    /// The database that it is connected to.
    pub warehouse: WarehouseName,
    /// Settings to begin with: names in lower case, each once, `options` taken apart, client_encoding as `UTF8`.
    pub parameters: Vec<(String, String)>,
    /// `application_name`, printable and at most 63 characters.
    pub application: String,
    /// Where it comes from.
    pub peer: SocketAddr,
    /// Its TLS, if any.
    pub tls: Option<TlsInfo>,
    /// The protocol version that was agreed.
    pub protocol: (u16, u16),
    /// Its place among `max_clients`; given back when dropped.
    pub slot: OwnedSemaphorePermit,
}

/// What is known of somebody who was not let in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Attempt {
    /// The name that was claimed; empty: none yet.
    pub user: String,
    /// The database that was asked for.
    pub database: String,
    /// `application_name`
    pub application: String,
    /// Whether the connection was encrypted.
    pub tls: bool,
}

/// Why there is no client.
#[derive(Debug)]
pub enum StartupEnd {
    /// The client went away, or the connection broke.
    Closed,
    /// The TLS handshake failed (a bad client certificate, no common version…), in the words of the TLS library.
    HandshakeFailed(String),
    /// It was a cancel request; whether it fitted a session.
    Cancelled(bool),
    /// The deadline passed.
    TimedOut(Attempt),
    /// It was told why.
    Refused(Box<Refusal>),
}

/// A client that was not let in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Who it was.
    pub attempt: Attempt,
    /// For the audit record and the metric: `authentication`, `protocol`, `tls_required`, `unknown_database`,
    /// `too_many_clients`, `parameters`.
    pub reason: &'static str,
    /// What it was told.
    pub error: ClientError,
}

/// Why the conversation stopped.
enum Stop {
    Closed,
    Handshake(String),
    Cancelled(bool),
    Refused(&'static str, ClientError),
}

impl From<std::io::Error> for Stop {
    fn from(_: std::io::Error) -> Self {
        Self::Closed
    }
}

impl From<WireError> for Stop {
    fn from(error: WireError) -> Self {
        Self::Refused("protocol", fatal(error.into()))
    }
}

/// Before the end of authentication every error ends the connection.
fn fatal(error: ClientError) -> ClientError {
    ClientError { severity: crate::error::Severity::Fatal, ..error }
}

fn violation(message: &str) -> Stop {
    Stop::Refused("protocol", ClientError::fatal(ErrorKind::Client, sqlstate::PROTOCOL_VIOLATION, message))
}

/// Leads a new connection through encryption, start-up and authentication.
pub async fn accept<S>(stream: S, peer: SocketAddr, surroundings: &StartupSurroundings) -> Result<Client<S>, StartupEnd>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut parley = Parley {
        stream: Some(ClientStream::Plain(stream)),
        buffer: BytesMut::new(),
        tls: None,
        wanted: Wanted::default(),
        around: surroundings,
    };
    match tokio::time::timeout(surroundings.startup_timeout, parley.run()).await {
        Ok(Ok(admitted)) => parley.client(peer, admitted).ok_or(StartupEnd::Closed),
        Ok(Err(Stop::Closed)) => Err(StartupEnd::Closed),
        Ok(Err(Stop::Handshake(error))) => Err(StartupEnd::HandshakeFailed(error)),
        Ok(Err(Stop::Cancelled(found))) => {
            // libpq takes a TLS connection that ends without a goodbye for a cancel that failed.
            if let Ok(stream) = parley.stream() {
                let _ = tokio::time::timeout(LAST_WORD, stream.shutdown()).await;
            }
            Err(StartupEnd::Cancelled(found))
        }
        Ok(Err(Stop::Refused(reason, error))) => {
            parley.say_last(&error).await;
            Err(StartupEnd::Refused(Box::new(Refusal { attempt: parley.attempt(), reason, error })))
        }
        Err(_) => {
            parley.say_last(&timed_out(surroundings.startup_timeout)).await;
            Err(StartupEnd::TimedOut(parley.attempt()))
        }
    }
}

fn timed_out(limit: Duration) -> ClientError {
    ClientError::fatal(ErrorKind::Limit, sqlstate::QUERY_CANCELED, "canceling authentication due to timeout")
        .with_hint(format!("Start-up and authentication must end within {limit:?} ([server] startup_timeout)."))
}

/// The conversation before a session.
struct Parley<'a, S> {
    /// `None` while a TLS handshake owns it, and after one that failed.
    stream: Option<ClientStream<S>>,
    buffer: BytesMut,
    tls: Option<TlsInfo>,
    wanted: Wanted,
    around: &'a StartupSurroundings,
}

/// What the conversation led to.
struct Admitted {
    user: UserName,
    method: Method,
    warehouse: WarehouseName,
    protocol: (u16, u16),
    slot: OwnedSemaphorePermit,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Parley<'_, S> {
    async fn run(&mut self) -> Result<Admitted, Stop> {
        let (minor, parameters) = self.opening().await?;
        let read = self.wanted.read(parameters);
        let protocol = (3, minor.min(NEWEST_MINOR));
        self.require_tls()?;
        read.map_err(|error| Stop::Refused("parameters", error))?;
        let mut out = BytesMut::new();
        if minor > NEWEST_MINOR || !self.wanted.unknown_options.is_empty() {
            let unknown: Vec<&str> = self.wanted.unknown_options.iter().map(String::as_str).collect();
            backend::negotiate_protocol_version(&mut out, protocol, &unknown);
        }
        let slot = Arc::clone(&self.around.slots)
            .try_acquire_owned()
            .map_err(|_| Stop::Refused("too_many_clients", self.too_many_clients()))?;
        let method = self.authenticate(&mut out).await?;
        let user = UserName::new(&self.wanted.user);
        let warehouse = self.around.admission.database(&user, &self.wanted.database);
        if warehouse.is_ok() {
            backend::authentication_ok(&mut out);
        }
        self.send(&mut out).await?;
        let warehouse = warehouse
            .map_err(|known| Stop::Refused("unknown_database", unknown_database(&self.wanted.database, &known)))?;
        Ok(Admitted { user, method, warehouse, protocol, slot })
    }

    /// Encryption, as far as the client wants it, up to the StartupMessage.
    async fn opening(&mut self) -> Result<(u16, Vec<(String, String)>), Stop> {
        self.fill(1).await?;
        if self.buffer.first() == Some(&opening::TLS_HANDSHAKE) {
            self.direct_tls().await?;
        }
        let mut asked_gss = false;
        let mut asked_tls = self.tls.is_some();
        loop {
            match self.packet().await? {
                Opening::Tls if !asked_tls => {
                    asked_tls = true;
                    self.nothing_behind("SSL")?;
                    self.answer_tls().await?;
                }
                Opening::Gss if !asked_gss && self.tls.is_none() => {
                    asked_gss = true;
                    self.nothing_behind("GSSAPI encryption")?;
                    self.stream()?.write_all(b"N").await?;
                    self.stream()?.flush().await?;
                }
                Opening::Tls | Opening::Gss => return Err(violation("encryption was requested more than once")),
                Opening::Cancel { pid, key } => return Err(Stop::Cancelled(self.around.cancel.cancel(pid, &key))),
                Opening::Startup { minor, parameters } => return Ok((minor, parameters)),
                Opening::OtherVersion(major, minor) => return Err(unsupported_version(major, minor)),
            }
        }
    }

    async fn direct_tls(&mut self) -> Result<(), Stop> {
        // Without a certificate there is nothing that such a client would understand.
        let tls = self.around.tls.clone().ok_or(Stop::Closed)?;
        let begun = self.buffer.split();
        self.handshake(&tls, &begun).await?;
        match &self.tls {
            Some(info) if info.alpn => Ok(()),
            _ => Err(violation("received direct SSL connection request without ALPN protocol negotiation extension")),
        }
    }

    async fn answer_tls(&mut self) -> Result<(), Stop> {
        let tls = self.around.tls.clone();
        let stream = self.stream()?;
        stream.write_all(if tls.is_some() { b"S" } else { b"N" }).await?;
        stream.flush().await?;
        match tls {
            Some(tls) => self.handshake(&tls, &[]).await,
            None => Ok(()),
        }
    }

    async fn handshake(&mut self, tls: &ServerTls, begun: &[u8]) -> Result<(), Stop> {
        let Some(ClientStream::Plain(stream)) = self.stream.take() else { return Err(Stop::Closed) };
        let (stream, info) = tls.accept(stream, begun).await.map_err(|error| match error.kind() {
            std::io::ErrorKind::InvalidData => Stop::Handshake(error.to_string()),
            _ => Stop::Closed,
        })?;
        self.stream = Some(ClientStream::Tls(stream));
        self.tls = Some(info);
        Ok(())
    }

    /// Bytes that came with the request could be somebody else's: they would be read as if they had been encrypted.
    fn nothing_behind(&self, request: &str) -> Result<(), Stop> {
        if self.buffer.is_empty() {
            return Ok(());
        }
        Err(violation(&format!("received unencrypted data after {request} request")))
    }

    fn require_tls(&self) -> Result<(), Stop> {
        match &self.around.tls {
            Some(tls) if tls.mode() == TlsMode::Require && self.tls.is_none() => {
                let error = ClientError::fatal(
                    ErrorKind::Authentication,
                    sqlstate::INVALID_AUTHORIZATION_SPECIFICATION,
                    "connections without TLS are not accepted",
                );
                Err(Stop::Refused(
                    "tls_required",
                    error.with_hint("Connect with sslmode=require, or better verify-full with the server's CA."),
                ))
            }
            _ => Ok(()),
        }
    }

    fn too_many_clients(&self) -> ClientError {
        ClientError::fatal(ErrorKind::Limit, sqlstate::TOO_MANY_CONNECTIONS, "sorry, too many clients already")
            .with_hint(format!(
                "pgveil serves {} connections at once ([server] max_clients); close idle ones, or have it raised.",
                self.around.max_clients
            ))
    }

    /// Leaves the last message of a SCRAM exchange in `out`, so that it goes out together with what follows.
    async fn authenticate(&mut self, out: &mut BytesMut) -> Result<Method, Stop> {
        let credentials = self.around.admission.credentials(&self.wanted.user, &self.around.mock);
        let shown_name = self.tls.as_ref().and_then(|tls| tls.client_name.as_ref());
        if shown_name.is_some_and(|name| credentials.accepts_certificate(name)) {
            return Ok(Method::Certificate);
        }
        let scram = credentials.scram(self.tls.as_ref().and_then(|tls| tls.end_point.clone()));
        backend::authentication_sasl(out, scram.mechanisms());
        self.send(out).await?;

        let frame = self.authentication_frame().await?;
        let initial = frontend::sasl_initial(&frame)?;
        // A client may let the server begin; SCRAM has the client begin, so it is asked to with an empty challenge.
        let mechanism = initial.mechanism.to_owned();
        let message = match initial.data {
            Some(data) => data.to_vec(),
            None => {
                backend::authentication_sasl_continue(out, b"");
                self.send(out).await?;
                frontend::sasl_response(&self.authentication_frame().await?)?.as_bytes().to_vec()
            }
        };
        let (challenge, scram) = scram.first(&mechanism, &message).map_err(|error| self.rejected(&error))?;
        backend::authentication_sasl_continue(out, challenge.as_bytes());
        self.send(out).await?;

        let frame = self.authentication_frame().await?;
        let proof = frontend::sasl_response(&frame)?;
        let authenticated = scram.last(proof.as_bytes()).map_err(|error| self.rejected(&error))?;
        backend::authentication_sasl_final(out, authenticated.server_last.as_bytes());
        Ok(authenticated.method)
    }

    fn rejected(&self, error: &AuthError) -> Stop {
        Stop::Refused("authentication", error.to_client(&shown(&self.wanted.user)))
    }

    /// A whole packet without a tag.
    async fn packet(&mut self) -> Result<Opening, Stop> {
        loop {
            if let Some(length) = opening::length(&self.buffer)? {
                self.fill(length).await?;
                return Ok(opening::decode(&self.buffer.split_to(length))?);
            }
            self.fill(4).await?;
        }
    }

    async fn authentication_frame(&mut self) -> Result<BytesMut, Stop> {
        loop {
            match frontend::authentication_frame(&self.buffer) {
                Ok(Some(header)) => {
                    self.fill(header.len).await?;
                    return Ok(self.buffer.split_to(header.len));
                }
                Ok(None) => self.fill(self.buffer.len() + 1).await?,
                // Terminate: psql without a password goes away like this and asks for one.
                Err(WireError::UnknownTag(frontend::tag::TERMINATE)) => return Err(Stop::Closed),
                Err(WireError::UnknownTag(tag)) => {
                    return Err(violation(&format!("expected SASL response, got message type {tag}")));
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Reads until `needed` bytes are there.
    async fn fill(&mut self, needed: usize) -> Result<(), Stop> {
        while self.buffer.len() < needed {
            self.buffer.reserve((needed - self.buffer.len()).max(512));
            let stream = self.stream.as_mut().ok_or(Stop::Closed)?;
            if stream.read_buf(&mut self.buffer).await? == 0 {
                return Err(Stop::Closed);
            }
        }
        Ok(())
    }

    async fn send(&mut self, out: &mut BytesMut) -> Result<(), Stop> {
        let stream = self.stream()?;
        stream.write_all(out).await?;
        stream.flush().await?;
        out.clear();
        Ok(())
    }

    fn stream(&mut self) -> Result<&mut ClientStream<S>, Stop> {
        self.stream.as_mut().ok_or(Stop::Closed)
    }

    /// Tells the client why, as far as it listens.
    async fn say_last(&mut self, error: &ClientError) {
        let Some(stream) = &mut self.stream else { return };
        let mut out = BytesMut::new();
        backend::error(&mut out, error);
        let said = tokio::time::timeout(LAST_WORD, async {
            stream.write_all(&out).await?;
            stream.flush().await
        });
        if matches!(said.await, Ok(Ok(()))) {
            stream.farewell().await;
        }
    }

    fn attempt(&self) -> Attempt {
        Attempt {
            user: shown(&self.wanted.user),
            database: shown(&self.wanted.database),
            application: self.wanted.application.clone(),
            tls: self.tls.is_some(),
        }
    }

    fn client(self, peer: SocketAddr, admitted: Admitted) -> Option<Client<S>> {
        Some(Client {
            stream: self.stream?,
            buffer: self.buffer,
            user: admitted.user,
            method: admitted.method,
            warehouse: admitted.warehouse,
            parameters: self.wanted.settings,
            application: self.wanted.application,
            peer,
            tls: self.tls,
            protocol: admitted.protocol,
            slot: admitted.slot,
        })
    }
}

fn unsupported_version(major: u16, minor: u16) -> Stop {
    let error = ClientError::fatal(
        ErrorKind::Client,
        sqlstate::FEATURE_NOT_SUPPORTED,
        format!("unsupported frontend protocol {major}.{minor}: server supports 3.0 to 3.{NEWEST_MINOR}"),
    );
    Stop::Refused("protocol", error.with_hint("Use a client that speaks version 3 of the protocol."))
}

fn unknown_database(name: &str, known: &[WarehouseName]) -> ClientError {
    let error = ClientError::fatal(
        ErrorKind::Client,
        sqlstate::INVALID_CATALOG_NAME,
        format!("database \"{}\" does not exist", shown(name)),
    );
    let known: Vec<String> = known.iter().map(|name| format!("\"{name}\"")).collect();
    error.with_hint(match known.as_slice() {
        [] => "There is no database that you may use; ask for a role that grants a data product.".to_owned(),
        [one] => format!("The database that you may use is {one}."),
        _ => format!("Databases that you may use: {}.", known.join(", ")),
    })
}
