//! Who asks.

use std::collections::BTreeMap;

use crate::config::{Attribute, Limits};
use crate::names::{RoleName, UserName};

use super::snapshot::Snapshot;

/// A person or service with everything that policy says of it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Subject {
    /// Whose policy it is.
    pub user: UserName,
    /// Who logged in, when that is somebody else.
    pub authenticated_as: Option<UserName>,
    /// Sorted, without repeats.
    pub roles: Vec<RoleName>,
    /// Read by row filters.
    pub attributes: BTreeMap<String, Attribute>,
    /// In force when no role narrows the choice (see `govern::limits`).
    pub limits: Limits,
}

impl Snapshot {
    /// What policy says of the user; `None` when it does not know the user, or when the one who logged in may not act for
    /// the user in any of the user's roles.
    pub fn subject(&self, user: &str, authenticated_as: Option<&UserName>) -> Option<Subject> {
        let policy = &self.parts.policy;
        let (name, entry) = policy.users.get_key_value(user)?;
        let acting = authenticated_as.filter(|other| *other != name);
        let mut roles: Vec<RoleName> = entry.roles.clone();
        if let Some(other) = acting {
            let bounds = &policy.users.get(other)?.on_behalf_of;
            roles.retain(|role| bounds.contains(role));
            if roles.is_empty() {
                return None;
            }
        }
        roles.sort();
        roles.dedup();
        let limits = self.limits_of(name, &entry.limits, &roles);
        Some(Subject {
            user: name.clone(),
            authenticated_as: acting.cloned(),
            roles,
            attributes: entry.attributes.clone(),
            limits,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Role, RoleLimits, User};
    use crate::govern::snapshot::SnapshotParts;

    fn user(roles: &[&str], on_behalf_of: &[&str]) -> User {
        User {
            password: None,
            certificate: None,
            roles: roles.iter().map(RoleName::new).collect(),
            attributes: BTreeMap::new(),
            on_behalf_of: on_behalf_of.iter().map(RoleName::new).collect(),
            limits: RoleLimits::default(),
        }
    }

    fn snapshot() -> Snapshot {
        let mut parts = SnapshotParts::default();
        for role in ["admin", "analyst"] {
            let role_of = Role {
                products: vec![],
                unmask: vec![],
                discover: vec![],
                drafts: vec![],
                copy_out: true,
                explain: true,
                limits: RoleLimits::default(),
            };
            parts.policy.roles.insert(RoleName::new(role), role_of);
        }
        parts.policy.users.insert(UserName::new("ana"), user(&["analyst", "admin"], &[]));
        parts.policy.users.insert(UserName::new("svc"), user(&["analyst"], &["analyst"]));
        Snapshot::build(parts).unwrap().0
    }

    #[test]
    fn a_user_has_its_roles_sorted() {
        let subject = snapshot().subject("ana", None).unwrap();
        assert_eq!(subject.roles, [RoleName::new("admin"), RoleName::new("analyst")]);
        assert!(snapshot().subject("nobody", None).is_none());
    }

    #[test]
    fn acting_for_another_leaves_only_the_named_roles() {
        let svc = UserName::new("svc");
        let subject = snapshot().subject("ana", Some(&svc)).unwrap();
        assert_eq!(subject.roles, [RoleName::new("analyst")]);
        assert_eq!(subject.authenticated_as, Some(svc.clone()));
        assert!(snapshot().subject("svc", Some(&UserName::new("ana"))).is_none(), "ana may act for nobody");
        assert_eq!(snapshot().subject("svc", Some(&svc)).unwrap().authenticated_as, None);
    }
}
