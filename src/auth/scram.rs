//! The server's side of SCRAM-SHA-256 and SCRAM-SHA-256-PLUS (RFC 5802, RFC 7677, RFC 5929), each state consumed by the
//! next message.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, Mac};
use sha2::{Digest, Sha256};
use subtle::{Choice, ConstantTimeEq};

use crate::config::ScramVerifier;
use crate::error::sqlstate;

use super::{AuthError, Method};

const PLAIN: &str = "SCRAM-SHA-256";
const PLUS: &str = "SCRAM-SHA-256-PLUS";
const PLUS_HEADER: &str = "p=tls-server-end-point,,";

/// Waits for the client's first message.
#[derive(Debug)]
pub struct ScramFirst {
    verifier: ScramVerifier,
    genuine: bool,
    end_point: Option<Vec<u8>>,
}

/// Waits for the client's proof.
#[derive(Debug)]
pub struct ScramLast {
    verifier: ScramVerifier,
    genuine: bool,
    method: Method,
    /// What the client's `c=` must decode to.
    channel: Vec<u8>,
    nonce: String,
    client_first_bare: String,
    server_first: String,
}

/// The proof was right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authenticated {
    /// The server's own proof, for SASLFinal.
    pub server_last: String,
    /// With or without channel binding.
    pub method: Method,
}

impl ScramFirst {
    pub(super) fn new(verifier: ScramVerifier, genuine: bool, end_point: Option<Vec<u8>>) -> Self {
        Self { verifier, genuine, end_point }
    }

    /// What to offer. PLUS stands there only where it can be kept: libpq fails when it is offered without TLS.
    pub fn mechanisms(&self) -> &'static [&'static str] {
        if self.end_point.is_some() { &[PLUS, PLAIN] } else { &[PLAIN] }
    }

    /// Reads the chosen mechanism and the client's first message; gives the server's.
    pub fn first(self, mechanism: &str, message: &[u8]) -> Result<(String, ScramLast), AuthError> {
        self.first_with_nonce(mechanism, message, &STANDARD.encode(rand::random::<[u8; 18]>()))
    }

    pub(super) fn first_with_nonce(
        self,
        mechanism: &str,
        message: &[u8],
        own_nonce: &str,
    ) -> Result<(String, ScramLast), AuthError> {
        let method = match mechanism {
            PLAIN => Method::Scram,
            PLUS if self.end_point.is_some() => Method::ScramPlus,
            _ => {
                return Err(AuthError::Exchange {
                    message: "client selected an invalid SASL authentication mechanism",
                    detail: "",
                    sqlstate: sqlstate::PROTOCOL_VIOLATION,
                });
            }
        };
        let message = std::str::from_utf8(message).map_err(|_| AuthError::malformed("The message is not UTF-8."))?;
        let (flag, rest) = message.split_once(',').ok_or(TOO_SHORT)?;
        let channel = channel_binding(method, flag, self.end_point.as_deref())?;
        let (identity, bare) = rest.split_once(',').ok_or(TOO_SHORT)?;
        if !identity.is_empty() {
            return Err(AuthError::Exchange {
                message: "client uses authorization identity, but it is not supported",
                detail: "",
                sqlstate: sqlstate::FEATURE_NOT_SUPPORTED,
            });
        }
        let client_nonce = client_nonce(bare)?;

        let nonce = format!("{client_nonce}{own_nonce}");
        let salt = STANDARD.encode(&self.verifier.salt);
        let server_first = format!("r={nonce},s={salt},i={}", self.verifier.iterations);
        let last = ScramLast {
            verifier: self.verifier,
            genuine: self.genuine,
            method,
            channel,
            nonce,
            client_first_bare: bare.to_owned(),
            server_first: server_first.clone(),
        };
        Ok((server_first, last))
    }
}

const TOO_SHORT: AuthError = AuthError::Exchange {
    message: "malformed SCRAM message",
    detail: "The message ends too early.",
    sqlstate: sqlstate::PROTOCOL_VIOLATION,
};

/// Checks the channel binding flag against the mechanism and what was offered; gives what the last message must repeat.
fn channel_binding(method: Method, flag: &str, end_point: Option<&[u8]>) -> Result<Vec<u8>, AuthError> {
    match (flag, method, end_point) {
        ("n", Method::Scram, _) => Ok(b"n,,".to_vec()),
        ("y", Method::Scram, None) => Ok(b"y,,".to_vec()),
        // It could bind and did not see the offer: somebody in between took it away.
        ("y", Method::Scram, Some(_)) => Err(AuthError::Exchange {
            message: "SCRAM channel binding negotiation error",
            detail: "The client supports SCRAM channel binding but thinks the server does not. However, this server does \
                     support channel binding.",
            sqlstate: sqlstate::INVALID_AUTHORIZATION_SPECIFICATION,
        }),
        ("p=tls-server-end-point", Method::ScramPlus, Some(end_point)) => {
            Ok([PLUS_HEADER.as_bytes(), end_point].concat())
        }
        ("n" | "y", ..) => Err(AuthError::malformed(
            "The client selected SCRAM-SHA-256-PLUS, but the SCRAM message does not include channel binding data.",
        )),
        (flag, Method::Scram, _) if flag.starts_with("p=") => Err(AuthError::malformed(
            "The client selected SCRAM-SHA-256 without channel binding, but the SCRAM message includes channel binding data.",
        )),
        (flag, ..) if flag.starts_with("p=") => Err(AuthError::Exchange {
            message: "unsupported SCRAM channel-binding type",
            detail: "The type that is supported is tls-server-end-point.",
            sqlstate: sqlstate::PROTOCOL_VIOLATION,
        }),
        _ => Err(AuthError::malformed("Unexpected channel-binding flag.")),
    }
}

/// The nonce of `n=USER,r=NONCE[,extensions]`. The user name there is empty or ignored: that of start-up counts.
fn client_nonce(bare: &str) -> Result<&str, AuthError> {
    if bare.starts_with("m=") {
        return Err(AuthError::Exchange {
            message: "client requires an unsupported SCRAM extension",
            detail: "",
            sqlstate: sqlstate::FEATURE_NOT_SUPPORTED,
        });
    }
    let (name, rest) = bare.split_once(',').ok_or(TOO_SHORT)?;
    if !name.starts_with("n=") {
        return Err(AuthError::malformed("Expected the user name attribute."));
    }
    let nonce = rest.split(',').next().and_then(|nonce| nonce.strip_prefix("r="));
    nonce
        .filter(|nonce| !nonce.is_empty() && nonce.bytes().all(|byte| byte.is_ascii_graphic()))
        .ok_or(AuthError::malformed("Expected a nonce of printable characters."))
}

impl ScramLast {
    /// Checks the client's proof; the right one is answered with the server's.
    pub fn last(self, message: &[u8]) -> Result<Authenticated, AuthError> {
        let message = std::str::from_utf8(message).map_err(|_| AuthError::malformed("The message is not UTF-8."))?;
        let (without_proof, proof) =
            message.rsplit_once(",p=").ok_or(AuthError::malformed("Expected the client's proof."))?;
        self.check_channel_and_nonce(without_proof)?;
        let proof: [u8; 32] = STANDARD
            .decode(proof)
            .ok()
            .and_then(|proof| proof.try_into().ok())
            .ok_or(AuthError::malformed("Malformed proof in client-final-message."))?;

        let spoken = format!("{},{},{without_proof}", self.client_first_bare, self.server_first);
        let signature = sign(&self.verifier.stored_key, &spoken);
        let mut client_key = proof;
        for (byte, mask) in client_key.iter_mut().zip(signature) {
            *byte ^= mask;
        }
        // Both are always computed, so that a made-up verifier takes as long as a stored one.
        let server_last = format!("v={}", STANDARD.encode(sign(&self.verifier.server_key, &spoken)));
        let hashed = Sha256::digest(client_key);
        let fits = hashed.ct_eq(&self.verifier.stored_key) & Choice::from(u8::from(self.genuine));
        if bool::from(fits) { Ok(Authenticated { server_last, method: self.method }) } else { Err(AuthError::Rejected) }
    }

    fn check_channel_and_nonce(&self, without_proof: &str) -> Result<(), AuthError> {
        let mut parts = without_proof.split(',');
        let channel = parts
            .next()
            .and_then(|part| part.strip_prefix("c="))
            .ok_or(AuthError::malformed("Expected the channel-binding attribute."))?;
        let nonce =
            parts.next().and_then(|part| part.strip_prefix("r=")).ok_or(AuthError::malformed("Expected the nonce."))?;
        if !STANDARD.decode(channel).is_ok_and(|channel| bool::from(channel.ct_eq(&self.channel))) {
            return Err(AuthError::Exchange {
                message: "SCRAM channel binding check failed",
                detail: "",
                sqlstate: sqlstate::INVALID_AUTHORIZATION_SPECIFICATION,
            });
        }
        if !bool::from(nonce.as_bytes().ct_eq(self.nonce.as_bytes())) {
            return Err(AuthError::Exchange {
                message: "invalid SCRAM response",
                detail: "Nonce does not match.",
                sqlstate: sqlstate::PROTOCOL_VIOLATION,
            });
        }
        Ok(())
    }
}

fn sign(key: &[u8; 32], text: &str) -> [u8; 32] {
    // HMAC takes keys of every length, so there is always one.
    Hmac::<Sha256>::new_from_slice(key)
        .map(|mac| mac.chain_update(text).finalize().into_bytes().into())
        .unwrap_or_default()
}
