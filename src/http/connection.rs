//! Connections of the HTTP side: how many, how long, how large.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::{Extension, Router};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;

use super::listener::HttpListener;
use super::login::Connection;

/// Further ones wait to be accepted.
const MOST_CONNECTIONS: usize = 512;
/// From the first byte of a request to the end of its headers, and for the TLS handshake.
const HEADERS_WITHIN: Duration = Duration::from_secs(10);
/// Headers of one request, and what is read ahead.
const BUFFER: usize = 16 << 10;
/// After this a connection is ended, so that a reader who does not read holds its place for a while only.
const LIFETIME: Duration = Duration::from_secs(300);
/// How long requests may go on after the stop.
const GRACE: Duration = Duration::from_secs(5);

/// Serves until `stop` is ready, then lets requests end.
pub async fn serve(listener: HttpListener, router: Router, stop: impl Future<Output = ()>) {
    serve_with_grace(listener, router, stop, GRACE).await;
}

pub(super) async fn serve_with_grace(
    listener: HttpListener,
    router: Router,
    stop: impl Future<Output = ()>,
    grace: Duration,
) {
    let slots = Arc::new(Semaphore::new(MOST_CONNECTIONS));
    let (stopping, stopped) = watch::channel(false);
    let mut connections = JoinSet::new();
    let mut stop = pin!(stop);
    loop {
        let accepted = async {
            let slot = Arc::clone(&slots).acquire_owned().await;
            (slot, listener.socket.accept().await)
        };
        let (slot, accepted) = tokio::select! {
            biased;
            () = &mut stop => break,
            Some(_) = connections.join_next() => continue,
            accepted = accepted => accepted,
        };
        let Ok(slot) = slot else { break };
        match accepted {
            Ok((stream, peer)) => {
                let (router, tls, stopped) = (router.clone(), listener.tls.clone(), stopped.clone());
                connections.spawn(async move {
                    let _slot = slot;
                    let from = Connection { peer, tls: tls.is_some() };
                    let work = connection(stream, tls, router.layer(Extension(from)), stopped);
                    // Whoever is still there has had time enough.
                    let _ = tokio::time::timeout(LIFETIME, work).await;
                });
            }
            Err(error) => {
                tracing::debug!(%error, "an HTTP connection cannot be accepted");
                // Without free descriptors this fails at once, again and again.
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
    drop(listener);
    // Nobody listens only when no connection is left.
    let _ = stopping.send(true);
    let all = async { while connections.join_next().await.is_some() {} };
    if tokio::time::timeout(grace, all).await.is_err() {
        connections.shutdown().await;
    }
}

async fn connection(
    stream: TcpStream,
    tls: Option<Arc<super::HttpTls>>,
    router: Router,
    stopped: watch::Receiver<bool>,
) {
    let Some(tls) = tls else { return requests(stream, router, stopped).await };
    let acceptor = tokio_rustls::TlsAcceptor::from(tls.current());
    if let Ok(Ok(stream)) = tokio::time::timeout(HEADERS_WITHIN, acceptor.accept(stream)).await {
        requests(stream, router, stopped).await;
    }
}

async fn requests(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    router: Router,
    mut stopped: watch::Receiver<bool>,
) {
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(HEADERS_WITHIN).max_buf_size(BUFFER);
    let mut connection = pin!(builder.serve_connection(TokioIo::new(stream), TowerToHyperService::new(router)));
    tokio::select! {
        _ = connection.as_mut() => return,
        _ = stopped.wait_for(|stopped| *stopped) => {}
    }
    connection.as_mut().graceful_shutdown();
    // A client that breaks off is nobody's error.
    let _ = connection.await;
}
