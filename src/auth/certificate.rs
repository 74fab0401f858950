//! What a certificate gives for channel binding (RFC 5929).

use sha2::{Digest, Sha224, Sha256, Sha384, Sha512};
use x509_cert::Certificate;
use x509_cert::der::asn1::ContextSpecific;
use x509_cert::der::{Decode, Reader, SliceReader, TagNumber};
use x509_cert::spki::AlgorithmIdentifierOwned;

/// `tls-server-end-point`: the hash of the server's certificate with the hash of its own signature, SHA-256 in place of MD5
/// and SHA-1. `None` where none is defined (Ed25519): no channel binding is offered then.
pub fn server_end_point(der: &[u8]) -> Option<Vec<u8>> {
    let certificate = Certificate::from_der(der).ok()?;
    let algorithm = certificate.signature_algorithm;
    let hash = match algorithm.oid.to_string().as_str() {
        RSASSA_PSS => pss_hash(&algorithm)?,
        other => other.to_owned(),
    };
    Some(match hash.as_str() {
        // md5, sha1, sha256 with RSA; ecdsa with sha1, sha256; the hashes themselves
        "1.2.840.113549.1.1.4"
        | "1.2.840.113549.1.1.5"
        | "1.2.840.113549.1.1.11"
        | "1.2.840.10045.4.1"
        | "1.2.840.10045.4.3.2"
        | "1.3.14.3.2.26"
        | "2.16.840.1.101.3.4.2.1" => Sha256::digest(der).to_vec(),
        "1.2.840.113549.1.1.14" | "1.2.840.10045.4.3.1" | "2.16.840.1.101.3.4.2.4" => Sha224::digest(der).to_vec(),
        "1.2.840.113549.1.1.12" | "1.2.840.10045.4.3.3" | "2.16.840.1.101.3.4.2.2" => Sha384::digest(der).to_vec(),
        "1.2.840.113549.1.1.13" | "1.2.840.10045.4.3.4" | "2.16.840.1.101.3.4.2.3" => Sha512::digest(der).to_vec(),
        _ => return None,
    })
}

const RSASSA_PSS: &str = "1.2.840.113549.1.1.10";
const SHA1: &str = "1.3.14.3.2.26";

/// The hash that RSASSA-PSS parameters name: `SEQUENCE { [0] EXPLICIT AlgorithmIdentifier DEFAULT sha1, … }`.
fn pss_hash(algorithm: &AlgorithmIdentifierOwned) -> Option<String> {
    let parameters = algorithm.parameters.as_ref()?;
    let mut reader = SliceReader::new(parameters.value()).ok()?;
    if reader.is_finished() {
        return Some(SHA1.to_owned());
    }
    let hash = ContextSpecific::<AlgorithmIdentifierOwned>::decode_explicit(&mut reader, TagNumber::N0).ok()?;
    Some(hash.map_or_else(|| SHA1.to_owned(), |hash| hash.value.oid.to_string()))
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, KeyPair};

    use super::*;

    #[test]
    fn the_end_point_uses_the_hash_of_the_signature() {
        let der = |algorithm| {
            let key = KeyPair::generate_for(algorithm).unwrap();
            CertificateParams::new(vec!["localhost".into()]).unwrap().self_signed(&key).unwrap().der().to_vec()
        };
        let p256 = der(&rcgen::PKCS_ECDSA_P256_SHA256);
        assert_eq!(server_end_point(&p256), Some(Sha256::digest(&p256).to_vec()));
        let p384 = der(&rcgen::PKCS_ECDSA_P384_SHA384);
        assert_eq!(server_end_point(&p384), Some(Sha384::digest(&p384).to_vec()));
        assert_eq!(server_end_point(&der(&rcgen::PKCS_ED25519)), None, "no hash is defined, so nothing is offered");
    }

    /// RSA certificates of the openssl command; ring makes no RSA keys.
    #[test]
    fn the_end_point_of_rsa_certificates() {
        use rustls::pki_types::CertificateDer;
        use rustls::pki_types::pem::PemObject;
        let der = |pem: &str| CertificateDer::from_pem_slice(pem.as_bytes()).unwrap().to_vec();
        let sha512 = der(include_str!("testdata/rsa-sha512.crt"));
        assert_eq!(server_end_point(&sha512), Some(Sha512::digest(&sha512).to_vec()));
        let pss = der(include_str!("testdata/rsa-pss-sha384.crt"));
        assert_eq!(server_end_point(&pss), Some(Sha384::digest(&pss).to_vec()));
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_make_it_panic(der in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..80)) {
            let _ = server_end_point(&der);
        }
    }
}
