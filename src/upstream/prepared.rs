//! Statements that are prepared on one connection.

use std::collections::HashMap;
use std::sync::Arc;

/// How many statements one connection keeps.
pub(super) const CAPACITY: usize = 256;

/// The name of a prepared statement on one connection, `pv_7`; of no meaning on another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatementName {
    id: Option<u64>,
    name: Arc<str>,
}

impl StatementName {
    /// The unnamed statement.
    pub fn unnamed() -> Self {
        Self { id: None, name: Arc::from("") }
    }
    pub(super) fn numbered(id: u64) -> Self {
        Self { id: Some(id), name: Arc::from(format!("pv_{id}")) }
    }
    /// As it is sent.
    pub fn as_str(&self) -> &str {
        &self.name
    }
    pub(super) fn id(&self) -> Option<u64> {
        self.id
    }
}

/// How the types of the parameters are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Types<'a> {
    /// In a Parse.
    Oids(&'a [u32]),
    /// In a PREPARE.
    Names(&'a [String]),
}

#[derive(Debug, PartialEq, Eq)]
enum OwnedTypes {
    Oids(Box<[u32]>),
    Names(Box<[String]>),
}

impl OwnedTypes {
    fn are(&self, types: Types<'_>) -> bool {
        match (self, types) {
            (Self::Oids(mine), Types::Oids(other)) => **mine == *other,
            (Self::Names(mine), Types::Names(other)) => **mine == *other,
            _ => false,
        }
    }
}

/// A statement in the making, kept with the expectation of its answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Preparing {
    pub id: u64,
    pub sql: Arc<str>,
}

#[derive(Debug)]
struct Entry {
    name: StatementName,
    id: u64,
    types: OwnedTypes,
    used: u64,
    confirmed: bool,
    /// The stretch between two Syncs in which it was sent.
    unit: u64,
}

/// What is prepared, by text and types.
#[derive(Debug, Default)]
pub(super) struct Prepared {
    by_sql: HashMap<Arc<str>, Vec<Entry>>,
    len: usize,
    clock: u64,
    last_id: u64,
    /// Statements of the warehouse that nothing here refers to: to be closed.
    stale: Vec<u64>,
}

impl Prepared {
    /// The statement, when it can be relied on: the warehouse confirmed it, or it precedes in the same unit (then its failure
    /// skips what relies on it).
    pub fn find(&mut self, sql: &str, types: Types<'_>, unit: u64) -> Option<StatementName> {
        self.clock += 1;
        let entries = self.by_sql.get_mut(sql)?;
        let at = entries.iter().position(|entry| entry.types.are(types))?;
        let entry = entries.get_mut(at)?;
        if entry.confirmed || entry.unit == unit {
            entry.used = self.clock;
            return Some(entry.name.clone());
        }
        let doubtful = entries.swap_remove(at).id;
        self.len -= 1;
        self.stale.push(doubtful);
        None
    }

    /// The oldest gives way when there are too many for one more.
    pub fn make_room(&mut self) {
        if self.len >= CAPACITY {
            self.evict();
        }
    }

    /// A new statement.
    pub fn insert(&mut self, sql: &Arc<str>, types: Types<'_>, unit: u64) -> (StatementName, Preparing) {
        self.clock += 1;
        self.last_id += 1;
        let id = self.last_id;
        let name = StatementName::numbered(id);
        let types = match types {
            Types::Oids(oids) => OwnedTypes::Oids(oids.into()),
            Types::Names(names) => OwnedTypes::Names(names.into()),
        };
        let entry = Entry { name: name.clone(), id, types, used: self.clock, confirmed: false, unit };
        self.by_sql.entry(sql.clone()).or_default().push(entry);
        self.len += 1;
        (name, Preparing { id, sql: sql.clone() })
    }

    fn evict(&mut self) {
        let oldest = self
            .by_sql
            .iter()
            .flat_map(|(sql, entries)| entries.iter().map(move |entry| (entry.used, entry.id, sql)))
            .min_by_key(|(used, ..)| *used)
            .map(|(_, id, sql)| Preparing { id, sql: sql.clone() });
        if let Some(oldest) = oldest {
            self.forget(&oldest);
            self.stale.push(oldest.id);
        }
    }

    /// The warehouse has it.
    pub fn confirm(&mut self, preparing: &Preparing) {
        let entry = self.by_sql.get_mut(&preparing.sql).and_then(|es| es.iter_mut().find(|e| e.id == preparing.id));
        if let Some(entry) = entry {
            entry.confirmed = true;
        }
    }

    /// The warehouse does not have it.
    pub fn forget(&mut self, preparing: &Preparing) {
        if let Some(entries) = self.by_sql.get_mut(&preparing.sql) {
            let before = entries.len();
            entries.retain(|entry| entry.id != preparing.id);
            self.len -= before - entries.len();
            if entries.is_empty() {
                self.by_sql.remove(&preparing.sql);
            }
        }
    }

    /// The warehouse says that it cannot be used any more (its tables have changed): it is prepared anew next time.
    pub fn invalidate(&mut self, id: u64) {
        let sql = self.by_sql.iter().find(|(_, es)| es.iter().any(|e| e.id == id)).map(|(sql, _)| sql.clone());
        if let Some(sql) = sql {
            self.forget(&Preparing { id, sql });
            self.stale.push(id);
        }
    }

    /// A Close that was sent was skipped.
    pub fn close_later(&mut self, id: u64) {
        self.stale.push(id);
    }
    pub fn has_stale(&self) -> bool {
        !self.stale.is_empty()
    }
    /// What is to be closed now. Only where no portal can depend on one: closing a statement closes its portals.
    pub fn take_stale(&mut self) -> Vec<StatementName> {
        self.stale.drain(..).map(StatementName::numbered).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_statement_is_relied_on_after_its_confirmation_or_within_its_unit() {
        let mut prepared = Prepared::default();
        let sql: Arc<str> = Arc::from("SELECT 1");
        assert_eq!(prepared.find(&sql, Types::Oids(&[]), 1), None);
        let (name, preparing) = prepared.insert(&sql, Types::Oids(&[]), 1);
        assert_eq!(prepared.find(&sql, Types::Oids(&[]), 1), Some(name.clone()));
        assert_eq!(prepared.find(&sql, Types::Oids(&[23]), 1), None);
        assert_eq!(prepared.find(&sql, Types::Names(&[]), 1), None);
        prepared.confirm(&preparing);
        assert_eq!(prepared.find(&sql, Types::Oids(&[]), 2), Some(name));
        prepared.invalidate(preparing.id);
        assert_eq!(prepared.find(&sql, Types::Oids(&[]), 2), None);
        assert_eq!(prepared.take_stale(), [StatementName::numbered(1)]);
    }

    #[test]
    fn a_doubtful_one_is_closed_and_prepared_under_another_name() {
        let mut prepared = Prepared::default();
        let sql: Arc<str> = Arc::from("SELECT 1");
        prepared.insert(&sql, Types::Oids(&[]), 1);
        assert_eq!(prepared.find(&sql, Types::Oids(&[]), 2), None);
        let (name, _) = prepared.insert(&sql, Types::Oids(&[]), 2);
        assert_eq!(name.as_str(), "pv_2");
        assert_eq!(prepared.take_stale(), [StatementName::numbered(1)]);
    }

    #[test]
    fn the_least_recently_used_gives_way() {
        let mut prepared = Prepared::default();
        let text = |n: usize| Arc::<str>::from(format!("SELECT {n}"));
        for n in 0..CAPACITY {
            let (_, preparing) = prepared.insert(&text(n), Types::Oids(&[]), 1);
            prepared.confirm(&preparing);
        }
        assert!(prepared.find(&text(0), Types::Oids(&[]), 2).is_some());
        prepared.make_room();
        prepared.insert(&text(CAPACITY), Types::Oids(&[]), 2);
        assert!(prepared.find(&text(0), Types::Oids(&[]), 2).is_some());
        assert!(prepared.find(&text(1), Types::Oids(&[]), 2).is_none());
        assert_eq!(prepared.take_stale(), [StatementName::numbered(2)]);
    }
}
