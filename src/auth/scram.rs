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

#[cfg(test)]
mod tests {
    use postgres_protocol::authentication::sasl::{ChannelBinding, ScramSha256};

    use super::*;

    /// `pencil`, made by PostgreSQL's own rule.
    fn verifier(password: &str, salt: &[u8], iterations: u32) -> ScramVerifier {
        let mac = |key: &[u8], text: &[u8]| -> [u8; 32] {
            Hmac::<Sha256>::new_from_slice(key).unwrap().chain_update(text).finalize().into_bytes().into()
        };
        let mut round = mac(password.as_bytes(), &[salt, &[0, 0, 0, 1]].concat());
        let mut salted = round;
        for _ in 1..iterations {
            round = mac(password.as_bytes(), &round);
            salted.iter_mut().zip(round).for_each(|(byte, other)| *byte ^= other);
        }
        let stored_key = Sha256::digest(mac(&salted, b"Client Key")).into();
        ScramVerifier { iterations, salt: salt.to_vec(), stored_key, server_key: mac(&salted, b"Server Key") }
    }

    fn server(end_point: Option<&[u8]>) -> ScramFirst {
        ScramFirst::new(verifier("pencil", b"0123456789abcdef", 16), true, end_point.map(<[u8]>::to_vec))
    }

    /// RFC 7677, section 3.
    #[test]
    fn the_example_of_the_rfc_comes_out() {
        let salt = STANDARD.decode("W22ZaJ0SNY7soEsUEjb6gQ==").unwrap();
        let server = ScramFirst::new(verifier("pencil", &salt, 4096), true, None);
        let (first, last) = server
            .first_with_nonce(PLAIN, b"n,,n=user,r=rOprNGfwEbeRWgbNEkqO", "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0")
            .unwrap();
        assert_eq!(first, "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096");
        let proof = b"c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=";
        let authenticated = last.last(proof).unwrap();
        assert_eq!(authenticated.server_last, "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=");
    }

    fn exchange(
        server: ScramFirst,
        mechanism: &str,
        password: &str,
        binding: ChannelBinding,
    ) -> Result<Method, AuthError> {
        let mut client = ScramSha256::new(password.as_bytes(), binding);
        let (challenge, server) = server.first(mechanism, client.message())?;
        client.update(challenge.as_bytes()).unwrap();
        let done = server.last(client.message())?;
        client.finish(done.server_last.as_bytes()).expect("the server's own proof is right");
        Ok(done.method)
    }

    #[test]
    fn passwords_and_channel_binding_decide() {
        let bound = || ChannelBinding::tls_server_end_point(b"end point".to_vec());
        let other = || ChannelBinding::tls_server_end_point(b"somebody in between".to_vec());
        let here = Some(&b"end point"[..]);
        assert_eq!(exchange(server(None), PLAIN, "pencil", ChannelBinding::unsupported()), Ok(Method::Scram));
        assert_eq!(exchange(server(None), PLAIN, "pencil", ChannelBinding::unrequested()), Ok(Method::Scram));
        assert_eq!(exchange(server(here), PLAIN, "pencil", ChannelBinding::unsupported()), Ok(Method::Scram));
        assert_eq!(exchange(server(here), PLUS, "pencil", bound()), Ok(Method::ScramPlus));

        assert_eq!(exchange(server(None), PLAIN, "Pencil", ChannelBinding::unsupported()), Err(AuthError::Rejected));
        assert_eq!(exchange(server(here), PLUS, "Pencil", bound()), Err(AuthError::Rejected));

        for (end_point, mechanism, binding, expected) in [
            (here, PLUS, other(), "SCRAM channel binding check failed"),
            (here, PLAIN, ChannelBinding::unrequested(), "SCRAM channel binding negotiation error"),
            (here, PLAIN, bound(), "malformed SCRAM message"),
            (here, PLUS, ChannelBinding::unsupported(), "malformed SCRAM message"),
            (here, PLUS, ChannelBinding::unrequested(), "malformed SCRAM message"),
            (None, PLUS, bound(), "client selected an invalid SASL authentication mechanism"),
            (None, PLAIN, bound(), "malformed SCRAM message"),
            (
                None,
                "SCRAM-SHA-1",
                ChannelBinding::unsupported(),
                "client selected an invalid SASL authentication mechanism",
            ),
        ] {
            let error = exchange(server(end_point), mechanism, "pencil", binding).unwrap_err();
            assert_eq!(error.to_string(), expected, "{mechanism} with {end_point:?}");
        }
        assert_eq!(server(None).mechanisms(), [PLAIN]);
        assert_eq!(server(here).mechanisms(), [PLUS, PLAIN]);
    }

    #[test]
    fn the_right_proof_for_a_made_up_verifier_is_refused_like_a_wrong_one() {
        let pretended = ScramFirst::new(verifier("pencil", b"0123456789abcdef", 16), false, None);
        assert_eq!(exchange(pretended, PLAIN, "pencil", ChannelBinding::unsupported()), Err(AuthError::Rejected));
    }

    #[test]
    fn malformed_first_messages_are_refused() {
        for bad in [
            &b""[..],
            b"n",
            b"n,,",
            b"n,,n=",
            b"n,,n=x",
            b"n,,n=x,",
            b"n,,n=x,r=",
            b"n,,n=x,s=abc",
            b"n,,x=x,r=abc",
            b"n,,n=x,r=a\x01",
            "n,,n=x,r=é".as_bytes(),
            b"n,,m=ext,n=x,r=abc",
            b"n,a=admin,n=x,r=abc",
            b"z,,n=x,r=abc",
            b"p=,,n=x,r=abc",
            b"\xff,,n=x,r=abc",
        ] {
            assert!(server(None).first(PLAIN, bad).is_err(), "{}", String::from_utf8_lossy(bad));
        }
        let (challenge, _) = server(None).first(PLAIN, b"n,,n=x,r=abc,future=1").unwrap();
        assert!(challenge.starts_with("r=abc"), "unknown extensions are passed over");
    }

    #[test]
    fn malformed_last_messages_are_refused() {
        let proof = STANDARD.encode([0; 32]);
        let short = STANDARD.encode([0; 31]);
        let long = STANDARD.encode([0; 33]);
        let last = |message: &str| {
            let (_, last) = server(None).first_with_nonce(PLAIN, b"n,,n=,r=abc", "DEF").unwrap();
            last.last(message.as_bytes()).unwrap_err()
        };
        assert_eq!(last(&format!("c=biws,r=abcDEF,p={proof}")), AuthError::Rejected);
        for (bad, expected) in [
            (String::new(), "malformed SCRAM message"),
            ("c=biws,r=abcDEF".into(), "malformed SCRAM message"),
            ("c=biws,r=abcDEF,p=".into(), "malformed SCRAM message"),
            ("c=biws,r=abcDEF,p=!!!".into(), "malformed SCRAM message"),
            (format!("c=biws,r=abcDEF,p={short}"), "malformed SCRAM message"),
            (format!("c=biws,r=abcDEF,p={long}"), "malformed SCRAM message"),
            (format!("r=abcDEF,c=biws,p={proof}"), "malformed SCRAM message"),
            (format!("c=biws,p={proof}"), "malformed SCRAM message"),
            (format!("c=eSws,r=abcDEF,p={proof}"), "SCRAM channel binding check failed"),
            (format!("c=,r=abcDEF,p={proof}"), "SCRAM channel binding check failed"),
            (format!("c=biws,r=abcDE,p={proof}"), "invalid SCRAM response"),
            (format!("c=biws,r=abcDEFx,p={proof}"), "invalid SCRAM response"),
            (format!("c=biws,r=DEF,p={proof}"), "invalid SCRAM response"),
        ] {
            assert_eq!(last(&bad).to_string(), expected, "{bad}");
        }
    }

    #[test]
    fn nonces_differ() {
        let nonce = || server(None).first(PLAIN, b"n,,n=,r=abc").unwrap().0;
        assert_ne!(nonce(), nonce());
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_make_it_panic(first in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..60),
                                  last in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..60)) {
            let _ = server(None).first(PLAIN, &first);
            let (_, state) = server(None).first(PLAIN, b"n,,n=,r=abc").unwrap();
            proptest::prop_assert!(state.last(&last).is_err());
        }
    }
}
