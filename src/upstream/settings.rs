//! The settings that a session wants on the connection that it leases.

use std::sync::Arc;

/// Settings by name, in the order of names. What is not in it has the connection's own default.
///
/// Names are constants of pgveil's allow-list, so no text of a client becomes one; values are quoted when they are sent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UpstreamSettings {
    values: Vec<(&'static str, Arc<str>)>,
}

impl UpstreamSettings {
    /// Sets a value.
    pub fn set(&mut self, name: &'static str, value: impl Into<Arc<str>>) {
        let value = value.into();
        match self.values.binary_search_by(|(n, _)| (*n).cmp(name)) {
            Ok(at) => {
                if let Some(slot) = self.values.get_mut(at) {
                    slot.1 = value;
                }
            }
            Err(at) => self.values.insert(at, (name, value)),
        }
    }
    /// Back to the connection's default.
    pub fn reset(&mut self, name: &str) {
        self.values.retain(|(n, _)| *n != name);
    }
    /// The value wanted.
    pub fn value(&self, name: &str) -> Option<&Arc<str>> {
        self.values.iter().find(|(n, _)| *n == name).map(|(_, v)| v)
    }
    /// Every value, in the order of names.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, &Arc<str>)> {
        self.values.iter().map(|(n, v)| (*n, v))
    }
}
