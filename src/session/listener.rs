//! Listening sockets: binding them with an error that says what to do, and accepting until told to stop.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::time::Duration;

use socket2::{Domain, Protocol, SockRef, Socket, TcpKeepalive, Type};
use tokio::net::{TcpListener, TcpStream};

use crate::config::ServerSection;

/// Connections that wait to be accepted; the system cuts it to its own limit.
const BACKLOG: i32 = 1024;

/// After this long without traffic a connection is probed: a client whose machine is gone must not hold its place.
const KEEPALIVE_IDLE: Duration = Duration::from_secs(60);
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(10);
const KEEPALIVE_PROBES: u32 = 6;

/// Why pgveil does not listen.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// Somebody else listens there.
    #[error(
        "cannot listen on {0}: the port is in use; stop the other process (an earlier pgveil?) or set another port in \
         [server] listen"
    )]
    InUse(SocketAddr),
    /// The address belongs to no interface of this machine.
    #[error("cannot listen on {0}: this machine does not have that address; correct it in [server] listen")]
    NotHere(SocketAddr),
    /// Ports below 1024, mostly.
    #[error("cannot listen on {0}: permission denied; use a port of 1024 or higher in [server] listen")]
    Forbidden(SocketAddr),
    /// Anything else, in the system's words.
    #[error("cannot listen on {0}: {1}")]
    Other(SocketAddr, io::Error),
    /// Passwords are safe in SCRAM, data would not be.
    #[error(
        "cannot listen on {0} without TLS: other machines reach that address; configure [server.tls], listen on 127.0.0.1, \
         or set allow_plaintext = true in [server]"
    )]
    Plaintext(SocketAddr),
}

/// Binds every configured address, or none.
pub fn bind(server: &ServerSection) -> Result<Vec<TcpListener>, ListenError> {
    if server.tls.is_none()
        && !server.allow_plaintext
        && let Some(open) = server.listen.iter().find(|address| !address.ip().is_loopback())
    {
        return Err(ListenError::Plaintext(*open));
    }
    server.listen.iter().map(|address| bind_one(*address)).collect()
}

/// Binds one address. Must be called within a runtime.
pub fn bind_one(address: SocketAddr) -> Result<TcpListener, ListenError> {
    listen(address).map_err(|error| match error.kind() {
        io::ErrorKind::AddrInUse => ListenError::InUse(address),
        io::ErrorKind::AddrNotAvailable => ListenError::NotHere(address),
        io::ErrorKind::PermissionDenied => ListenError::Forbidden(address),
        _ => ListenError::Other(address, error),
    })
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    // A restart must not wait for the connections of the last run to be forgotten.
    socket.set_reuse_address(true)?;
    if address.is_ipv6() {
        // Else [::] would take 0.0.0.0 as well and clash with it in the same list.
        socket.set_only_v6(true)?;
    }
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
}

/// Accepts connections and hands them on, until `stop` is ready. `connected` must not wait: it starts a task.
pub async fn serve(
    listener: TcpListener,
    stop: impl Future<Output = ()>,
    mut connected: impl FnMut(TcpStream, SocketAddr),
) {
    let mut stop = pin!(stop);
    let mut pause = Backoff::default();
    loop {
        let accepted = tokio::select! {
            biased;
            () = &mut stop => return,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, peer)) => {
                pause = Backoff::default();
                if let Err(error) = prepare(&stream) {
                    // It went away between connecting and now.
                    tracing::debug!(%peer, %error, "connection lost before its first byte");
                    continue;
                }
                connected(stream, peer);
            }
            Err(error) if concerns_one_connection(&error) => (),
            Err(error) => {
                let pause = pause.next();
                tracing::warn!(%error, ?pause, "cannot accept connections; trying again");
                tokio::select! {
                    biased;
                    () = &mut stop => return,
                    () = tokio::time::sleep(pause) => (),
                }
            }
        }
    }
}

/// Answers are written whole, so there is nothing to wait for.
fn prepare(stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let keepalive =
        TcpKeepalive::new().with_time(KEEPALIVE_IDLE).with_interval(KEEPALIVE_INTERVAL).with_retries(KEEPALIVE_PROBES);
    SockRef::from(stream).set_tcp_keepalive(&keepalive)
}

fn concerns_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionRefused
            | io::ErrorKind::Interrupted
    )
}

/// Rising pauses: without descriptors accepting fails at once, again and again.
struct Backoff(Duration);

impl Default for Backoff {
    fn default() -> Self {
        Self(Duration::from_millis(10))
    }
}

impl Backoff {
    fn next(&mut self) -> Duration {
        let pause = self.0;
        self.0 = (pause * 2).min(Duration::from_secs(1));
        pause
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncReadExt;

    use super::*;

    fn local(port: u16) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], port))
    }

    fn section(listen: Vec<SocketAddr>) -> ServerSection {
        ServerSection {
            listen,
            max_clients: 10,
            startup_timeout: Duration::from_secs(1),
            max_message: 1 << 20,
            allow_plaintext: false,
            shutdown_grace: Duration::from_secs(1),
            tls: None,
        }
    }

    #[tokio::test]
    async fn a_port_in_use_is_named_with_what_to_do() {
        // Not one of those that the system gives to others at any time.
        let taken = (20_000..30_000).find_map(|port| bind_one(local(port)).ok()).unwrap();
        let address = taken.local_addr().unwrap();
        let error = bind(&section(vec![address])).unwrap_err().to_string();
        assert!(error.contains(&address.to_string()) && error.contains("in use") && error.contains("[server] listen"));
        drop(taken);
        assert_eq!(bind(&section(vec![address])).unwrap().len(), 1, "free again at once");
    }

    #[tokio::test]
    async fn addresses_that_cannot_be_bound_say_why() {
        // 192.0.2.0/24 is reserved for documentation, so no machine has it.
        let elsewhere = SocketAddr::from(([192, 0, 2, 1], 6432));
        assert!(matches!(bind_one(elsewhere), Err(ListenError::NotHere(_))));
    }

    #[tokio::test]
    async fn plaintext_stays_on_this_machine() {
        let open = SocketAddr::from(([0, 0, 0, 0], 0));
        let error = bind(&section(vec![local(0), open])).unwrap_err();
        assert!(matches!(error, ListenError::Plaintext(address) if address == open));
        let allowed = ServerSection { allow_plaintext: true, ..section(vec![open]) };
        assert_eq!(bind(&allowed).unwrap().len(), 1);
    }

    #[tokio::test]
    async fn connections_are_handed_on_until_the_stop() {
        let listener = bind_one(local(0)).unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let (give, mut take) = tokio::sync::mpsc::unbounded_channel();
        let serving = tokio::spawn(serve(
            listener,
            async {
                stopped.await.ok();
            },
            move |stream, peer| {
                assert!(stream.nodelay().unwrap() && SockRef::from(&stream).keepalive().unwrap());
                give.send(peer).unwrap();
            },
        ));
        for _ in 0..3 {
            let mut client = TcpStream::connect(address).await.unwrap();
            assert_eq!(take.recv().await.unwrap(), client.local_addr().unwrap());
            assert_eq!(client.read(&mut [0]).await.unwrap(), 0, "the callback dropped it");
        }
        stop.send(()).unwrap();
        serving.await.unwrap();
        assert!(TcpStream::connect(address).await.is_err());
    }

    #[test]
    fn pauses_rise_to_a_second() {
        let mut backoff = Backoff::default();
        let pauses: Vec<_> = (0..9).map(|_| backoff.next().as_millis()).collect();
        assert_eq!(pauses, [10, 20, 40, 80, 160, 320, 640, 1000, 1000]);
    }
}
