//! From an open socket to a session: start-up message, authentication, parameters.

use std::io;

use bytes::{Buf, Bytes, BytesMut};
use postgres_protocol::authentication::md5_hash;
use postgres_protocol::authentication::sasl::{SCRAM_SHA_256, SCRAM_SHA_256_PLUS, ScramSha256};
use postgres_protocol::message::frontend;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::error::SqlState;
use crate::wire::answer::Report;

use super::cancel::CancelTarget;
use super::connect::{Address, ConnectError, Encryption, Problem, Target};
use super::connection::Connection;
use super::stream::Stream;
use super::tls::choose_binding;

/// No message of a start-up is longer; what claims to be does not speak the protocol.
const MAX_MESSAGE: usize = 64 * 1024;

type Parameters = Vec<(String, String)>;

/// Starts a session on an open socket.
pub(super) async fn start(
    target: &Target,
    stream: Stream,
    address: Address,
    encryption: Option<Encryption>,
) -> Result<Connection, ConnectError> {
    let mut start = Start {
        place: target.dsn.label(),
        stream,
        read: BytesMut::with_capacity(16 * 1024),
        write: BytesMut::with_capacity(1024),
    };
    let parameters = target.parameters();
    frontend::startup_message(parameters.iter().map(|(name, value)| (*name, value.as_str())), &mut start.write)
        .map_err(|_| ConnectError::new(Problem::Other, "the DSN holds a NUL character"))?;
    start.send().await?;
    start.authenticate(target).await?;
    let (parameters, pid, secret) = start.session().await?;
    start.verify_pinned(target, &parameters).await?;
    let cancel = CancelTarget::new(address, encryption, pid, secret);
    Ok(Connection::new(start.stream, parameters, cancel))
}

struct Start {
    place: String,
    stream: Stream,
    read: BytesMut,
    write: BytesMut,
}

/// What an authentication request asks for, by its number.
mod request {
    pub const OK: u32 = 0;
    pub const CLEARTEXT: u32 = 3;
    pub const MD5: u32 = 5;
    pub const SASL: u32 = 10;
    pub const SASL_CONTINUE: u32 = 11;
    pub const SASL_FINAL: u32 = 12;
}

impl Start {
    async fn send(&mut self) -> Result<(), ConnectError> {
        let sent = match self.stream.write_all_buf(&mut self.write).await {
            Ok(()) => self.stream.flush().await,
            Err(error) => Err(error),
        };
        sent.map_err(|error| self.lost(&error))
    }

    async fn message(&mut self) -> Result<(u8, Bytes), ConnectError> {
        loop {
            if let Some(&[tag, a, b, c, d]) = self.read.first_chunk() {
                let length = usize::try_from(u32::from_be_bytes([a, b, c, d])).unwrap_or(usize::MAX);
                if !(4..=MAX_MESSAGE).contains(&length) || !tag.is_ascii_alphabetic() {
                    return Err(self.no_postgres());
                }
                if self.read.len() > length {
                    let mut message = self.read.split_to(length + 1).freeze();
                    message.advance(5);
                    return Ok((tag, message));
                }
            }
            match self.stream.read_buf(&mut self.read).await {
                Ok(0) => return Err(self.lost(&io::ErrorKind::UnexpectedEof.into())),
                Ok(_) => {}
                Err(error) => return Err(self.lost(&error)),
            }
        }
    }

    /// The next authentication request and what comes with it; an ErrorResponse is an error.
    async fn request(&mut self) -> Result<(u32, Bytes), ConnectError> {
        match self.message().await? {
            (b'R', mut body) if body.len() >= 4 => Ok((body.get_u32(), body)),
            (b'E', body) => Err(self.refused(&body)),
            _ => Err(self.no_postgres()),
        }
    }

    async fn authenticate(&mut self, target: &Target) -> Result<(), ConnectError> {
        match self.request().await? {
            (request::OK, _) => return Ok(()),
            (request::SASL, mechanisms) => self.scram(target, &mechanisms).await?,
            (request::CLEARTEXT, _) => {
                if !self.stream.is_private() {
                    return Err(ConnectError::new(
                        Problem::Password,
                        format!(
                            "{} asks for the password in the clear, without TLS; use scram-sha-256 there, or \
                             sslmode=verify-full",
                            self.place
                        ),
                    ));
                }
                let password = self.password(target)?;
                self.prove(&password).await?;
            }
            (request::MD5, salt) => {
                let salt = salt.as_ref().try_into().map_err(|_| self.no_postgres())?;
                let hash = md5_hash(target.dsn.user.as_bytes(), &self.password(target)?, salt);
                self.prove(hash.as_bytes()).await?;
            }
            _ => {
                return Err(ConnectError::new(
                    Problem::Password,
                    format!(
                        "{} asks for a way to log in that pgveil does not have; use scram-sha-256 there",
                        self.place
                    ),
                ));
            }
        }
        match self.request().await? {
            (request::OK, _) => Ok(()),
            _ => Err(self.no_postgres()),
        }
    }

    async fn prove(&mut self, password: &[u8]) -> Result<(), ConnectError> {
        frontend::password_message(password, &mut self.write)
            .map_err(|_| ConnectError::new(Problem::Password, "the password holds a NUL character"))?;
        self.send().await
    }

    /// SCRAM, with channel binding where both sides can. The warehouse proves that it knows the password as well, before
    /// anything else that it says is believed.
    async fn scram(&mut self, target: &Target, mechanisms: &[u8]) -> Result<(), ConnectError> {
        let offered = |name: &str| mechanisms.split(|&b| b == 0).any(|mechanism| mechanism == name.as_bytes());
        let (plus, binding) = choose_binding(self.stream.peer_certificate(), offered(SCRAM_SHA_256_PLUS));
        let mechanism = if plus { SCRAM_SHA_256_PLUS } else { SCRAM_SHA_256 };
        if !offered(mechanism) {
            return Err(ConnectError::new(
                Problem::Password,
                format!("{} offers no SCRAM mechanism that pgveil has", self.place),
            ));
        }
        let mut scram = ScramSha256::new(&self.password(target)?, binding);
        frontend::sasl_initial_response(mechanism, scram.message(), &mut self.write).map_err(|_| self.no_postgres())?;
        self.send().await?;
        match self.request().await? {
            (request::SASL_CONTINUE, data) => scram.update(&data).map_err(|_| self.bad_scram())?,
            _ => return Err(self.no_postgres()),
        }
        frontend::sasl_response(scram.message(), &mut self.write).map_err(|_| self.no_postgres())?;
        self.send().await?;
        match self.request().await? {
            (request::SASL_FINAL, data) => scram.finish(&data).map_err(|_| self.bad_scram()),
            _ => Err(self.no_postgres()),
        }
    }

    /// What follows authentication, up to ReadyForQuery.
    async fn session(&mut self) -> Result<(Parameters, i32, Vec<u8>), ConnectError> {
        let mut parameters = Vec::new();
        let mut pid = 0;
        let mut secret = Vec::new();
        loop {
            match self.message().await? {
                (b'S', body) => {
                    let mut parts = body.split(|&b| b == 0).map(|part| String::from_utf8_lossy(part).into_owned());
                    if let (Some(name), Some(value)) = (parts.next(), parts.next()) {
                        parameters.push((name, value));
                    }
                }
                (b'K', mut body) if body.len() >= 8 => {
                    pid = body.get_i32();
                    secret = body.to_vec();
                }
                (b'N', _) => {}
                (b'Z', _) => return Ok((parameters, pid, secret)),
                (b'E', body) => return Err(self.refused(&body)),
                _ => return Err(self.no_postgres()),
            }
        }
    }

    /// A pooler in between may drop start-up options without a word; then names would be looked up where anyone may write.
    async fn verify_pinned(&mut self, target: &Target, parameters: &Parameters) -> Result<(), ConnectError> {
        for (name, wanted) in
            [("client_encoding", "UTF8"), ("standard_conforming_strings", "on"), ("integer_datetimes", "on")]
        {
            if !parameters.iter().any(|(n, v)| n == name && v == wanted) {
                return Err(self.not_pinned(name));
            }
        }
        let search_path = self.show("SHOW search_path").await?;
        if search_path != target.search_path.as_bytes() {
            return Err(self.not_pinned("search_path"));
        }
        if self.show("SHOW default_transaction_read_only").await? != b"on"[..] {
            return Err(self.not_pinned("default_transaction_read_only"));
        }
        Ok(())
    }

    async fn show(&mut self, show: &'static str) -> Result<Bytes, ConnectError> {
        frontend::query(show, &mut self.write).map_err(|_| self.no_postgres())?;
        self.send().await?;
        let mut value = None;
        loop {
            match self.message().await? {
                // One text column: a count of 1, its length, the value.
                (b'D', body) if body.len() >= 6 => value = Some(body.slice(6..)),
                (b'T' | b'C' | b'N' | b'S', _) => {}
                (b'Z', _) => return value.ok_or_else(|| self.no_postgres()),
                (b'E', body) => return Err(self.refused(&body)),
                _ => return Err(self.no_postgres()),
            }
        }
    }

    fn password(&self, target: &Target) -> Result<Vec<u8>, ConnectError> {
        match &target.dsn.password {
            Some(password) => Ok(password.expose().as_bytes().to_vec()),
            None => Err(ConnectError::new(
                Problem::Password,
                format!("{} asks for a password, and none is configured; set `password`", self.place),
            )),
        }
    }

    /// The SQLSTATE says enough; the warehouse's text stays out, since it may quote what it was sent.
    fn refused(&self, body: &[u8]) -> ConnectError {
        let state = Report::parse(body).ok().and_then(|report| report.sqlstate()).unwrap_or(SqlState::new("XX000"));
        ConnectError::refused(&self.place, state)
    }
    fn lost(&self, error: &io::Error) -> ConnectError {
        let kind = error.kind();
        ConnectError::new(Problem::Network, format!("the connection to {} was lost at start-up: {kind}", self.place))
    }
    fn no_postgres(&self) -> ConnectError {
        ConnectError::new(Problem::NotPostgres, format!("{} does not speak Postgres' protocol", self.place))
    }
    fn bad_scram(&self) -> ConnectError {
        ConnectError::new(
            Problem::Password,
            format!("{} did not prove that it knows the account's password (SCRAM)", self.place),
        )
    }
    fn not_pinned(&self, name: &str) -> ConnectError {
        ConnectError::new(
            Problem::Pinned,
            format!("{} does not keep the setting {name} that pgveil needs (is a pooler in between?)", self.place),
        )
    }
}
