//! What must survive a restart: the last good catalog and policy, and the warehouse facts. SQLite.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::{Connection, OpenFlags, OptionalExtension};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::config::SecretString;
use crate::govern::facts::{Facts, RelationFacts};
use crate::introspect::SystemRelation;
use crate::names::{RelationName, WarehouseName};
use crate::sources::SourceTexts;

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

/// What served last, as it was kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LastGood {
    /// When it was kept.
    pub saved_at: jiff::Timestamp,
    /// Its generation: the next one is higher, also after a restart.
    pub generation: u64,
    /// The files that it was built from.
    pub texts: SourceTexts,
}

/// The facts of one warehouse as they are kept.
#[derive(Serialize)]
struct KeptFacts<'a> {
    relations: &'a [(RelationName, RelationFacts)],
    system: &'a [SystemRelation],
}

/// The same as they are found: a store of version 0.1 has the products' relations alone.
#[derive(Deserialize)]
#[serde(untagged)]
enum FoundFacts {
    Both { relations: Vec<(RelationName, RelationFacts)>, system: Vec<SystemRelation> },
    Relations(Vec<(RelationName, RelationFacts)>),
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
        generation INTEGER NOT NULL,
        digest TEXT NOT NULL,
        sources TEXT NOT NULL
    ) STRICT;
    CREATE TABLE facts (
        warehouse TEXT NOT NULL PRIMARY KEY,
        saved_at TEXT NOT NULL,
        relations TEXT NOT NULL
    ) STRICT;
    CREATE TABLE secrets (
        name TEXT NOT NULL PRIMARY KEY,
        value TEXT NOT NULL
    ) STRICT;
"];

impl Store {
    /// Opens or creates the database file.
    pub fn open(path: &Path) -> Result<Self, StateError> {
        let fail = |source| StateError::Database { path: path.to_owned(), action: "opened", source };
        private(path).map_err(|e| fail(rusqlite::Error::ToSqlConversionFailure(Box::new(e))))?;
        let mut connection = Connection::open(path).map_err(fail)?;
        connection.busy_timeout(std::time::Duration::from_secs(5)).map_err(fail)?;
        connection.pragma_update(None, "journal_mode", "WAL").map_err(fail)?;
        connection.pragma_update(None, "synchronous", "NORMAL").map_err(fail)?;
        migrate(&mut connection, path)?;
        Ok(Self { shared: Arc::new(Shared { path: path.to_owned(), connection: Mutex::new(connection) }) })
    }

    /// Opens a store only to read it: nothing is created, migrated or held against the pgveil that uses it. `None`: there is
    /// no store, or nothing in it yet.
    pub fn peek(path: &Path) -> Result<Option<Self>, StateError> {
        let fail = |source| StateError::Database { path: path.to_owned(), action: "opened", source };
        if !path.exists() {
            return Ok(None);
        }
        // With a write-ahead log beside it somebody writes, or crashed: then SQLite's own rules for readers hold. Without
        // one, reading it as a file that nobody changes spares the side files that SQLite would make.
        let mode = if side_file(path, "-wal").exists() { "mode=ro" } else { "immutable=1" };
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(format!("{}?{mode}", file_uri(path)), flags).map_err(fail)?;
        connection.busy_timeout(std::time::Duration::from_secs(5)).map_err(fail)?;
        let found: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0)).map_err(fail)?;
        let known = i64::try_from(MIGRATIONS.len()).unwrap_or(i64::MAX);
        match found {
            0 => Ok(None),
            _ if found > known => Err(StateError::TooNew { path: path.to_owned(), found, known }),
            _ => Ok(Some(Self {
                shared: Arc::new(Shared { path: path.to_owned(), connection: Mutex::new(connection) }),
            })),
        }
    }

    /// Keeps the files of a snapshot that serves.
    pub async fn save_last_good(&self, generation: u64, texts: SourceTexts) -> Result<(), StateError> {
        let text = serde_json::to_string(&texts).map_err(|e| self.content("the last good catalog", &e))?;
        let generation = i64::try_from(generation).unwrap_or(i64::MAX);
        self.run("written", move |connection| {
            connection.execute(
                "INSERT INTO last_good (id, saved_at, generation, digest, sources) VALUES (1, ?1, ?2, ?3, ?4)
                 ON CONFLICT (id) DO UPDATE SET saved_at = excluded.saved_at, generation = excluded.generation,
                 digest = excluded.digest, sources = excluded.sources",
                (jiff::Timestamp::now().to_string(), generation, digest(&text), text),
            )
        })
        .await
        .map(drop)
    }

    /// What was kept; `None`: there never was anything.
    pub async fn last_good(&self) -> Result<Option<LastGood>, StateError> {
        let what = "the last good catalog";
        let row: Option<(String, i64, String, String)> = self
            .run("read", |connection| {
                let sql = "SELECT saved_at, generation, digest, sources FROM last_good";
                let row = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?));
                connection.query_row(sql, [], row).optional()
            })
            .await?;
        let Some((saved_at, generation, kept, text)) = row else { return Ok(None) };
        if digest(&text) != kept {
            return Err(self.content(what, &"its digest does not match"));
        }
        Ok(Some(LastGood {
            saved_at: saved_at.parse().map_err(|e| self.content(what, &e))?,
            generation: u64::try_from(generation).unwrap_or(0),
            texts: serde_json::from_str(&text).map_err(|e| self.content(what, &e))?,
        }))
    }

    /// A random text that is the same after a restart. Made when it is first asked for.
    pub async fn secret(&self, name: &'static str) -> Result<SecretString, StateError> {
        let fresh = crate::hex::text(rand::random::<[u8; 32]>());
        self.run("read", move |connection| {
            connection.execute("INSERT INTO secrets VALUES (?1, ?2) ON CONFLICT DO NOTHING", (name, fresh))?;
            connection.query_row("SELECT value FROM secrets WHERE name = ?1", [name], |row| row.get(0))
        })
        .await
        .map(|secret: String| SecretString::new(secret))
    }

    /// Keeps the facts of every warehouse that they tell of.
    pub async fn save_facts(&self, facts: &Facts) -> Result<(), StateError> {
        let mut rows = Vec::new();
        for (warehouse, relations) in &facts.relations {
            let system = facts.system.get(warehouse).map(Vec::as_slice).unwrap_or_default();
            let kept = KeptFacts { relations, system };
            let text = serde_json::to_string(&kept).map_err(|e| self.content("warehouse facts", &e))?;
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
            let kept: FoundFacts = serde_json::from_str(&text).map_err(|e| self.content("warehouse facts", &e))?;
            let (relations, system) = match kept {
                FoundFacts::Both { relations, system } => (relations, system),
                FoundFacts::Relations(relations) => (relations, Vec::new()),
            };
            facts.system.insert(WarehouseName::new(&warehouse), system);
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

/// Creates the file, so that nobody else can read it: policies hold verifiers. SQLite gives its side files the same mode.
fn private(path: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::OpenOptionsExt;
    if let Some(directory) = path.parent().filter(|d| !d.as_os_str().is_empty()) {
        std::fs::create_dir_all(directory)?;
    }
    std::fs::OpenOptions::new().create(true).append(true).mode(0o600).open(path).map(drop)
}

/// The files that SQLite keeps beside the database.
fn side_file(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

/// The path as SQLite reads it in a URI.
fn file_uri(path: &Path) -> String {
    use std::os::unix::ffi::OsStrExt;
    let mut uri = "file:".to_owned();
    for byte in path.as_os_str().as_bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'.' | b'-' | b'_' => uri.push(char::from(*byte)),
            _ => uri.push_str(&format!("%{byte:02X}")),
        }
    }
    uri
}

fn digest(text: &str) -> String {
    crate::hex::text(Sha256::digest(text))
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

    fn texts(policy: &str) -> SourceTexts {
        SourceTexts {
            server: SourceFile::new("/etc/pgveil/pgveil.toml", ""),
            policy: vec![SourceFile::new("/etc/pgveil/policy.toml", policy)],
            catalog: Vec::new(),
        }
    }

    #[tokio::test]
    async fn the_last_good_files_survive_a_restart() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("state.db");
        let store = Store::open(&path).unwrap();
        assert!(store.last_good().await.unwrap().is_none());
        store.save_last_good(1, texts("a")).await.unwrap();
        store.save_last_good(7, texts("b")).await.unwrap();
        drop(store);
        let kept = Store::open(&path).unwrap().last_good().await.unwrap().unwrap();
        assert_eq!((kept.generation, kept.texts), (7, texts("b")));
    }

    #[tokio::test]
    async fn a_secret_stays_the_same_and_is_not_readable_by_others() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("state.db");
        let secret = Store::open(&path).unwrap().secret("unknown users").await.unwrap();
        let store = Store::open(&path).unwrap();
        assert!(store.secret("unknown users").await.unwrap() == secret);
        assert!(store.secret("another").await.unwrap() != secret);
        let mode = std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(&path).unwrap().permissions());
        assert_eq!(mode & 0o077, 0);
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
            tableoid: false,
        };
        let name = RelationName { schema: "public".to_owned(), name: "orders".to_owned() };
        let of = |warehouse: &str, oid| Facts {
            relations: [(WarehouseName::new(warehouse), vec![(name.clone(), relation(oid))])].into(),
            system: [(WarehouseName::new(warehouse), Vec::new())].into(),
        };
        store.save_facts(&of("a", 1)).await.unwrap();
        store.save_facts(&of("b", 2)).await.unwrap();
        store.save_facts(&of("a", 3)).await.unwrap();
        let facts = store.facts().await.unwrap();
        assert_eq!(facts.get(&WarehouseName::new("a"), &name).unwrap().oid, 3);
        assert_eq!(facts.get(&WarehouseName::new("b"), &name).unwrap().oid, 2);
    }

    #[tokio::test]
    async fn altered_files_are_not_served() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("state.db");
        let store = Store::open(&path).unwrap();
        store.save_last_good(1, texts("a")).await.unwrap();
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

    /// Names of what lies in a directory.
    fn listing(directory: &Path) -> Vec<std::ffi::OsString> {
        let mut names: Vec<_> = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        names
    }

    #[tokio::test]
    async fn a_look_leaves_nothing_behind_and_sees_what_a_running_pgveil_wrote() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("state of 100% ?#.db");
        assert!(Store::peek(&path).unwrap().is_none());
        assert!(listing(directory.path()).is_empty());

        let facts = Facts {
            relations: [(WarehouseName::new("w"), Vec::new())].into(),
            system: [(WarehouseName::new("w"), Vec::new())].into(),
        };
        let running = Store::open(&path).unwrap();
        running.save_facts(&facts).await.unwrap();
        let before = listing(directory.path());
        assert_eq!(Store::peek(&path).unwrap().unwrap().facts().await.unwrap(), facts);
        assert_eq!(listing(directory.path()), before);
        // The other one may still write, and reading it needs no right to.
        running.save_last_good(1, texts("a")).await.unwrap();
        assert!(Store::peek(&path).unwrap().unwrap().save_facts(&facts).await.is_err());

        drop(running);
        let before = listing(directory.path());
        assert_eq!(before.len(), 1, "{before:?}");
        let looking = Store::peek(&path).unwrap().unwrap();
        assert_eq!(looking.facts().await.unwrap(), facts);
        assert_eq!(listing(directory.path()), before);
    }
}
