//! A password that is shown as it is, as HTTP Basic does: held against the verifier by both halves of a SCRAM exchange, so that
//! what is right here is what is right for `psql`, and an unknown name costs as much as a wrong password.

use postgres_protocol::authentication::sasl::{ChannelBinding, ScramSha256};

use super::{AuthError, Credentials};

const MECHANISM: &str = "SCRAM-SHA-256";

impl Credentials {
    /// Whether the password is the right one. Takes milliseconds on purpose: not for a thread that serves others.
    pub fn accept_password(self, password: &[u8]) -> Result<(), AuthError> {
        // Zeros at its end do not change what HMAC makes of it, and no client of Postgres can send one.
        if password.contains(&0) {
            return Err(AuthError::Rejected);
        }
        let broken = |_| AuthError::Rejected;
        let mut client = ScramSha256::new(password, ChannelBinding::unsupported());
        let (challenge, server) = self.scram(None).first(MECHANISM, client.message())?;
        client.update(challenge.as_bytes()).map_err(broken)?;
        let authenticated = server.last(client.message())?;
        client.finish(authenticated.server_last.as_bytes()).map_err(broken)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::MockSecret;
    use crate::config::Policy;

    fn policy() -> Policy {
        let mut policy = Policy::default();
        for (name, password) in [("ana", Some("right")), ("cert", None)] {
            let user = crate::config::User {
                password: password.map(|p| {
                    crate::config::ScramVerifier::parse(&postgres_protocol::password::scram_sha_256(p.as_bytes()))
                        .unwrap()
                }),
                certificate: None,
                roles: Vec::new(),
                attributes: Default::default(),
                on_behalf_of: Vec::new(),
                limits: Default::default(),
            };
            policy.users.insert(name.into(), user);
        }
        policy
    }

    #[test]
    fn the_right_password_of_a_known_user_alone() {
        let (policy, mock) = (policy(), MockSecret::random());
        let accepts =
            |user: &str, password: &[u8]| Credentials::of(&policy, user, &mock).accept_password(password).is_ok();
        assert!(accepts("ana", b"right"));
        for wrong in [&b"wrong"[..], b"", b"right\0", b"\xff", b"Right", &[b'x'; 1_000]] {
            assert!(!accepts("ana", wrong));
        }
        assert!(!accepts("cert", b"right"));
        assert!(!accepts("nobody", b"right"));
        assert!(!accepts("", b""));
    }
}
