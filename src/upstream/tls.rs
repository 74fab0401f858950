//! TLS as a client of a warehouse, in libpq's five modes.

use std::sync::Arc;

use postgres_protocol::authentication::sasl::ChannelBinding;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{WebPkiServerVerifier, verify_server_cert_signed_by_trust_anchor};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use sha2::{Digest, Sha256, Sha384, Sha512};
use x509_cert::der::Decode;
use x509_cert::der::oid::db::rfc5912;

use super::dsn::{Dsn, Roots, SslMode};

/// The TLS settings of a DSN; `None`: no TLS. The error is for the operator.
pub(super) fn client_config(dsn: &Dsn) -> Result<Option<Arc<ClientConfig>>, String> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let verifier: Arc<dyn ServerCertVerifier> = match (dsn.ssl, &dsn.roots) {
        (SslMode::Disable, _) => return Ok(None),
        (SslMode::Prefer, _) | (SslMode::Require, None) => Arc::new(AnyCertificate { provider: provider.clone() }),
        // As in libpq: who names authorities wants them asked.
        (SslMode::Require, Some(roots)) => authority_verifier(roots, &provider)?,
        (SslMode::VerifyCa, roots) => authority_verifier(roots.as_ref().unwrap_or(&Roots::System), &provider)?,
        (SslMode::VerifyFull, roots) => {
            let roots = Arc::new(load_roots(roots.as_ref().unwrap_or(&Roots::System))?);
            WebPkiServerVerifier::builder_with_provider(roots, provider.clone())
                .build()
                .map_err(|error| format!("the certificate authorities of sslrootcert cannot be used: {error}"))?
        }
    };
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| format!("TLS cannot be set up: {error}"))?
        .dangerous()
        .with_custom_certificate_verifier(verifier)
        .with_no_client_auth();
    Ok(Some(Arc::new(config)))
}

fn authority_verifier(roots: &Roots, provider: &Arc<CryptoProvider>) -> Result<Arc<dyn ServerCertVerifier>, String> {
    Ok(Arc::new(AnyName { roots: load_roots(roots)?, provider: provider.clone() }))
}

fn load_roots(roots: &Roots) -> Result<RootCertStore, String> {
    let mut store = RootCertStore::empty();
    match roots {
        Roots::System => {
            store.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
            if store.is_empty() {
                return Err("the system has no certificate authorities (package ca-certificates); name a file with \
                            sslrootcert"
                    .to_owned());
            }
        }
        Roots::File(path) => {
            let shown = path.display();
            let certificates = CertificateDer::pem_file_iter(path)
                .map_err(|error| format!("sslrootcert {shown} cannot be read: {error}"))?;
            for certificate in certificates {
                let certificate = certificate.map_err(|error| format!("sslrootcert {shown} is not PEM: {error}"))?;
                store
                    .add(certificate)
                    .map_err(|error| format!("sslrootcert {shown} has a certificate that cannot be used: {error}"))?;
            }
            if store.is_empty() {
                return Err(format!("sslrootcert {shown} has no certificate"));
            }
        }
    }
    Ok(store)
}

/// prefer and require: against listeners, not against who pretends to be the warehouse.
#[derive(Debug)]
struct AnyCertificate {
    provider: Arc<CryptoProvider>,
}

/// verify-ca: an authority vouches for the certificate, whatever name is on it.
#[derive(Debug)]
struct AnyName {
    roots: RootCertStore,
    provider: Arc<CryptoProvider>,
}

macro_rules! signatures_by_provider {
    () => {
        fn verify_tls12_signature(
            &self,
            message: &[u8],
            cert: &CertificateDer<'_>,
            dss: &DigitallySignedStruct,
        ) -> Result<HandshakeSignatureValid, rustls::Error> {
            verify_tls12_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
        }
        fn verify_tls13_signature(
            &self,
            message: &[u8],
            cert: &CertificateDer<'_>,
            dss: &DigitallySignedStruct,
        ) -> Result<HandshakeSignatureValid, rustls::Error> {
            verify_tls13_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
        }
        fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
            self.provider.signature_verification_algorithms.supported_schemes()
        }
    };
}

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }
    signatures_by_provider!();
}

impl ServerCertVerifier for AnyName {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let certificate = ParsedCertificate::try_from(end_entity)?;
        let algorithms = self.provider.signature_verification_algorithms.all;
        verify_server_cert_signed_by_trust_anchor(&certificate, &self.roots, intermediates, now, algorithms)?;
        Ok(ServerCertVerified::assertion())
    }
    signatures_by_provider!();
}

/// `tls-server-end-point` (RFC 5929) of the warehouse's certificate; `None` for signatures that have no hash of their own.
pub(super) fn end_point_hash(certificate: &[u8]) -> Option<Vec<u8>> {
    let parsed = x509_cert::Certificate::from_der(certificate).ok()?;
    match parsed.signature_algorithm.oid {
        // SHA-1 (and MD5) count as SHA-256.
        rfc5912::ID_SHA_1
        | rfc5912::SHA_1_WITH_RSA_ENCRYPTION
        | rfc5912::ID_SHA_256
        | rfc5912::SHA_256_WITH_RSA_ENCRYPTION
        | rfc5912::ECDSA_WITH_SHA_256 => Some(Sha256::digest(certificate).to_vec()),
        rfc5912::ID_SHA_384 | rfc5912::SHA_384_WITH_RSA_ENCRYPTION | rfc5912::ECDSA_WITH_SHA_384 => {
            Some(Sha384::digest(certificate).to_vec())
        }
        rfc5912::ID_SHA_512 | rfc5912::SHA_512_WITH_RSA_ENCRYPTION | rfc5912::ECDSA_WITH_SHA_512 => {
            Some(Sha512::digest(certificate).to_vec())
        }
        _ => None,
    }
}

/// Which SCRAM mechanism, and what is said about channel binding, given what the warehouse offers.
pub(super) fn choose_binding(certificate: Option<&[u8]>, plus_offered: bool) -> (bool, ChannelBinding) {
    match certificate.and_then(end_point_hash) {
        Some(hash) if plus_offered => (true, ChannelBinding::tls_server_end_point(hash)),
        // Able to, but not offered: said so ("y"), which a warehouse that did offer it takes as the attack that it is.
        Some(_) => (false, ChannelBinding::unrequested()),
        None => (false, ChannelBinding::unsupported()),
    }
}
