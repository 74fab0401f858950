//! A verifier for names that have none, so that they cannot be told from those that do.

use std::collections::BTreeSet;

use hmac::{Hmac, Mac};
use sha2::{Digest, Sha256};

use crate::config::{Policy, ScramVerifier};

/// Postgres' own iteration count and salt length, where no user shows others.
const USUAL: (u32, usize) = (4096, 16);

/// From which the salts of unknown names are made. Never printed.
#[derive(Clone)]
pub struct MockSecret([u8; 32]);

impl std::fmt::Debug for MockSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("MockSecret(***)")
    }
}

impl MockSecret {
    /// A new one, for the life of this process.
    pub fn random() -> Self {
        Self(rand::random())
    }

    /// The same one after a restart and on every node that has the same key: an unknown name then keeps its salt, as a
    /// known one does.
    pub fn derived(key: &str) -> Self {
        Self(Sha256::new().chain_update(b"pgveil unknown users\0").chain_update(key).finalize().into())
    }

    /// A verifier that no proof fits, the same for the same name. Its iteration count and salt length are those of some real
    /// user, so that neither tells an unknown name.
    pub(super) fn verifier(&self, user: &str, policy: &Policy) -> ScramVerifier {
        let stored = policy.users.values().filter_map(|user| user.password.as_ref());
        let shapes: BTreeSet<_> = stored.map(|verifier| (verifier.iterations, verifier.salt.len())).collect();
        // The highest draw wins: when a shape is added, most names keep theirs.
        let (iterations, salt_length) = shapes
            .into_iter()
            .max_by_key(|shape| self.derive(user, format!("shape {shape:?}").as_bytes()))
            .unwrap_or(USUAL);
        let salt = (0_u32..).flat_map(|block| self.derive(user, &block.to_be_bytes())).take(salt_length).collect();
        ScramVerifier {
            iterations,
            salt,
            stored_key: self.derive(user, b"stored key"),
            server_key: self.derive(user, b"server key"),
        }
    }

    fn derive(&self, user: &str, purpose: &[u8]) -> [u8; 32] {
        // Hashed first, so that no name can reach into the purpose.
        let user = Sha256::digest(user);
        let mac = Hmac::<Sha256>::new_from_slice(&self.0);
        // HMAC takes keys of every length, so there is always one.
        mac.map(|mac| mac.chain_update(user).chain_update(purpose).finalize().into_bytes().into()).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::User;
    use crate::names::UserName;

    fn policy(shapes: &[(u32, usize)]) -> Policy {
        let user = |(iterations, salt): (u32, usize)| User {
            password: Some(ScramVerifier { iterations, salt: vec![1; salt], stored_key: [2; 32], server_key: [3; 32] }),
            certificate: None,
            roles: vec![],
            attributes: Default::default(),
            on_behalf_of: vec![],
            limits: Default::default(),
        };
        let users = shapes.iter().enumerate().map(|(n, shape)| (UserName::new(format!("u{n}")), user(*shape)));
        Policy { users: users.collect(), ..Policy::default() }
    }

    #[test]
    fn an_unknown_name_keeps_its_salt_and_differs_from_others() {
        let mock = MockSecret::random();
        let policy = policy(&[(4096, 16)]);
        let one = mock.verifier("mallory", &policy);
        assert!(one == mock.verifier("mallory", &policy));
        assert_ne!(one.salt, mock.verifier("malory", &policy).salt);
        assert_ne!(one.salt, MockSecret::random().verifier("mallory", &policy).salt);
        assert_eq!(
            MockSecret::derived("key").verifier("x", &policy).salt,
            MockSecret::derived("key").verifier("x", &policy).salt
        );
    }

    #[test]
    fn shapes_are_those_of_real_users() {
        let mock = MockSecret::derived("k");
        assert_eq!(mock.verifier("x", &policy(&[])).iterations, 4096);
        let all = [(4096, 16), (10_000, 24), (65_536, 40)];
        let seen: BTreeSet<_> = (0..200)
            .map(|n| mock.verifier(&format!("name{n}"), &policy(&all)))
            .map(|verifier| (verifier.iterations, verifier.salt.len()))
            .collect();
        assert_eq!(seen, all.into_iter().collect());
    }
}
