mod catalog;

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::oneshot;

use crate::config::{HttpConfig, TlsConfig, TlsMode};

use super::*;

struct Fixed(Readiness);

impl Probe for Fixed {
    fn readiness(&self) -> Readiness {
        self.0.clone()
    }
    fn sample(&self) {
        METRICS.generation.set(41.0);
    }
}

struct Running {
    address: SocketAddr,
    stop: oneshot::Sender<()>,
    task: tokio::task::JoinHandle<()>,
}

async fn start(readiness: Readiness, tls: Option<TlsConfig>) -> Running {
    let directory = tempfile::tempdir().unwrap();
    let desk = Desk::new(catalog::shared(directory.path()), MockSecret::random(), catalog::store(directory.path()));
    start_with(readiness, tls, desk).await
}

async fn start_with(readiness: Readiness, tls: Option<TlsConfig>, desk: Desk) -> Running {
    let config = HttpConfig { listen: "127.0.0.1:0".parse().unwrap(), anonymous_read: false, tls };
    let listener = HttpListener::bind(&config).await.unwrap();
    let address = listener.address().unwrap();
    let (stop, stopped) = oneshot::channel();
    let router = router(Arc::new(Fixed(readiness)), desk);
    let task = tokio::spawn(async move {
        let stop = async {
            stopped.await.ok();
        };
        // With an hour's grace nobody who should be gone at once is cut off in time.
        super::connection::serve_with_grace(listener, router, stop, Duration::from_secs(3600)).await;
    });
    Running { address, stop, task }
}

async fn ask(address: SocketAddr, request: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    tokio::time::timeout(Duration::from_secs(60), stream.read_to_string(&mut answer)).await.unwrap().unwrap();
    answer
}

fn get_request(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
}

fn not_ready() -> Readiness {
    Readiness { reasons: vec!["warehouse \"analytics\" cannot be reached".to_owned()], ..Readiness::default() }
}

#[tokio::test]
async fn each_path_answers() {
    let running = start(not_ready(), None).await;
    for (path, status, content) in [
        ("/healthz", "200 OK", "{\"status\":\"ok\"}"),
        ("/readyz", "503 Service Unavailable", "\"reasons\":[\"warehouse \\\"analytics\\\" cannot be reached\"]"),
        ("/metrics", "200 OK", "pgveil_generation 41"),
        ("/", "200 OK", "governance proxy"),
        ("/v1/secret", "404 Not Found", "\"error\":\"There is nothing"),
    ] {
        let answer = ask(running.address, &get_request(path)).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}\r\n")), "{path}: {answer}");
        assert!(answer.contains(content), "{path}: {answer}");
        assert!(answer.contains("content-security-policy: default-src 'none'"), "{path}: {answer}");
    }
    let ready = start(Readiness { ready: true, generation: 3, products: 23, ..Readiness::default() }, None).await;
    let answer = ask(ready.address, &get_request("/readyz")).await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}

#[tokio::test]
async fn every_metric_has_a_meaning() {
    METRICS.denied("kind");
    METRICS.pool("analytics", 1, 2, 3, true);
    let text = METRICS.render();
    for line in text.lines().filter(|l| l.starts_with("pgveil_")) {
        let name = line.split(['{', ' ']).next().unwrap();
        let base = name.trim_end_matches("_bucket").trim_end_matches("_sum").trim_end_matches("_count");
        assert!(text.contains(&format!("# HELP {base} ")), "{name} has no meaning");
    }
    assert!(text.contains("pgveil_statements_total{decision=\"deny\",reason=\"kind\"}"));
}

#[tokio::test]
async fn other_methods_and_large_headers_are_refused() {
    let running = start(not_ready(), None).await;
    let answer = ask(running.address, "POST /readyz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 405"), "{answer}");
    let huge = format!("GET / HTTP/1.1\r\nHost: x\r\nX: {}\r\n\r\n", "a".repeat(64 << 10));
    let mut stream = TcpStream::connect(running.address).await.unwrap();
    let _ = stream.write_all(huge.as_bytes()).await;
    let mut answer = Vec::new();
    // The rest of the request is not read, so the answer may be lost to a reset.
    let _ = stream.read_to_end(&mut answer).await;
    assert!(answer.is_empty() || answer.starts_with(b"HTTP/1.1 431"), "{}", String::from_utf8_lossy(&answer));
    assert!(ask(running.address, &get_request("/healthz")).await.contains("ok"));
}

#[tokio::test]
async fn the_stop_ends_idle_connections_and_frees_the_port() {
    let running = start(not_ready(), None).await;
    let mut idle = TcpStream::connect(running.address).await.unwrap();
    idle.write_all(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    let mut first = [0; 12];
    idle.read_exact(&mut first).await.unwrap();
    assert_eq!(&first, b"HTTP/1.1 200");
    running.stop.send(()).unwrap();
    tokio::time::timeout(Duration::from_secs(60), running.task).await.unwrap().unwrap();
    assert!(TcpStream::connect(running.address).await.is_err());
}

#[tokio::test]
async fn a_port_in_use_is_named() {
    let running = start(not_ready(), None).await;
    let config = HttpConfig { listen: running.address, anonymous_read: false, tls: None };
    let error = HttpListener::bind(&config).await.err().unwrap().to_string();
    assert!(error.contains("in use") && error.contains("[http] listen"), "{error}");
}

#[tokio::test]
async fn it_speaks_tls_and_reads_a_new_certificate() {
    let directory = tempfile::tempdir().unwrap();
    let (cert, key) = (directory.path().join("http.crt"), directory.path().join("http.key"));
    let issue = || {
        let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
        std::fs::write(&cert, made.cert.pem()).unwrap();
        std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
        made.cert.der().clone()
    };
    let first = issue();
    let tls = TlsConfig { cert: cert.clone(), key: key.clone(), client_ca: None, mode: TlsMode::Prefer };
    let loaded = HttpTls::load(&tls).unwrap();
    let running = start(not_ready(), Some(tls)).await;
    let mut roots = rustls::RootCertStore::empty();
    roots.add(first).unwrap();
    let client = rustls::ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let connector = tokio_rustls::TlsConnector::from(Arc::new(client));
    let stream = TcpStream::connect(running.address).await.unwrap();
    let mut stream = connector.connect("localhost".try_into().unwrap(), stream).await.unwrap();
    stream.write_all(get_request("/healthz").as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    assert!(answer.starts_with(b"HTTP/1.1 200"));

    let before = loaded.current();
    std::fs::write(&key, "broken").unwrap();
    assert!(loaded.reload().unwrap_err().to_string().contains("the key"));
    assert!(Arc::ptr_eq(&before, &loaded.current()), "the former stays in use");
    issue();
    loaded.reload().unwrap();
    assert!(!Arc::ptr_eq(&before, &loaded.current()));
}
