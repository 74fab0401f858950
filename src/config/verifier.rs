//! Postgres' password verifiers: `SCRAM-SHA-256$ITERATIONS:SALT$STOREDKEY:SERVERKEY`.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::policy::ScramVerifier;

/// What Postgres itself uses; fewer make a stolen file too easy to try passwords on.
const FEWEST_ITERATIONS: u32 = 4096;
/// More would let one login keep a processor busy for seconds.
const MOST_ITERATIONS: u32 = 10_000_000;

/// Why a text is no verifier. No variant holds any of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VerifierError {
    /// It does not begin like one: most likely a plaintext password.
    NotAVerifier,
    /// An MD5 hash.
    Md5,
    /// It begins like one, but a part is wrong.
    Malformed(&'static str),
    /// Fewer than 4096 iterations, or absurdly many.
    Iterations,
}

impl VerifierError {
    /// What is wrong, and what to write instead.
    pub fn explain(self) -> (String, String) {
        let hint = "run `pgveil hash-password` and write what it prints".to_owned();
        let message = match self {
            Self::NotAVerifier => "the password is not a SCRAM-SHA-256 verifier; plaintext is not accepted".to_owned(),
            Self::Md5 => "the password is an MD5 hash; only SCRAM-SHA-256 verifiers are accepted".to_owned(),
            Self::Malformed(part) => format!("the SCRAM-SHA-256 verifier is damaged: {part}"),
            Self::Iterations => {
                format!("the SCRAM-SHA-256 verifier must have {FEWEST_ITERATIONS} to {MOST_ITERATIONS} iterations")
            }
        };
        (message, hint)
    }
}

impl ScramVerifier {
    /// Reads a verifier.
    pub fn parse(text: &str) -> Result<Self, VerifierError> {
        let Some(rest) = text.strip_prefix("SCRAM-SHA-256$") else {
            let md5 = text.strip_prefix("md5").is_some_and(|h| h.len() == 32 && is_hex(h));
            return Err(if md5 { VerifierError::Md5 } else { VerifierError::NotAVerifier });
        };
        let (head, keys) = rest.split_once('$').ok_or(VerifierError::Malformed("its second `$` is missing"))?;
        let (iterations, salt) =
            head.split_once(':').ok_or(VerifierError::Malformed("`:` is missing before the salt"))?;
        let (stored, server) =
            keys.split_once(':').ok_or(VerifierError::Malformed("`:` is missing between its keys"))?;
        let plain_number = !iterations.is_empty() && iterations.bytes().all(|b| b.is_ascii_digit());
        let iterations: u32 = iterations
            .parse()
            .ok()
            .filter(|_| plain_number)
            .ok_or(VerifierError::Malformed("its iterations are no number"))?;
        if !(FEWEST_ITERATIONS..=MOST_ITERATIONS).contains(&iterations) {
            return Err(VerifierError::Iterations);
        }
        let salt = STANDARD.decode(salt).map_err(|_| VerifierError::Malformed("its salt is not base64"))?;
        if salt.is_empty() {
            return Err(VerifierError::Malformed("its salt is empty"));
        }
        Ok(Self {
            iterations,
            salt,
            stored_key: key(stored).ok_or(VerifierError::Malformed("its stored key is not 32 bytes of base64"))?,
            server_key: key(server).ok_or(VerifierError::Malformed("its server key is not 32 bytes of base64"))?,
        })
    }
}

fn key(text: &str) -> Option<[u8; 32]> {
    STANDARD.decode(text).ok()?.try_into().ok()
}

/// Whether a text is hex digits alone.
pub(super) fn is_hex(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=";

    #[test]
    fn what_postgres_stores_is_read() {
        let verifier = postgres_protocol::password::scram_sha_256(b"correct horse");
        let read = ScramVerifier::parse(&verifier).unwrap();
        assert_eq!((read.iterations, read.salt.len()), (4096, 16));
    }

    #[test]
    fn the_parts_are_decoded() {
        let read = ScramVerifier::parse(&format!("SCRAM-SHA-256$8192:c2FsdA==${KEY}:{KEY}")).unwrap();
        assert_eq!(read.iterations, 8192);
        assert_eq!(read.salt, b"salt");
        assert_eq!(&read.stored_key, b"01234567890123456789012345678901");
        assert_eq!(read.server_key, read.stored_key);
    }

    #[test]
    fn nothing_else_is() {
        use VerifierError::*;
        for (bad, expected) in [
            ("hunter2".to_owned(), NotAVerifier),
            ("SCRAM-SHA-1$4096:c2FsdA==$x:y".to_owned(), NotAVerifier),
            (format!("md5{}", "0".repeat(32)), Md5),
            ("SCRAM-SHA-256$4096:c2FsdA==".to_owned(), Malformed("its second `$` is missing")),
            (format!("SCRAM-SHA-256$4096${KEY}:{KEY}"), Malformed("`:` is missing before the salt")),
            (format!("SCRAM-SHA-256$4096:c2FsdA==${KEY}"), Malformed("`:` is missing between its keys")),
            (format!("SCRAM-SHA-256$+4096:c2FsdA==${KEY}:{KEY}"), Malformed("its iterations are no number")),
            (format!("SCRAM-SHA-256$4095:c2FsdA==${KEY}:{KEY}"), Iterations),
            (format!("SCRAM-SHA-256$4000000000:c2FsdA==${KEY}:{KEY}"), Iterations),
            (format!("SCRAM-SHA-256$4096:*${KEY}:{KEY}"), Malformed("its salt is not base64")),
            (format!("SCRAM-SHA-256$4096:${KEY}:{KEY}"), Malformed("its salt is empty")),
            (
                format!("SCRAM-SHA-256$4096:c2FsdA==$c2FsdA==:{KEY}"),
                Malformed("its stored key is not 32 bytes of base64"),
            ),
            (
                format!("SCRAM-SHA-256$4096:c2FsdA==${KEY}:{KEY} "),
                Malformed("its server key is not 32 bytes of base64"),
            ),
        ] {
            assert_eq!(ScramVerifier::parse(&bad).unwrap_err(), expected, "{bad}");
        }
    }
}
