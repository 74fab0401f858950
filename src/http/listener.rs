//! The HTTP side's socket, with TLS where `[http.tls]` says so.

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arc_swap::ArcSwap;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::net::TcpListener;

use crate::config::{HttpConfig, TlsConfig};

/// Why the HTTP side does not listen.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// Somebody else listens there.
    #[error(
        "cannot listen on {0} for HTTP: the port is in use; stop the other process or set another port in [http] listen"
    )]
    InUse(SocketAddr),
    /// Anything else, in the system's words.
    #[error("cannot listen on {0} for HTTP: {1}; correct [http] listen")]
    Other(SocketAddr, io::Error),
    /// A certificate or key cannot be used.
    #[error("cannot use {what} {path} of [http.tls]: {reason}", path = .path.display())]
    Tls {
        /// the certificate, the key
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// Why; none of its content.
        reason: String,
    },
}

/// A socket that accepts HTTP.
pub struct HttpListener {
    pub(super) socket: TcpListener,
    pub(super) tls: Option<Arc<HttpTls>>,
}

impl HttpListener {
    /// Binds the address and reads the certificate.
    pub async fn bind(config: &HttpConfig) -> Result<Self, ListenError> {
        let tls = config.tls.as_ref().map(HttpTls::load).transpose()?.map(Arc::new);
        let socket = TcpListener::bind(config.listen).await.map_err(|error| match error.kind() {
            io::ErrorKind::AddrInUse => ListenError::InUse(config.listen),
            _ => ListenError::Other(config.listen, error),
        })?;
        Ok(Self { socket, tls })
    }

    /// Where it listens; with port 0 in the configuration the system chose one.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    /// Its TLS, to be reloaded when the files change.
    pub fn tls(&self) -> Option<Arc<HttpTls>> {
        self.tls.clone()
    }
}

/// Certificate and key of the HTTP side.
pub struct HttpTls {
    files: TlsConfig,
    current: ArcSwap<rustls::ServerConfig>,
}

impl HttpTls {
    pub(super) fn load(files: &TlsConfig) -> Result<Self, ListenError> {
        Ok(Self { files: files.clone(), current: ArcSwap::from_pointee(read(files)?) })
    }

    /// Reads the files again, for handshakes that begin later. After an error the former ones stay in use.
    pub fn reload(&self) -> Result<(), ListenError> {
        self.current.store(Arc::new(read(&self.files)?));
        Ok(())
    }

    /// The files that are read again.
    pub fn files(&self) -> &TlsConfig {
        &self.files
    }

    pub(super) fn current(&self) -> Arc<rustls::ServerConfig> {
        self.current.load_full()
    }
}

fn read(files: &TlsConfig) -> Result<rustls::ServerConfig, ListenError> {
    let refused =
        |what, path: &Path, reason: &str| ListenError::Tls { what, path: path.to_owned(), reason: reason.to_owned() };
    let certificate =
        |error: &rustls::pki_types::pem::Error| refused("the certificate", &files.cert, pem_reason(error));
    let chain = CertificateDer::pem_file_iter(&files.cert).map_err(|e| certificate(&e))?;
    let chain: Vec<_> = chain.collect::<Result<_, _>>().map_err(|e| certificate(&e))?;
    let key = PrivateKeyDer::from_pem_file(&files.key).map_err(|e| refused("the key", &files.key, pem_reason(&e)))?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let unusable = |e: rustls::Error| refused("the certificate", &files.cert, &e.to_string());
    let mut config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(unusable)?
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .map_err(unusable)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

fn pem_reason(error: &rustls::pki_types::pem::Error) -> &'static str {
    match error {
        rustls::pki_types::pem::Error::Io(_) => "it cannot be read",
        rustls::pki_types::pem::Error::NoItemsFound => "it holds no PEM of this kind",
        _ => "it is not valid PEM",
    }
}
