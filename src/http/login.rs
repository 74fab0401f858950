//! Who asks over HTTP: the same users as in SQL, by password (Basic), token (Bearer), or nobody where
//! `[http] anonymous_read` allows it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::http::{HeaderMap, StatusCode, header};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use quick_cache::sync::Cache;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use tokio::sync::Semaphore;

use crate::audit::Event;
use crate::auth::{Credentials, MockSecret};
use crate::config::Policy;
use crate::error::sqlstate;
use crate::govern::snapshot::Snapshot;
use crate::govern::subject::Subject;
use crate::hex;
use crate::metrics::METRICS;
use crate::statement::{Shared, today};

use super::problem::Problem;

/// Passwords that were right lately, so that a page of many requests does not pay for each.
const REMEMBERED: usize = 1024;
/// Passwords that are tried at once: each costs milliseconds of a core.
const TRIED_AT_ONCE: usize = 2;
/// A password or token longer than this is nobody's.
const LONGEST_CREDENTIAL: usize = 4096;

/// The connection that a request came by.
#[derive(Clone, Copy, Debug)]
pub(super) struct Connection {
    pub peer: SocketAddr,
    pub tls: bool,
}

/// Who asks, and by what he is judged.
pub(super) struct Reader {
    pub snapshot: Arc<Snapshot>,
    /// `None`: nobody in particular.
    pub subject: Option<Subject>,
}

/// Looks at credentials.
pub(super) struct Gate {
    shared: Arc<Shared>,
    mock: MockSecret,
    anonymous: AtomicBool,
    plaintext: AtomicBool,
    /// Of this process alone: what is remembered of a password is of no use elsewhere.
    pepper: [u8; 32],
    right: Cache<[u8; 32], ()>,
    trying: Arc<Semaphore>,
}

impl Gate {
    pub(super) fn new(shared: Arc<Shared>, mock: MockSecret) -> Self {
        Self {
            shared,
            mock,
            anonymous: AtomicBool::new(false),
            plaintext: AtomicBool::new(false),
            pepper: rand::random(),
            right: Cache::new(REMEMBERED),
            trying: Arc::new(Semaphore::new(TRIED_AT_ONCE)),
        }
    }

    /// `[http] anonymous_read` and `[server] allow_plaintext`.
    pub(super) fn configure(&self, anonymous: bool, plaintext: bool) {
        self.anonymous.store(anonymous, Ordering::Relaxed);
        self.plaintext.store(plaintext, Ordering::Relaxed);
    }

    /// Who sends these headers. Whoever gives credentials is held to them, also where nobody needs any.
    pub(super) async fn admit(&self, headers: &HeaderMap, connection: Connection) -> Result<Reader, Problem> {
        let snapshot = self.shared.snapshot();
        let Some(given) = headers.get(header::AUTHORIZATION) else {
            if self.anonymous.load(Ordering::Relaxed) {
                return Ok(Reader { snapshot, subject: None });
            }
            return Err(Problem::unauthorized(
                "Log in with your pgveil user and password (Basic) or with a token (Bearer).",
            ));
        };
        if !connection.tls && !connection.peer.ip().is_loopback() && !self.plaintext.load(Ordering::Relaxed) {
            return Err(Problem::new(
                StatusCode::FORBIDDEN,
                "Credentials are taken over https:// alone; set [http.tls], or allow_plaintext = true in [server].",
            ));
        }
        let given = given.to_str().unwrap_or_default();
        let (scheme, credential) = given.split_once(' ').unwrap_or((given, ""));
        let credential = credential.trim();
        if credential.len() > LONGEST_CREDENTIAL {
            return Err(refused());
        }
        let user = if scheme.eq_ignore_ascii_case("basic") {
            self.by_password(&snapshot, credential, connection).await?
        } else if scheme.eq_ignore_ascii_case("bearer") {
            self.by_token(&snapshot.parts.policy, credential, connection)?
        } else {
            return Err(Problem::unauthorized("Only Basic and Bearer are understood in Authorization."));
        };
        let subject = snapshot.subject(&user, None).ok_or_else(refused)?;
        Ok(Reader { snapshot, subject: Some(subject) })
    }

    async fn by_password(
        &self,
        snapshot: &Snapshot,
        credential: &str,
        connection: Connection,
    ) -> Result<String, Problem> {
        let decoded = STANDARD.decode(credential).ok().and_then(|bytes| String::from_utf8(bytes).ok());
        let Some((user, password)) = decoded.as_deref().and_then(|text| text.split_once(':')) else {
            return Err(Problem::unauthorized("Basic credentials are the base64 of user:password in UTF-8."));
        };
        let policy = &snapshot.parts.policy;
        let key = self.key(policy, user, password);
        if self.right.get(&key).is_some() {
            return Ok(user.to_owned());
        }
        let credentials = Credentials::of(policy, user, &self.mock);
        let tried = {
            let _turn = self.trying.acquire().await;
            let password = password.to_owned();
            tokio::task::spawn_blocking(move || credentials.accept_password(password.as_bytes())).await
        };
        if matches!(tried, Ok(Ok(()))) {
            self.right.insert(key, ());
            return Ok(user.to_owned());
        }
        let reason = if policy.users.contains_key(user) { "password" } else { "unknown_user" };
        self.record_failure(user, reason, connection);
        Err(refused())
    }

    fn by_token(&self, policy: &Policy, token: &str, connection: Connection) -> Result<String, Problem> {
        let digest = hex::text(Sha256::digest(token));
        // All are compared, so that the time tells nothing of which it was.
        let mut found = None;
        for entry in policy.tokens.values() {
            let same: bool = entry.sha256.expose().as_bytes().ct_eq(digest.as_bytes()).into();
            if same {
                found = Some(entry);
            }
        }
        match found {
            Some(token) if token.expires.is_none_or(|last| today() <= last) => Ok(token.user.to_string()),
            Some(token) => {
                self.record_failure(token.user.as_str(), "token_expired", connection);
                Err(Problem::unauthorized("This token has expired; ask the owner of the policy for a new one."))
            }
            None => {
                self.record_failure("", "token", connection);
                Err(refused())
            }
        }
    }

    /// Under what a right password is remembered: with the verifier, so that a new password is a new key.
    fn key(&self, policy: &Policy, user: &str, password: &str) -> [u8; 32] {
        let verifier = policy.users.get(user).and_then(|user| user.password.as_ref());
        let mut digest = Sha256::new();
        digest.update(self.pepper);
        digest.update((user.len() as u64).to_be_bytes());
        digest.update(user);
        digest.update(verifier.map(|verifier| verifier.stored_key).unwrap_or_default());
        digest.update(verifier.map(|verifier| verifier.salt.as_slice()).unwrap_or_default());
        digest.update(password);
        digest.finalize().into()
    }

    fn record_failure(&self, user: &str, reason: &'static str, connection: Connection) {
        METRICS.auth_failure(reason);
        self.shared.audit.event(&Event::AuthFailure {
            user,
            client: connection.peer,
            database: "",
            tls: connection.tls.then_some("HTTPS"),
            reason,
            sqlstate: sqlstate::INVALID_PASSWORD,
        });
    }
}

fn refused() -> Problem {
    Problem::unauthorized("Wrong password, unknown user or unknown token.")
}
