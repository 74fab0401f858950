//! Tells a webhook of breaches and recoveries: in their order, again and again when it does not answer, and never in the way of
//! the checks.

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::{Request, StatusCode, Uri};
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::{mpsc, watch};
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsConnector;

use crate::catalog::Product;
use crate::config::ServerConfig;
use crate::govern::breach::Breach;
use crate::metrics::METRICS;

/// What waits beyond this is given up, and said so in the log.
const MOST_WAITING: usize = 1_000;
/// How long one attempt may take.
const ATTEMPT: Duration = Duration::from_secs(10);
/// How long is waited after the first attempt; twice as long after each further one, …
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// … up to this.
const LONGEST_PAUSE: Duration = Duration::from_secs(300);
/// After so many it is given up: more than half an hour.
const ATTEMPTS: u32 = 14;

/// What is told, as the JSON that is sent.
#[derive(Clone, Debug)]
pub(super) struct Message(Bytes);

impl Message {
    /// `None` for the breach: the product keeps its contract again.
    pub(super) fn new(product: &Product, breach: Option<&Breach>) -> Self {
        let what = match breach {
            Some(breach) => breach.told(),
            None => "keeps its contract again".to_owned(),
        };
        let owner = &product.owner;
        let channel = owner.slack_channel.as_ref().map(|channel| format!(", {channel}")).unwrap_or_default();
        let document = serde_json::json!({
            "text": format!("Data product {} {what}. Owner: {} ({}{channel}).", product.id, owner.team, owner.contact),
            "event": if breach.is_some() { "breach" } else { "recovery" },
            "product": product.id,
            "name": product.name,
            "version": product.version,
            "owner": { "team": owner.team, "contact": owner.contact, "slack_channel": owner.slack_channel },
            "breach": breach,
            "at": jiff::Timestamp::now(),
        });
        Self(document.to_string().into())
    }
}

/// The way to the webhook. Whoever sends does not wait.
#[derive(Clone, Debug)]
pub(super) struct Webhook(mpsc::Sender<Message>);

impl Webhook {
    /// Delivers what is sent, on this runtime, to where `[contracts] webhook` leads at that time.
    pub(super) fn begin(config: watch::Receiver<Arc<ServerConfig>>) -> Self {
        let (sender, messages) = mpsc::channel(MOST_WAITING);
        tokio::spawn(deliver(messages, config));
        Self(sender)
    }

    pub(super) fn send(&self, message: Message) {
        if self.0.try_send(message).is_err() {
            METRICS.webhook("lost");
            tracing::error!("too many messages wait for the webhook; one is given up");
        }
    }
}

async fn deliver(mut messages: mpsc::Receiver<Message>, config: watch::Receiver<Arc<ServerConfig>>) {
    while let Some(message) = messages.recv().await {
        let mut pause = FIRST_PAUSE;
        for attempt in 1..=ATTEMPTS {
            // The URL is a secret: whoever knows it may post.
            let Some(url) = config.borrow().contracts.webhook.clone() else { break };
            let problem = match timeout(ATTEMPT, post(url.expose(), message.0.clone())).await {
                Ok(Ok(())) => {
                    METRICS.webhook("delivered");
                    break;
                }
                Ok(Err(problem)) => problem,
                Err(_) => Problem::again("it does not answer in time"),
            };
            METRICS.webhook("failed");
            if problem.is_final || attempt == ATTEMPTS {
                METRICS.webhook("lost");
                tracing::error!(attempt, problem = problem.what, "the webhook cannot be told; the message is given up");
                break;
            }
            tracing::warn!(attempt, problem = problem.what, "the webhook cannot be told; it is tried again");
            sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }
}

/// Why a message did not arrive, without the URL.
#[derive(Debug)]
struct Problem {
    what: String,
    /// Trying again cannot help.
    is_final: bool,
}

impl Problem {
    fn again(what: impl Into<String>) -> Self {
        Self { what: what.into(), is_final: false }
    }
    fn last(what: impl Into<String>) -> Self {
        Self { what: what.into(), is_final: true }
    }
}

async fn post(url: &str, body: Bytes) -> Result<(), Problem> {
    let uri: Uri = url.parse().map_err(|_| Problem::last("its URL cannot be read"))?;
    let host = uri.host().ok_or_else(|| Problem::last("its URL has no host"))?;
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let encrypted = uri.scheme_str() == Some("https");
    let port = uri.port_u16().unwrap_or(if encrypted { 443 } else { 80 });
    let stream = TcpStream::connect((bare, port)).await.map_err(|error| Problem::again(error.kind().to_string()))?;
    let authority = uri.authority().map(|authority| authority.as_str()).unwrap_or(host);
    // A user and password before the host belong to nobody here.
    let authority = authority.rsplit('@').next().unwrap_or(host);
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    let request = Request::post(path)
        .header("host", authority)
        .header("content-type", "application/json")
        .header("user-agent", concat!("pgveil/", env!("CARGO_PKG_VERSION")))
        .body(Full::new(body))
        .map_err(|_| Problem::last("its URL cannot be read"))?;
    let status = if encrypted {
        let name = ServerName::try_from(bare.to_owned()).map_err(|_| Problem::last("its host has no certificate"))?;
        let config = TLS.as_ref().map_err(|()| Problem::last("TLS cannot be set up"))?;
        let connector = TlsConnector::from(Arc::clone(config));
        let stream = connector.connect(name, stream).await.map_err(|_| Problem::again("TLS with it failed"))?;
        send(stream, request).await?
    } else {
        send(stream, request).await?
    };
    match status {
        _ if status.is_success() => Ok(()),
        StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS => Err(Problem::again(format!("it says {status}"))),
        _ if status.is_server_error() => Err(Problem::again(format!("it says {status}"))),
        _ => Err(Problem::last(format!("it says {status}"))),
    }
}

async fn send<S>(stream: S, request: Request<Full<Bytes>>) -> Result<StatusCode, Problem>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let lost = |_: hyper::Error| Problem::again("the connection was lost");
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(lost)?;
    let connection = tokio::spawn(connection);
    let status = sender.send_request(request).await.map(|response| response.status()).map_err(lost);
    connection.abort();
    status
}

/// The system's authorities.
static TLS: LazyLock<Result<Arc<ClientConfig>, ()>> = LazyLock::new(|| {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    config.map(|config| Arc::new(config.with_root_certificates(roots).with_no_client_auth())).map_err(|_| ())
});
