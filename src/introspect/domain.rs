//! Which values a column can have in the rows that matter: what constants and equalities of a statement leave.

use std::collections::BTreeSet;

/// OIDs below this are the system's own: `FirstNormalObjectId`.
const FIRST_NORMAL: u32 = 16_384;

/// A set of values, as text; always a superset of what there is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Domain {
    /// Nothing is known.
    #[default]
    Any,
    /// These, and with `system` every OID below 16384.
    Of {
        /// As Postgres writes them.
        values: BTreeSet<String>,
        /// Whether any OID of the system may be among them.
        system: bool,
    },
}

impl Domain {
    /// These values.
    pub fn values(values: impl IntoIterator<Item = String>) -> Self {
        Self::Of { values: values.into_iter().collect(), system: false }
    }
    /// No value.
    pub fn empty() -> Self {
        Self::values([])
    }
    /// Every OID of the system.
    pub fn system() -> Self {
        Self::Of { values: BTreeSet::new(), system: true }
    }
    /// Both.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        match (self, other) {
            (Self::Of { mut values, system }, Self::Of { values: more, system: other }) => {
                values.extend(more);
                Self::Of { values, system: system || other }
            }
            _ => Self::Any,
        }
    }
    /// What is in both.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Any, domain) | (domain, Self::Any) => domain,
            (Self::Of { values: a, system: of_a }, Self::Of { values: b, system: of_b }) => {
                let mut values: BTreeSet<String> = a.intersection(&b).cloned().collect();
                values.extend(a.iter().filter(|value| of_b && is_system(value)).cloned());
                values.extend(b.iter().filter(|value| of_a && is_system(value)).cloned());
                Self::Of { values, system: of_a && of_b }
            }
        }
    }
    /// Whether it may hold the value.
    pub fn has(&self, value: &str) -> bool {
        match self {
            Self::Any => true,
            Self::Of { values, system } => values.contains(value) || (*system && is_system(value)),
        }
    }
    /// Whether an OID of the system may be in it.
    pub fn has_system(&self) -> bool {
        match self {
            Self::Any => true,
            Self::Of { values, system } => *system || values.iter().any(|value| is_system(value)),
        }
    }
}

fn is_system(value: &str) -> bool {
    value.parse::<u32>().is_ok_and(|oid| oid < FIRST_NORMAL)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(values: &[&str]) -> Domain {
        Domain::values(values.iter().map(|value| (*value).to_owned()))
    }

    #[test]
    fn nothing_that_is_in_both_is_lost() {
        assert_eq!(of(&["1", "20000"]).and(Domain::Any), of(&["1", "20000"]));
        assert_eq!(of(&["1", "20000"]).and(Domain::system()), of(&["1"]));
        assert_eq!(Domain::system().and(of(&["1", "20000"])), of(&["1"]));
        assert_eq!(of(&["1", "2"]).and(of(&["2", "3"])), of(&["2"]));
        assert_eq!(of(&["1"]).or(Domain::Any), Domain::Any);
        assert!(Domain::system().or(of(&["20000"])).has("16383"));
        assert!(!Domain::system().has("16384") && !of(&["x"]).has_system());
    }
}
