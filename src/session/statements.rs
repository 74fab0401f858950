//! The prepared statements of a session by name, bounded: a statement that is never closed stays as long as its session.

use std::collections::HashMap;
use std::sync::Arc;

use crate::error::{ClientError, ErrorKind, sqlstate};

use super::portals::Prepared;

/// How many statements a session may have prepared, and how many portals it may have open.
const MOST: usize = 8192;
/// How many bytes they may hold together.
const MOST_BYTES: usize = 16 * 1024 * 1024;
/// What one holds beside its texts.
const OWN: usize = 512;

/// What a session has prepared.
#[derive(Debug, Default)]
pub(super) struct Statements {
    by_name: HashMap<String, Arc<Prepared>>,
    bytes: usize,
}

impl Statements {
    /// The statement of this name.
    pub fn get(&self, name: &str) -> Option<&Arc<Prepared>> {
        self.by_name.get(name)
    }
    /// Whether there is one.
    pub fn contains(&self, name: &str) -> bool {
        self.by_name.contains_key(name)
    }
    /// Whether there is room for another. The unnamed one takes the place of the one before.
    pub fn make_sure_of_room(&self, name: &str) -> Result<(), ClientError> {
        if name.is_empty() || (self.by_name.len() < MOST && self.bytes < MOST_BYTES) {
            return Ok(());
        }
        let message = format!(
            "too many prepared statements: a session may have {MOST}, of {} MiB together",
            MOST_BYTES / (1024 * 1024)
        );
        Err(ClientError::new(ErrorKind::Limit, sqlstate::PROGRAM_LIMIT_EXCEEDED, message).with_hint(
            "Close those that are not used any more (DEALLOCATE), or prepare one statement with parameters.",
        ))
    }
    /// Keeps one, instead of one of the same name.
    pub fn insert(&mut self, name: &str, prepared: Arc<Prepared>) {
        self.bytes += weight(name, &prepared);
        if let Some(before) = self.by_name.insert(name.to_owned(), prepared) {
            self.bytes -= weight(name, &before);
        }
    }
    /// Forgets one. Whether there was one.
    pub fn remove(&mut self, name: &str) -> bool {
        match self.by_name.remove(name) {
            Some(before) => {
                self.bytes -= weight(name, &before);
                true
            }
            None => false,
        }
    }
    /// Forgets all.
    pub fn clear(&mut self) {
        *self = Self::default();
    }
}

/// Whether there is room for another portal: they end with their transaction.
pub(super) fn make_sure_of_room_for_portals(open: usize) -> Result<(), ClientError> {
    if open < MOST {
        return Ok(());
    }
    let message = format!("too many portals: a session may have {MOST} open");
    Err(ClientError::new(ErrorKind::Limit, sqlstate::PROGRAM_LIMIT_EXCEEDED, message)
        .with_hint("Close portals that are not used any more, or end the transaction."))
}

/// Its own texts, and that of the permit, which nobody else may hold any more.
fn weight(name: &str, prepared: &Prepared) -> usize {
    OWN + name.len() + prepared.text.len() + prepared.types.len() * 4 + prepared.permit().map_or(0, |p| p.sql.len())
}

#[cfg(test)]
mod tests {
    use std::sync::OnceLock;

    use super::*;

    fn prepared(text: &str) -> Arc<Prepared> {
        Arc::new(Prepared {
            text: Arc::from(text),
            types: Vec::new(),
            by_sql: false,
            decided: Arc::from(Vec::new()),
            epoch: 0,
            read_under: OnceLock::new(),
        })
    }

    #[test]
    fn number_and_bytes_are_bounded_and_given_back() {
        let mut statements = Statements::default();
        for n in 0..MOST {
            let name = n.to_string();
            statements.make_sure_of_room(&name).unwrap();
            statements.insert(&name, prepared("SELECT 1"));
        }
        let error = statements.make_sure_of_room("one more").unwrap_err();
        assert_eq!(error.sqlstate, sqlstate::PROGRAM_LIMIT_EXCEEDED);
        assert!(statements.make_sure_of_room("").is_ok(), "the unnamed one takes the place of the one before");
        assert!(statements.remove("7") && !statements.remove("7"));
        assert!(statements.make_sure_of_room("one more").is_ok());
        for n in 0..MOST {
            statements.remove(&n.to_string());
        }
        assert_eq!(statements.bytes, 0);

        let long = "x".repeat(MOST_BYTES / 4);
        for n in 0..4 {
            statements.make_sure_of_room("long").unwrap();
            statements.insert(&n.to_string(), prepared(&long));
        }
        assert!(statements.make_sure_of_room("long").is_err());
        statements.insert("1", prepared("short"));
        assert!(statements.make_sure_of_room("long").is_ok());
        statements.clear();
        assert_eq!(statements.bytes, 0);
    }

    #[test]
    fn portals_are_bounded() {
        assert!(make_sure_of_room_for_portals(MOST - 1).is_ok());
        assert!(make_sure_of_room_for_portals(MOST).is_err());
    }
}
