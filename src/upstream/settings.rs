//! The settings that a session wants on the connection that it leases, and those that the connection has.

use std::sync::Arc;

use crate::names::quote_literal;

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
        put(&mut self.values, name, value.into());
    }
    /// Back to the connection's default.
    pub fn reset(&mut self, name: &str) {
        self.values.retain(|(n, _)| *n != name);
    }
    /// The value wanted.
    pub fn value(&self, name: &str) -> Option<&Arc<str>> {
        find(&self.values, name)
    }
    /// Whether the warehouse reads a statement under both in the same way: all that a literal's value, or a constant's text,
    /// may depend on is equal.
    pub(super) fn reads_like(self: &Arc<Self>, other: &Arc<Self>) -> bool {
        let matters = |(name, _): &&(&'static str, Arc<str>)| !WITHOUT_MEANING.contains(name);
        Arc::ptr_eq(self, other) || self.values.iter().filter(matters).eq(other.values.iter().filter(matters))
    }
    /// Every value, in the order of names.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, &Arc<str>)> {
        self.values.iter().map(|(n, v)| (*n, v))
    }
}

/// What has no influence on how a statement is read.
const WITHOUT_MEANING: [&str; 5] = [
    "application_name",
    "default_transaction_deferrable",
    "default_transaction_isolation",
    "lock_timeout",
    "statement_timeout",
];

fn find<'a, V>(values: &'a [(&'static str, V)], name: &str) -> Option<&'a V> {
    values.iter().find(|(n, _)| *n == name).map(|(_, v)| v)
}

fn put<V>(values: &mut Vec<(&'static str, V)>, name: &'static str, value: V) {
    match values.binary_search_by(|(n, _)| (*n).cmp(name)) {
        Ok(at) => {
            if let Some(slot) = values.get_mut(at) {
                slot.1 = value;
            }
        }
        Err(at) => values.insert(at, (name, value)),
    }
}

/// What is known of a setting on the connection.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Known {
    Value(Arc<str>),
    Default,
    /// It was set where a ROLLBACK may have undone it.
    Nothing,
}

impl Known {
    fn of(value: Option<&Arc<str>>) -> Self {
        value.map_or(Self::Default, |value| Self::Value(value.clone()))
    }
}

/// How long a change holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Level {
    /// For the session: sent outside a transaction, where nothing undoes it.
    Session,
    /// To the end of the transaction: SET LOCAL.
    Transaction,
    /// For the session, but sent within an unfinished pipeline, whose error or ROLLBACK undoes it.
    Pipeline,
}

/// The changes that make the connection's settings those that are wanted.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Changes(Vec<(&'static str, Option<Arc<str>>)>);

impl Changes {
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
    /// One text for a simple Query: all or nothing, since several statements in one are one transaction.
    pub fn to_sql(&self, level: Level) -> String {
        let mut sql = String::with_capacity(64 * self.0.len());
        for (name, value) in &self.0 {
            match (level, value) {
                (Level::Transaction, Some(value)) => {
                    sql.push_str(&format!("SET LOCAL {name} = {};", quote_literal(value)));
                }
                (Level::Transaction, None) => sql.push_str(&format!("SET LOCAL {name} TO DEFAULT;")),
                (_, Some(value)) => sql.push_str(&format!("SET {name} = {};", quote_literal(value))),
                (_, None) => sql.push_str(&format!("RESET {name};")),
            }
        }
        sql
    }
    /// One statement for a Parse, which takes no more than one.
    pub fn to_call(&self, level: Level) -> String {
        let local = level == Level::Transaction;
        let calls: Vec<String> = self
            .0
            .iter()
            .map(|(name, value)| {
                let value = value.as_ref().map_or("NULL".to_owned(), |value| quote_literal(value));
                format!("pg_catalog.set_config('{name}', {value}, {local})")
            })
            .collect();
        format!("SELECT {}", calls.join(", "))
    }
}

/// What the connection has.
#[derive(Debug, Default)]
pub(super) struct Applied {
    /// Deviations from the defaults that outlive a transaction.
    session: Vec<(&'static str, Known)>,
    /// Those of the transaction that is open.
    local: Vec<(&'static str, Known)>,
    /// What was wanted last and is in force, so that an equal wish costs one comparison of pointers.
    last: Option<Arc<UpstreamSettings>>,
}

impl Applied {
    pub fn is(&self, wanted: &Arc<UpstreamSettings>) -> bool {
        self.last.as_ref().is_some_and(|last| Arc::ptr_eq(last, wanted))
    }

    /// What was wanted last.
    pub fn in_force(&self) -> Arc<UpstreamSettings> {
        self.last.clone().unwrap_or_default()
    }

    fn effective(&self, name: &str) -> &Known {
        find(&self.local, name).or_else(|| find(&self.session, name)).unwrap_or(&Known::Default)
    }

    /// What has to be sent, taken for done: an error of it ends the connection.
    pub fn change(&mut self, wanted: &Arc<UpstreamSettings>, level: Level) -> Changes {
        let mut names: Vec<&'static str> = wanted.iter().map(|(name, _)| name).collect();
        names.extend(self.session.iter().chain(&self.local).map(|(name, _)| *name));
        names.sort_unstable();
        names.dedup();
        let mut changes = Changes::default();
        for name in names {
            let value = wanted.value(name);
            let known = Known::of(value);
            if *self.effective(name) == known {
                continue;
            }
            changes.0.push((name, value.cloned()));
            match level {
                Level::Session if known == Known::Default => self.session.retain(|(n, _)| *n != name),
                Level::Session => put(&mut self.session, name, known),
                Level::Transaction => put(&mut self.local, name, known),
                Level::Pipeline => put(&mut self.session, name, Known::Nothing),
            }
        }
        self.last = Some(wanted.clone());
        changes
    }

    /// The transaction is over, nothing is outstanding: SET LOCAL has lost its force, and so has what a pipeline set, perhaps.
    pub fn at_rest(&mut self) {
        let doubtful = self.session.iter().any(|(_, known)| *known == Known::Nothing);
        if !self.local.is_empty() || doubtful {
            self.local.clear();
            self.last = None;
        }
    }

    /// A ROLLBACK TO, or a new transaction in the same breath: what was set within is not known any more.
    pub fn doubt_transaction(&mut self) {
        for (_, known) in &mut self.local {
            *known = Known::Nothing;
        }
        if !self.local.is_empty() {
            self.last = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(values: &[(&'static str, &str)]) -> Arc<UpstreamSettings> {
        let mut settings = UpstreamSettings::default();
        for (name, value) in values {
            settings.set(name, *value);
        }
        Arc::new(settings)
    }

    #[test]
    fn only_differences_are_sent() {
        let mut applied = Applied::default();
        let ana = wanted(&[("TimeZone", "Europe/Berlin"), ("statement_timeout", "30000")]);
        let sql = applied.change(&ana, Level::Session).to_sql(Level::Session);
        assert_eq!(sql, "SET TimeZone = 'Europe/Berlin';SET statement_timeout = '30000';");
        assert!(applied.is(&ana));
        assert!(
            applied
                .change(&wanted(&[("TimeZone", "Europe/Berlin"), ("statement_timeout", "30000")]), Level::Session)
                .is_empty()
        );
        let ben = wanted(&[("statement_timeout", "5'; --")]);
        let sql = applied.change(&ben, Level::Session).to_sql(Level::Session);
        assert_eq!(sql, "RESET TimeZone;SET statement_timeout = '5''; --';");
    }

    #[test]
    fn a_transactions_settings_end_with_it() {
        let mut applied = Applied::default();
        let base = wanted(&[("a", "1")]);
        applied.change(&base, Level::Session);
        let within = wanted(&[("b", "2")]);
        let sql = applied.change(&within, Level::Transaction).to_sql(Level::Transaction);
        assert_eq!(sql, "SET LOCAL a TO DEFAULT;SET LOCAL b = '2';");
        applied.at_rest();
        assert!(!applied.is(&within));
        assert!(applied.change(&base, Level::Session).is_empty(), "a is 1 again, however the transaction ended");
    }

    #[test]
    fn what_a_rollback_may_have_undone_is_sent_again() {
        let mut applied = Applied::default();
        let within = wanted(&[("b", "2")]);
        applied.change(&within, Level::Transaction);
        applied.doubt_transaction();
        assert_eq!(applied.change(&within, Level::Transaction).to_sql(Level::Transaction), "SET LOCAL b = '2';");

        let mut applied = Applied::default();
        let call = applied.change(&within, Level::Pipeline).to_call(Level::Pipeline);
        assert_eq!(call, "SELECT pg_catalog.set_config('b', '2', false)");
        assert!(applied.is(&within), "within the same pipeline it is in force");
        applied.at_rest();
        assert!(!applied.change(&within, Level::Session).is_empty());
    }
}
