//! Who logs in: SCRAM from stored verifiers and client certificates, without any I/O.
//!
//! A user that does not exist, one without a password and a wrong password look the same from outside: each of them goes
//! through the whole exchange with salt and iteration count, and fails with the same words.

mod certificate;
mod mock;
mod password;
mod scram;

use crate::config::{Policy, ScramVerifier};
use crate::error::{ClientError, ErrorKind, sqlstate};
use crate::names::CertificateName;

pub use certificate::server_end_point;
pub use mock::MockSecret;
pub use scram::{Authenticated, ScramFirst, ScramLast};

/// How somebody proved who they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// SCRAM-SHA-256
    Scram,
    /// SCRAM-SHA-256-PLUS
    ScramPlus,
    /// A client certificate
    Certificate,
}

impl Method {
    /// For logs and the audit record.
    pub fn label(self) -> &'static str {
        match self {
            Self::Scram => "scram-sha-256",
            Self::ScramPlus => "scram-sha-256-plus",
            Self::Certificate => "certificate",
        }
    }
}

/// What is needed to check a name that somebody claims. It is there for names that do not exist, too.
#[derive(Clone, Debug)]
pub struct Credentials {
    verifier: ScramVerifier,
    /// False: no proof fits, whatever the verifier says.
    genuine: bool,
    certificate: Option<String>,
}

impl Credentials {
    /// Looks a name up. For an unknown one, and for one without a password, the verifier is made from `mock`.
    pub fn of(policy: &Policy, user: &str, mock: &MockSecret) -> Self {
        // Made for every name, so that it costs a known and an unknown one the same.
        let pretended = mock.verifier(user, policy);
        let found = policy.users.get(user);
        let stored = found.and_then(|user| user.password.clone());
        Self {
            genuine: stored.is_some(),
            verifier: stored.unwrap_or(pretended),
            certificate: found.and_then(|user| user.certificate.clone()),
        }
    }

    /// Whether the verified certificate that the client showed is the one of this user.
    pub fn accepts_certificate(&self, shown: &CertificateName) -> bool {
        self.certificate.as_deref().and_then(|subject| CertificateName::parse(subject).ok()).as_ref() == Some(shown)
    }

    /// Begins a SCRAM exchange. `end_point` is the channel binding of the TLS connection, where there is one.
    pub fn scram(self, end_point: Option<Vec<u8>>) -> ScramFirst {
        ScramFirst::new(self.verifier, self.genuine, end_point)
    }
}

/// Why somebody was not let in.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AuthError {
    /// The proof is wrong, or there is no such user: nobody is told which.
    #[error("wrong password or unknown user")]
    Rejected,
    /// The exchange itself went wrong; the text is Postgres' own.
    #[error("{message}")]
    Exchange {
        /// What happened.
        message: &'static str,
        /// More about it.
        detail: &'static str,
        /// 08P01, 0A000 or 28000
        sqlstate: crate::error::SqlState,
    },
}

impl AuthError {
    fn malformed(detail: &'static str) -> Self {
        Self::Exchange { message: "malformed SCRAM message", detail, sqlstate: sqlstate::PROTOCOL_VIOLATION }
    }

    /// What the client is told.
    pub fn to_client(&self, user: &str) -> ClientError {
        match self {
            Self::Rejected => ClientError::fatal(
                ErrorKind::Authentication,
                sqlstate::INVALID_PASSWORD,
                format!("password authentication failed for user \"{user}\""),
            ),
            Self::Exchange { message, detail, sqlstate } => {
                let error = ClientError::fatal(ErrorKind::Authentication, *sqlstate, *message);
                if detail.is_empty() { error } else { error.with_detail(*detail) }
            }
        }
    }
}
