//! Who asks.

use std::collections::BTreeMap;

use crate::config::{Attribute, Limits};
use crate::names::{RoleName, UserName};

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
