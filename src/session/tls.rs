//! TLS towards clients: the certificate and what may be read again while pgveil runs, and the stream of a client.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use arc_swap::ArcSwap;
use rustls::RootCertStore;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{NoServerSessionStorage, ServerConnection, WebPkiClientVerifier};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::auth::server_end_point;
use crate::config::{TlsConfig, TlsMode};
use crate::names::CertificateName;

/// What Postgres clients name in ALPN.
const ALPN: &[u8] = b"postgresql";

/// Why certificate, key or client CA cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read or is no PEM of the kind that is needed.
    #[error("cannot read the {what} {}: {reason}", path.display())]
    File {
        /// certificate, key, client CA
        what: &'static str,
        /// Which.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// The files can be read, but not used together.
    #[error("cannot use the certificate {} with the key {}: {reason}", cert.display(), key.display())]
    Unusable {
        /// `cert`
        cert: PathBuf,
        /// `key`
        key: PathBuf,
        /// Why.
        reason: String,
    },
}

/// The server's side of TLS. [`ServerTls::reload`] takes effect for handshakes that begin later.
pub struct ServerTls {
    files: TlsConfig,
    current: ArcSwap<Loaded>,
}

struct Loaded {
    config: Arc<rustls::ServerConfig>,
    /// Of the certificate in `config`: channel binding must speak of the one that the handshake used.
    end_point: Option<Vec<u8>>,
}

impl fmt::Debug for ServerTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerTls").field("files", &self.files).finish_non_exhaustive()
    }
}

impl ServerTls {
    /// Reads certificate, key and client CA.
    pub fn load(files: &TlsConfig) -> Result<Self, TlsError> {
        Ok(Self { files: files.clone(), current: ArcSwap::from_pointee(Loaded::read(files)?) })
    }

    /// Reads the files again. On an error the old ones stay in use.
    pub fn reload(&self) -> Result<(), TlsError> {
        self.current.store(Arc::new(Loaded::read(&self.files)?));
        Ok(())
    }

    /// The files that are read again.
    pub fn files(&self) -> &TlsConfig {
        &self.files
    }

    /// Whether clients must use TLS.
    pub fn mode(&self) -> TlsMode {
        self.files.mode
    }

    /// Does the handshake; `begun` are bytes of it that were read already.
    pub(super) async fn accept<S>(&self, stream: S, begun: &[u8]) -> io::Result<(Box<TlsStream<S>>, TlsInfo)>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let loaded = self.current.load_full();
        let acceptor = TlsAcceptor::from(Arc::clone(&loaded.config));
        let stream = acceptor.accept_with(stream, |session| feed(session, begun)).await?;
        let info = TlsInfo::of(stream.get_ref().1, loaded.end_point.clone());
        Ok((Box::new(stream), info))
    }
}

/// Gives a session the bytes that were read before it was there. An error stays in the session, which reports it when the
/// handshake goes on.
fn feed(session: &mut ServerConnection, mut begun: &[u8]) {
    while !begun.is_empty() {
        let taken = session.read_tls(&mut begun);
        if session.process_new_packets().is_err() || !taken.is_ok_and(|bytes| bytes > 0) {
            return;
        }
    }
}

impl Loaded {
    fn read(files: &TlsConfig) -> Result<Self, TlsError> {
        let chain = certificates("certificate", &files.cert)?;
        let key = PrivateKeyDer::from_pem_file(&files.key).map_err(|error| TlsError::File {
            what: "key",
            path: files.key.clone(),
            reason: pem_reason(&error),
        })?;
        let unusable = |reason: String| TlsError::Unusable { cert: files.cert.clone(), key: files.key.clone(), reason };
        let end_point = chain.first().and_then(|certificate| server_end_point(certificate));

        let provider = Arc::new(ring::default_provider());
        let builder = rustls::ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])
            .map_err(|error| unusable(error.to_string()))?;
        let builder = match &files.client_ca {
            None => builder.with_no_client_auth(),
            Some(path) => builder.with_client_cert_verifier(client_verifier(path, provider)?),
        };
        let mut config = builder.with_single_cert(chain, key).map_err(|error| unusable(error.to_string()))?;
        config.alpn_protocols = vec![ALPN.to_vec()];
        // As in Postgres: every connection is a full handshake, so that a certificate is verified each time.
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
        Ok(Self { config: Arc::new(config), end_point })
    }
}

/// Client certificates are not demanded, but one that is shown must be good.
fn client_verifier(
    path: &Path,
    provider: Arc<rustls::crypto::CryptoProvider>,
) -> Result<Arc<dyn rustls::server::danger::ClientCertVerifier>, TlsError> {
    let refused = |reason: String| TlsError::File { what: "client CA", path: path.to_owned(), reason };
    let mut roots = RootCertStore::empty();
    for certificate in certificates("client CA", path)? {
        roots.add(certificate).map_err(|error| refused(error.to_string()))?;
    }
    WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider)
        .allow_unauthenticated()
        .build()
        .map_err(|error| refused(error.to_string()))
}

fn certificates(what: &'static str, path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let refused = |reason: String| TlsError::File { what, path: path.to_owned(), reason };
    let chain: Vec<_> =
        CertificateDer::pem_file_iter(path).and_then(Iterator::collect).map_err(|error| refused(pem_reason(&error)))?;
    if chain.is_empty() { Err(refused("it holds no PEM certificate".into())) } else { Ok(chain) }
}

/// What is wrong, without any of the file's content.
fn pem_reason(error: &rustls::pki_types::pem::Error) -> String {
    use rustls::pki_types::pem::Error;
    match error {
        Error::Io(error) => error.to_string(),
        Error::NoItemsFound => "it holds no PEM of this kind".into(),
        _ => "it is not valid PEM".into(),
    }
}

/// What is known of a client's TLS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsInfo {
    /// `TLSv1.3` or `TLSv1.2`
    pub version: &'static str,
    /// The cipher suite's name.
    pub cipher: String,
    /// The subject of the client's verified certificate.
    pub client_name: Option<CertificateName>,
    /// Whether the client named the protocol.
    pub(super) alpn: bool,
    /// For channel binding.
    pub(super) end_point: Option<Vec<u8>>,
}

impl TlsInfo {
    fn of(session: &ServerConnection, end_point: Option<Vec<u8>>) -> Self {
        let version = match session.protocol_version() {
            Some(rustls::ProtocolVersion::TLSv1_3) => "TLSv1.3",
            Some(rustls::ProtocolVersion::TLSv1_2) => "TLSv1.2",
            _ => "TLS",
        };
        let suite = session.negotiated_cipher_suite().and_then(|suite| suite.suite().as_str()).unwrap_or_default();
        // The name of the registry: TLS_AES_256_GCM_SHA384.
        let cipher = suite.replacen("TLS13_", "TLS_", 1);
        let certificate = session.peer_certificates().and_then(<[_]>::first);
        let client_name = certificate.and_then(|certificate| CertificateName::of_certificate(certificate));
        Self { version, cipher, client_name, alpn: session.alpn_protocol() == Some(ALPN), end_point }
    }
}

/// A client's connection, encrypted or not.
#[derive(Debug)]
pub enum ClientStream<S = TcpStream> {
    /// Without TLS
    Plain(S),
    /// With TLS
    Tls(Box<TlsStream<S>>),
}

impl<S> ClientStream<S> {
    /// The stream below TLS.
    pub fn transport(&self) -> &S {
        match self {
            Self::Plain(stream) => stream,
            Self::Tls(stream) => stream.get_ref().0,
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> ClientStream<S> {
    /// Ends a connection after a last message: closes our side, then reads on for a moment. Closing with unread bytes
    /// would send a reset, which can destroy the message before the client has read it.
    pub async fn farewell(&mut self) {
        use tokio::io::AsyncReadExt;
        const PATIENCE: std::time::Duration = std::time::Duration::from_millis(500);
        let drain = async {
            let mut discarded = [0; 1024];
            if self.shutdown().await.is_ok() {
                while matches!(self.read(&mut discarded).await, Ok(1..)) {}
            }
        };
        // A client that does not go away is cut off.
        let _ = tokio::time::timeout(PATIENCE, drain).await;
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for ClientStream<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_read(cx, buffer),
            Self::Tls(stream) => Pin::new(stream).poll_read(cx, buffer),
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for ClientStream<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write(cx, bytes),
            Self::Tls(stream) => Pin::new(stream).poll_write(cx, bytes),
        }
    }
    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write_vectored(cx, slices),
            Self::Tls(stream) => Pin::new(stream).poll_write_vectored(cx, slices),
        }
    }
    fn is_write_vectored(&self) -> bool {
        match self {
            Self::Plain(stream) => stream.is_write_vectored(),
            Self::Tls(stream) => stream.is_write_vectored(),
        }
    }
    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Self::Tls(stream) => Pin::new(stream).poll_flush(cx),
        }
    }
    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}
