//! TLS: both ways to begin it, channel binding, client certificates, reload.

use std::path::Path;
use std::pin::Pin;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use sha2::{Digest, Sha256};
use tokio_postgres::tls::{ChannelBinding, TlsConnect, TlsStream as PostgresTls};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::raw::{SSL_REQUEST, frame, packet, startup};
use super::*;
use crate::config::TlsConfig;
use crate::wire::{self, answer};

/// A directory with a CA, a server's certificate and key.
struct Pki {
    directory: tempfile::TempDir,
    ca: Issuer<'static, KeyPair>,
}

impl Pki {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let mut params = CertificateParams::new(vec![]).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        std::fs::write(directory.path().join("ca.crt"), params.self_signed(&key).unwrap().pem()).unwrap();
        let pki = Self { directory, ca: Issuer::new(params, key) };
        pki.issue("server", &[]);
        pki
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.directory.path().join(name)
    }

    /// Writes NAME.crt and NAME.key.
    fn issue(&self, name: &str, subject: &[(DnType, &str)]) {
        let mut params = CertificateParams::new(vec!["localhost".into()]).unwrap();
        params.distinguished_name = rcgen::DistinguishedName::new();
        for (kind, value) in subject {
            params.distinguished_name.push(kind.clone(), *value);
        }
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.ca).unwrap();
        std::fs::write(self.path(&format!("{name}.crt")), certificate.pem()).unwrap();
        std::fs::write(self.path(&format!("{name}.key")), key.serialize_pem()).unwrap();
    }

    fn config(&self, mode: TlsMode) -> TlsConfig {
        TlsConfig {
            cert: self.path("server.crt"),
            key: self.path("server.key"),
            client_ca: Some(self.path("ca.crt")),
            mode,
        }
    }

    fn surroundings(&self, mode: TlsMode) -> StartupSurroundings {
        let tls = ServerTls::load(&self.config(mode)).unwrap();
        StartupSurroundings { tls: Some(Arc::new(tls)), ..surroundings() }
    }

    fn client(&self, alpn: &[&str], certificate: Option<&str>) -> Connector {
        self.client_of_version(alpn, certificate, &rustls::version::TLS13)
    }

    fn client_of_version(
        &self,
        alpn: &[&str],
        certificate: Option<&str>,
        version: &'static rustls::SupportedProtocolVersion,
    ) -> Connector {
        let mut roots = rustls::RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(self.path("ca.crt")).unwrap()).unwrap();
        let builder = rustls::ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_protocol_versions(&[version])
            .unwrap()
            .with_root_certificates(roots);
        let mut config = match certificate {
            None => builder.with_no_client_auth(),
            Some(name) => {
                let chain = vec![CertificateDer::from_pem_file(self.path(&format!("{name}.crt"))).unwrap()];
                let key = PrivateKeyDer::from_pem_file(self.path(&format!("{name}.key"))).unwrap();
                builder.with_client_auth_cert(chain, key).unwrap()
            }
        };
        config.alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
        Connector { config: Arc::new(config), end_point: None }
    }
}

/// What tokio-postgres needs to speak TLS.
#[derive(Clone)]
struct Connector {
    config: Arc<rustls::ClientConfig>,
    /// In place of the real one, as somebody in between would have it.
    end_point: Option<Vec<u8>>,
}

impl Connector {
    async fn handshake(&self, stream: DuplexStream) -> std::io::Result<TlsStream<DuplexStream>> {
        let name = ServerName::try_from("localhost").unwrap();
        TlsConnector::from(Arc::clone(&self.config)).connect(name, stream).await
    }
}

struct Encrypted {
    stream: TlsStream<DuplexStream>,
    end_point: Option<Vec<u8>>,
}

impl TlsConnect<DuplexStream> for Connector {
    type Stream = Encrypted;
    type Error = std::io::Error;
    type Future = Pin<Box<dyn Future<Output = std::io::Result<Encrypted>> + Send>>;

    fn connect(self, stream: DuplexStream) -> Self::Future {
        Box::pin(async move { Ok(Encrypted { stream: self.handshake(stream).await?, end_point: self.end_point }) })
    }
}

impl PostgresTls for Encrypted {
    fn channel_binding(&self) -> ChannelBinding {
        let certificate = self.stream.get_ref().1.peer_certificates().unwrap()[0].clone();
        let real = || Sha256::digest(&certificate).to_vec();
        ChannelBinding::tls_server_end_point(self.end_point.clone().unwrap_or_else(real))
    }
}

impl AsyncRead for Encrypted {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
        buffer: &mut tokio::io::ReadBuf<'_>,
    ) -> std::task::Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Encrypted {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
        bytes: &[u8],
    ) -> std::task::Poll<std::io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut std::task::Context<'_>) -> std::task::Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }
    fn poll_shutdown(
        mut self: Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
    ) -> std::task::Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

fn encrypted(user: &str, password: &str) -> tokio_postgres::Config {
    let mut config = config(user, password);
    config.ssl_mode(tokio_postgres::config::SslMode::Require);
    config
}

#[tokio::test]
async fn a_real_client_logs_in_over_tls_with_channel_binding() {
    let pki = Pki::new();
    let around = pki.surroundings(TlsMode::Require);
    for (version, name) in [(&rustls::version::TLS13, "TLSv1.3"), (&rustls::version::TLS12, "TLSv1.2")] {
        for alpn in [&[][..], &["postgresql"]] {
            let (stream, server) = connect_until_ready(&around);
            let mut config = encrypted("ana", "pencil");
            config.channel_binding(tokio_postgres::config::ChannelBinding::Require);
            drop(config.connect_raw(stream, pki.client_of_version(alpn, None, version)).await.unwrap());
            let client = server.await.unwrap().unwrap();
            assert_eq!(client.method, Method::ScramPlus);
            let tls = client.tls.unwrap();
            assert_eq!((tls.version, tls.client_name), (name, None));
            assert!(tls.cipher.starts_with("TLS"), "{}", tls.cipher);
        }
    }
}

#[tokio::test]
async fn somebody_in_between_is_found_out() {
    let pki = Pki::new();
    let (stream, server) = connect_until_ready(&pki.surroundings(TlsMode::Prefer));
    let between = Connector { end_point: Some(vec![7; 32]), ..pki.client(&[], None) };
    let error = encrypted("ana", "pencil").connect_raw(stream, between).await.err().unwrap();
    assert_eq!(error.as_db_error().unwrap().message(), "SCRAM channel binding check failed");
    assert_eq!(
        refusal(server.await.unwrap()).attempt,
        Attempt { user: "ana".into(), database: "analytics".into(), application: String::new(), tls: true }
    );
}

#[tokio::test]
async fn plaintext_is_refused_where_tls_is_required() {
    let pki = Pki::new();
    let (stream, server) = connect_until_ready(&pki.surroundings(TlsMode::Require));
    let error = config("ana", "pencil").connect_raw(stream, NoTls).await.err().unwrap();
    let told = error.as_db_error().unwrap();
    assert_eq!((told.code().code(), told.severity()), ("28000", "FATAL"));
    assert!(told.hint().unwrap().contains("sslmode=require"));
    assert_eq!(refusal(server.await.unwrap()).reason, "tls_required");

    let (stream, server) = connect_until_ready(&pki.surroundings(TlsMode::Prefer));
    drop(config("ana", "pencil").connect_raw(stream, NoTls).await.unwrap());
    assert_eq!(server.await.unwrap().unwrap().method, Method::Scram, "PLUS is not offered in plaintext");
}

#[tokio::test]
async fn direct_tls_needs_the_name_of_the_protocol() {
    let pki = Pki::new();
    let around = pki.surroundings(TlsMode::Require);
    let (stream, server) = connect_until_ready(&around);
    let mut config = encrypted("ana", "pencil");
    config.ssl_negotiation(tokio_postgres::config::SslNegotiation::Direct);
    drop(config.connect_raw(stream, pki.client(&["postgresql"], None)).await.unwrap());
    assert_eq!(server.await.unwrap().unwrap().method, Method::ScramPlus);

    let (stream, server) = connect(&around);
    let mut stream = pki.client(&[], None).handshake(stream).await.unwrap();
    let error = frame(&mut stream).await;
    assert!(answer::Report::parse(wire::body(&error)).unwrap().message().contains("without ALPN"));
    drop(stream);
    assert_eq!(refusal(server.await.unwrap()).reason, "protocol");

    let (stream, server) = connect(&around);
    assert!(pki.client(&["http/1.1"], None).handshake(stream).await.is_err());
    assert!(matches!(server.await.unwrap(), Err(StartupEnd::HandshakeFailed(_))));

    let (stream, server) = connect(&surroundings());
    assert!(pki.client(&["postgresql"], None).handshake(stream).await.is_err(), "there is no certificate");
    assert!(matches!(server.await.unwrap(), Err(StartupEnd::Closed)));
}

/// CVE-2021-23214: what was sent before the handshake must not be taken for what came through it.
#[tokio::test]
async fn stuffed_bytes_never_come_out_behind_the_handshake() {
    let pki = Pki::new();
    let stuffing = startup(0x3_0000, &[("user", "mallory"), ("database", "analytics")]);

    let (mut stream, server) = connect(&pki.surroundings(TlsMode::Prefer));
    stream.write_all(&[packet(SSL_REQUEST, b""), stuffing.clone()].concat()).await.unwrap();
    let mut answer = vec![];
    stream.read_to_end(&mut answer).await.unwrap();
    assert_eq!(answer[0], b'E', "not even the S is sent");
    drop(stream);
    let refused = refusal(server.await.unwrap());
    assert_eq!((refused.reason, refused.attempt.user.as_str()), ("protocol", ""));

    // A moment later they are part of the handshake, which they break.
    let (mut stream, server) = connect(&pki.surroundings(TlsMode::Prefer));
    stream.write_all(&packet(SSL_REQUEST, b"")).await.unwrap();
    assert_eq!(stream.read_u8().await.unwrap(), b'S');
    stream.write_all(&stuffing).await.unwrap();
    assert!(matches!(server.await.unwrap(), Err(StartupEnd::HandshakeFailed(_))));
}

#[tokio::test]
async fn inside_tls_there_is_no_second_tls() {
    let pki = Pki::new();
    let (mut stream, _server) = connect(&pki.surroundings(TlsMode::Prefer));
    stream.write_all(&packet(SSL_REQUEST, b"")).await.unwrap();
    assert_eq!(stream.read_u8().await.unwrap(), b'S');
    let mut stream = pki.client(&[], None).handshake(stream).await.unwrap();
    stream.write_all(&packet(SSL_REQUEST, b"")).await.unwrap();
    let error = frame(&mut stream).await;
    assert!(answer::Report::parse(wire::body(&error)).unwrap().message().contains("more than once"));
}

#[tokio::test]
async fn a_handshake_that_stops_meets_the_deadline() {
    let pki = Pki::new();
    let around = StartupSurroundings { startup_timeout: Duration::from_secs(2), ..pki.surroundings(TlsMode::Prefer) };
    let (mut stream, server) = connect(&around);
    stream.write_all(&packet(SSL_REQUEST, b"")).await.unwrap();
    assert_eq!(stream.read_u8().await.unwrap(), b'S');
    assert!(matches!(server.await.unwrap(), Err(StartupEnd::TimedOut(_))));
}

#[tokio::test]
async fn cancel_requests_come_over_tls_as_well() {
    let pki = Pki::new();
    let around = pki.surroundings(TlsMode::Require);
    let session = around.cancel.register(&UserName::new("ana"), (3, 0));
    let cancel = packet(80_877_102, &[&session.pid().to_be_bytes(), session.key()].concat());

    let (mut stream, server) = connect(&around);
    stream.write_all(&packet(SSL_REQUEST, b"")).await.unwrap();
    assert_eq!(stream.read_u8().await.unwrap(), b'S');
    let mut stream = pki.client(&[], None).handshake(stream).await.unwrap();
    stream.write_all(&cancel).await.unwrap();
    assert!(matches!(server.await.unwrap(), Err(StartupEnd::Cancelled(true))));
    session.cancelled().await;

    // pgjdbc cancels a TLS session without TLS, whatever is required.
    let (mut stream, server) = connect(&around);
    stream.write_all(&cancel).await.unwrap();
    assert!(matches!(server.await.unwrap(), Err(StartupEnd::Cancelled(true))));
    session.cancelled().await;
}

#[tokio::test]
async fn certificates_authenticate_whom_they_name() {
    let pki = Pki::new();
    let superset = [(DnType::OrganizationName, "Example"), (DnType::CommonName, "superset")];
    pki.issue("superset", &superset);
    pki.issue("other", &[(DnType::OrganizationName, "Example"), (DnType::CommonName, "metabase")]);
    let around = pki.surroundings(TlsMode::Prefer);
    for (user, password, certificate, expected) in [
        ("svc", "", Some("superset"), Ok(Method::Certificate)),
        ("both", "", Some("superset"), Ok(Method::Certificate)),
        ("both", "pencil", None, Ok(Method::ScramPlus)),
        ("both", "pencil", Some("other"), Ok(Method::ScramPlus)),
        ("svc", "pencil", Some("other"), Err("28P01")),
        ("svc", "pencil", None, Err("28P01")),
        ("both", "wrong", Some("other"), Err("28P01")),
        ("ana", "wrong", Some("superset"), Err("28P01")),
        ("superset", "wrong", Some("superset"), Err("28P01")),
    ] {
        let (stream, server) = connect_until_ready(&around);
        let connected = encrypted(user, password).connect_raw(stream, pki.client(&[], certificate)).await;
        let outcome = server.await.unwrap();
        match expected {
            Ok(method) => {
                drop(connected.unwrap());
                let client = outcome.unwrap();
                assert_eq!(client.method, method, "{user} {certificate:?}");
                let shown = client.tls.unwrap().client_name.map(|name| name.to_string());
                let name = certificate.map(|name| format!("CN={},O=Example", name.replace("other", "metabase")));
                assert_eq!(shown, name);
            }
            Err(sqlstate) => {
                let error = connected.err().unwrap();
                assert_eq!(error.as_db_error().unwrap().code().code(), sqlstate, "{user} {certificate:?}");
                refusal(outcome);
            }
        }
    }
}

#[tokio::test]
async fn a_certificate_of_somebody_elses_ca_ends_the_handshake() {
    let (pki, stranger) = (Pki::new(), Pki::new());
    stranger.issue("superset", &[(DnType::OrganizationName, "Example"), (DnType::CommonName, "superset")]);
    for kind in ["crt", "key"] {
        std::fs::copy(stranger.path(&format!("superset.{kind}")), pki.path(&format!("superset.{kind}"))).unwrap();
    }
    let (stream, server) = connect_until_ready(&pki.surroundings(TlsMode::Prefer));
    let connector = pki.client(&[], Some("superset"));
    assert!(encrypted("svc", "").connect_raw(stream, connector).await.is_err());
    let Err(StartupEnd::HandshakeFailed(error)) = server.await.unwrap() else { panic!("the certificate was accepted") };
    assert!(error.contains("UnknownIssuer") || error.contains("BadSignature"), "{error}");
}

#[tokio::test]
async fn certificates_are_read_again_and_channel_binding_follows() {
    let pki = Pki::new();
    let tls = Arc::new(ServerTls::load(&pki.config(TlsMode::Prefer)).unwrap());
    let around = StartupSurroundings { tls: Some(Arc::clone(&tls)), ..surroundings() };
    let seen = async || {
        let (stream, server) = connect(&around);
        let mut config = encrypted("ana", "pencil");
        config.ssl_negotiation(tokio_postgres::config::SslNegotiation::Direct);
        let connector = pki.client(&["postgresql"], None);
        let connecting = tokio::spawn(async move { config.connect_raw(stream, connector).await.map(drop) });
        let client = server.await.unwrap().unwrap();
        drop(connecting);
        assert_eq!(client.method, Method::ScramPlus);
        client.tls.unwrap().end_point
    };
    let first = seen().await;
    assert_eq!(seen().await, first);
    pki.issue("server", &[]);
    assert_eq!(seen().await, first, "nothing changes before the reload");
    tls.reload().unwrap();
    let second = seen().await;
    assert_ne!(second, first);

    std::fs::write(pki.path("server.crt"), "no certificate").unwrap();
    let error = tls.reload().unwrap_err().to_string();
    assert!(error.contains("server.crt"), "{error}");
    assert_eq!(seen().await, second, "an invalid file changes nothing");
}

#[test]
fn files_that_cannot_be_used_say_why() {
    let pki = Pki::new();
    let error = |change: &dyn Fn(&mut TlsConfig, &Path)| {
        let mut config = pki.config(TlsMode::Prefer);
        change(&mut config, pki.directory.path());
        ServerTls::load(&config).unwrap_err().to_string()
    };
    pki.issue("other", &[]);
    let missing = error(&|config, directory| config.cert = directory.join("none.crt"));
    assert!(
        missing.contains("certificate") && missing.contains("none.crt") && missing.contains("No such file"),
        "{missing}"
    );
    let swapped = error(&|config, directory| config.cert = directory.join("server.key"));
    assert!(swapped.contains("it holds no PEM"), "{swapped}");
    let no_key = error(&|config, directory| config.key = directory.join("server.crt"));
    assert!(no_key.contains("key") && no_key.contains("it holds no PEM"), "{no_key}");
    let foreign = error(&|config, directory| config.key = directory.join("other.key"));
    assert!(foreign.contains("other.key") && foreign.contains("server.crt"), "{foreign}");
    let ca = error(&|config, directory| config.client_ca = Some(directory.join("none.crt")));
    assert!(ca.contains("client CA"), "{ca}");
}
