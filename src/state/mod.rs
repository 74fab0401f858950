//! What must survive a restart: the last good catalog and policy, and the warehouse facts. SQLite.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::{Connection, OptionalExtension};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::document::SourceFile;
use crate::govern::facts::{Facts, RelationFacts};
use crate::names::{RelationName, WarehouseName};

/// Why the state store cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// The database refused.
    #[error("state store {path} cannot be {action}: {source}", path = .path.display())]
    Database {
        /// The file.
        path: PathBuf,
        /// opened, read, written
        action: &'static str,
        /// Its words.
        source: rusqlite::Error,
    },
    /// A newer pgveil has written it.
    #[error("state store {path} was written by a newer pgveil (its version is {found}, this one knows {known}); start that one, or give this one its own [state] url", path = .path.display())]
    TooNew {
        /// The file.
        path: PathBuf,
        /// What is there.
        found: i64,
        /// What is known.
        known: i64,
    },
    /// What is there is not what was written.
    #[error("state store {path} holds {what} that cannot be read: {reason}", path = .path.display())]
    Content {
        /// The file.
        path: PathBuf,
        /// Which part.
        what: &'static str,
        /// Why.
        reason: String,
    },
}

/// The bytes of the files that a snapshot was built from.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sources {
    /// In the order of paths.
    pub files: Vec<SourceFile>,
}

impl Sources {
    /// SHA-256 of names and texts, hex: equal digests are equal sources.
    pub fn digest(&self) -> String {
        let mut digest = Sha256::new();
        for file in &self.files {
            for part in [file.path.as_os_str().as_encoded_bytes(), file.text.as_bytes()] {
                digest.update((part.len() as u64).to_le_bytes());
                digest.update(part);
            }
        }
        digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

/// The store. Clones are the same store; every call runs on a thread that may block.
#[derive(Clone)]
pub struct Store {
    shared: Arc<Shared>,
}

struct Shared {
    path: PathBuf,
    connection: Mutex<Connection>,
}

/// One statement a version; `user_version` says how many have run.
const MIGRATIONS: &[&str] = &["
    CREATE TABLE last_good (
        id INTEGER PRIMARY KEY CHECK (id = 1),
        saved_at TEXT NOT NULL,
        digest TEXT NOT NULL,
        sources TEXT NOT NULL
    ) STRICT;
    CREATE TABLE facts (
        warehouse TEXT NOT NULL PRIMARY KEY,
        saved_at TEXT NOT NULL,
        relations TEXT NOT NULL
    ) STRICT;
"];

impl Store {
    /// Opens or creates the database file.
    pub fn open(path: &Path) -> Result<Self, StateError> {
        let fail = |source| StateError::Database { path: path.to_owned(), action: "opened", source };
        let mut connection = Connection::open(path).map_err(fail)?;
        connection.busy_timeout(std::time::Duration::from_secs(5)).map_err(fail)?;
        connection.pragma_update(None, "journal_mode", "WAL").map_err(fail)?;
        connection.pragma_update(None, "synchronous", "NORMAL").map_err(fail)?;
        migrate(&mut connection, path)?;
        Ok(Self { shared: Arc::new(Shared { path: path.to_owned(), connection: Mutex::new(connection) }) })
    }

    /// Keeps the sources of a snapshot that serves.
    pub async fn save_last_good(&self, sources: Sources) -> Result<(), StateError> {
        let text = serde_json::to_string(&sources).map_err(|e| self.content("the last good catalog", &e))?;
        self.run("written", move |connection| {
            connection.execute(
                "INSERT INTO last_good (id, saved_at, digest, sources) VALUES (1, ?1, ?2, ?3)
                 ON CONFLICT (id) DO UPDATE SET saved_at = excluded.saved_at, digest = excluded.digest,
                 sources = excluded.sources",
                (jiff::Timestamp::now().to_string(), sources.digest(), text),
            )
        })
        .await
        .map(drop)
    }

    /// The sources that were kept, with the time when; `None`: there never were any.
    pub async fn last_good(&self) -> Result<Option<(jiff::Timestamp, Sources)>, StateError> {
        let what = "the last good catalog";
        let row: Option<(String, String, String)> = self
            .run("read", |connection| {
                let sql = "SELECT saved_at, digest, sources FROM last_good";
                connection.query_row(sql, [], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).optional()
            })
            .await?;
        let Some((saved_at, digest, text)) = row else { return Ok(None) };
        let sources: Sources = serde_json::from_str(&text).map_err(|e| self.content(what, &e))?;
        if sources.digest() != digest {
            return Err(self.content(what, &"its digest does not match"));
        }
        let saved_at = saved_at.parse().map_err(|e| self.content(what, &e))?;
        Ok(Some((saved_at, sources)))
    }

    /// Keeps the facts of every warehouse that they tell of.
    pub async fn save_facts(&self, facts: &Facts) -> Result<(), StateError> {
        let mut rows = Vec::new();
        for (warehouse, relations) in &facts.relations {
            let text = serde_json::to_string(relations).map_err(|e| self.content("warehouse facts", &e))?;
            rows.push((warehouse.to_string(), jiff::Timestamp::now().to_string(), text));
        }
        self.run("written", move |connection| {
            let transaction = connection.transaction()?;
            for row in rows {
                transaction.execute(
                    "INSERT INTO facts (warehouse, saved_at, relations) VALUES (?1, ?2, ?3)
                     ON CONFLICT (warehouse) DO UPDATE SET saved_at = excluded.saved_at, relations = excluded.relations",
                    row,
                )?;
            }
            transaction.commit()
        })
        .await
    }

    /// The facts that were kept.
    pub async fn facts(&self) -> Result<Facts, StateError> {
        let rows: Vec<(String, String)> = self
            .run("read", |connection| {
                let mut query = connection.prepare("SELECT warehouse, relations FROM facts")?;
                query.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
            })
            .await?;
        let mut facts = Facts::default();
        for (warehouse, text) in rows {
            let relations: Vec<(RelationName, RelationFacts)> =
                serde_json::from_str(&text).map_err(|e| self.content("warehouse facts", &e))?;
            facts.relations.insert(WarehouseName::new(warehouse), relations);
        }
        Ok(facts)
    }

    async fn run<T: Send + 'static>(
        &self,
        action: &'static str,
        work: impl FnOnce(&mut Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, StateError> {
        let shared = Arc::clone(&self.shared);
        let result = tokio::task::spawn_blocking(move || {
            work(&mut shared.connection.lock().unwrap_or_else(PoisonError::into_inner))
        })
        .await;
        let path = self.shared.path.clone();
        match result {
            Ok(result) => result.map_err(|source| StateError::Database { path, action, source }),
            Err(e) => Err(self.content("an unfinished operation", &e)),
        }
    }

    fn content(&self, what: &'static str, reason: &impl std::fmt::Display) -> StateError {
        StateError::Content { path: self.shared.path.clone(), what, reason: reason.to_string() }
    }
}

fn migrate(connection: &mut Connection, path: &Path) -> Result<(), StateError> {
    let fail = |source| StateError::Database { path: path.to_owned(), action: "opened", source };
    let known = i64::try_from(MIGRATIONS.len()).unwrap_or(i64::MAX);
    let transaction = connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate).map_err(fail)?;
    let found: i64 = transaction.pragma_query_value(None, "user_version", |row| row.get(0)).map_err(fail)?;
    if found > known {
        return Err(StateError::TooNew { path: path.to_owned(), found, known });
    }
    for migration in MIGRATIONS.iter().skip(usize::try_from(found).unwrap_or(0)) {
        transaction.execute_batch(migration).map_err(fail)?;
    }
    transaction.pragma_update(None, "user_version", known).map_err(fail)?;
    transaction.commit().map_err(fail)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::SourceFile;
    use crate::govern::facts::RelationKind;

    fn sources(text: &str) -> Sources {
        Sources { files: vec![SourceFile::new("/etc/pgveil/policy.toml", text)] }
    }

    #[tokio::test]
    async fn the_last_good_sources_survive_a_restart() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("state.db");
        let store = Store::open(&path).unwrap();
        assert!(store.last_good().await.unwrap().is_none());
        store.save_last_good(sources("a")).await.unwrap();
        store.save_last_good(sources("b")).await.unwrap();
        drop(store);
        let (_, kept) = Store::open(&path).unwrap().last_good().await.unwrap().unwrap();
        assert_eq!(kept, sources("b"));
    }

    #[tokio::test]
    async fn facts_are_kept_by_warehouse() {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(&directory.path().join("state.db")).unwrap();
        let relation = |oid| RelationFacts {
            oid,
            kind: RelationKind::Table,
            columns: Vec::new(),
            primary_key: vec!["id".to_owned()],
            unique_keys: Vec::new(),
            barrier: true,
            parents: Vec::new(),
            has_children: false,
        };
        let name = RelationName { schema: "public".to_owned(), name: "orders".to_owned() };
        let of = |warehouse: &str, oid| Facts {
            relations: [(WarehouseName::new(warehouse), vec![(name.clone(), relation(oid))])].into(),
        };
        store.save_facts(&of("a", 1)).await.unwrap();
        store.save_facts(&of("b", 2)).await.unwrap();
        store.save_facts(&of("a", 3)).await.unwrap();
        let facts = store.facts().await.unwrap();
        assert_eq!(facts.get(&WarehouseName::new("a"), &name).unwrap().oid, 3);
        assert_eq!(facts.get(&WarehouseName::new("b"), &name).unwrap().oid, 2);
    }

    #[tokio::test]
    async fn altered_sources_are_not_served() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("state.db");
        let store = Store::open(&path).unwrap();
        store.save_last_good(sources("a")).await.unwrap();
        let other = Connection::open(&path).unwrap();
        other.execute("UPDATE last_good SET sources = replace(sources, 'policy', 'polity')", []).unwrap();
        let error = store.last_good().await.unwrap_err().to_string();
        assert!(error.contains("its digest does not match"), "{error}");
    }

    #[test]
    fn a_newer_store_is_left_alone() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("state.db");
        drop(Store::open(&path).unwrap());
        Connection::open(&path).unwrap().pragma_update(None, "user_version", 99).unwrap();
        let error = Store::open(&path).err().unwrap().to_string();
        assert!(error.contains("was written by a newer pgveil"), "{error}");
    }
}
