//! tokio-postgres for the control plane, over this room's own sockets and TLS: one way to a warehouse, one set of rules.

use std::future::{Ready, ready};
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::timeout;
use tokio_postgres::config::{SslMode, SslNegotiation};
use tokio_postgres::tls::{ChannelBinding, TlsConnect, TlsStream};
use tokio_postgres::{Client, Config};

use crate::error::SqlState;

use super::connect::{ConnectError, Problem, Target};
use super::stream::Stream;
use super::tls::end_point_hash;

/// What a connection is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Facts and checks of a warehouse: READ ONLY, with `pg_catalog` on the path alone.
    Checks,
    /// pgveil's own state, in the schema `pgveil` …
    State,
    /// … or a look at it.
    StateToRead,
}

impl Purpose {
    fn options(self) -> (&'static str, &'static str) {
        match self {
            Self::Checks => ("pgveil control plane", "-c search_path=pg_catalog -c default_transaction_read_only=on"),
            Self::State => ("pgveil state", "-c search_path=pgveil -c default_transaction_read_only=off"),
            Self::StateToRead => ("pgveil state", "-c search_path=pgveil -c default_transaction_read_only=on"),
        }
    }
}

/// A connection for facts and checks. It closes when the client is dropped.
pub async fn connect(target: &Target, statement_timeout: Duration) -> Result<Client, ConnectError> {
    connect_for(Purpose::Checks, target, statement_timeout).await
}

/// A connection for this purpose, with a statement timeout. It closes when the client is dropped.
pub async fn connect_for(
    purpose: Purpose,
    target: &Target,
    statement_timeout: Duration,
) -> Result<Client, ConnectError> {
    let (name, options) = purpose.options();
    let attempt = async {
        let (stream, _, _) = target.open().await?;
        let mut config = Config::new();
        config
            .user(&target.dsn.user)
            .dbname(&target.dsn.database)
            .application_name(name)
            .options(format!("{options} -c statement_timeout={}", statement_timeout.as_millis()))
            // The stream is encrypted already, or shall not be.
            .ssl_mode(SslMode::Require)
            .ssl_negotiation(SslNegotiation::Direct);
        if let Some(password) = &target.dsn.password {
            config.password(password.expose());
        }
        let guarded = Guarded { stream, seen: Vec::with_capacity(CLEARTEXT_REQUEST.len()) };
        let (client, connection) =
            config.connect_raw(guarded, AsItIs).await.map_err(|error| refused(target, &error))?;
        tokio::spawn(connection);
        Ok(client)
    };
    match timeout(target.dsn.connect_timeout, attempt).await {
        Ok(result) => result,
        Err(_) => Err(target.too_slow(target.dsn.connect_timeout)),
    }
}

fn refused(target: &Target, error: &tokio_postgres::Error) -> ConnectError {
    let label = target.dsn.label();
    match error.code().and_then(|code| SqlState::from_bytes(code.code().as_bytes())) {
        Some(state) => ConnectError::refused(&label, state),
        None => ConnectError::new(Problem::Other, format!("{label} did not complete the start-up")),
    }
}

/// AuthenticationCleartextPassword.
const CLEARTEXT_REQUEST: &[u8] = &[b'R', 0, 0, 0, 8, 0, 0, 0, 3];

/// A socket that does not let the request for a password in the clear through where it could be overheard.
struct Guarded {
    stream: Stream,
    seen: Vec<u8>,
}

impl AsyncRead for Guarded {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(cx, buf);
        let missing = CLEARTEXT_REQUEST.len() - self.seen.len();
        if missing > 0 && !self.stream.is_private() {
            let new = buf.filled().get(before..).unwrap_or_default();
            self.seen.extend(new.iter().take(missing));
            if self.seen == CLEARTEXT_REQUEST {
                return Poll::Ready(Err(io::ErrorKind::PermissionDenied.into()));
            }
        }
        read
    }
}

impl AsyncWrite for Guarded {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

impl TlsStream for Guarded {
    fn channel_binding(&self) -> ChannelBinding {
        match self.stream.peer_certificate().and_then(end_point_hash) {
            Some(hash) => ChannelBinding::tls_server_end_point(hash),
            None => ChannelBinding::none(),
        }
    }
}

/// TLS that has happened already.
struct AsItIs;

impl TlsConnect<Guarded> for AsItIs {
    type Stream = Guarded;
    type Error = io::Error;
    type Future = Ready<io::Result<Guarded>>;
    fn connect(self, stream: Guarded) -> Self::Future {
        ready(Ok(stream))
    }
}
