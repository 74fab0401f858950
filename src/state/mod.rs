//! What must survive a restart: the last good catalog and policy, the warehouse facts, the runs of contracts, consumers. SQLite for one node,
//! Postgres for several that share it; what is kept, and in which words, is the same.

mod backend;
mod consumers;
mod history;
mod postgres;
mod sqlite;

#[cfg(test)]
mod tests;

use std::fmt::Display;
use std::path::Path;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::config::{SecretString, StateUrl};
use crate::govern::facts::{Facts, RelationFacts};
use crate::introspect::SystemRelation;
use crate::names::{RelationName, WarehouseName};
use crate::sources::SourceTexts;

use backend::{Backend, Cell, Rows, Statement};
use postgres::Postgres;
use sqlite::Sqlite;

pub use consumers::Consumer;
pub use history::KeptRun;

/// Why the state store cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// The database refused.
    #[error("state store {place} cannot be {action}: {reason}")]
    Database {
        /// The file, or the server.
        place: String,
        /// opened, read, written
        action: &'static str,
        /// Why, without a value of a row.
        reason: String,
    },
    /// A newer pgveil has written it.
    #[error(
        "state store {place} was written by a newer pgveil (its version is {found}, this one knows {known}); start that one, or give this one its own [state] url"
    )]
    TooNew {
        /// The file, or the server.
        place: String,
        /// What is there.
        found: i64,
        /// What is known.
        known: i64,
    },
    /// What is there is not what was written.
    #[error("state store {place} holds {what} that cannot be read: {reason}")]
    Content {
        /// The file, or the server.
        place: String,
        /// Which part.
        what: &'static str,
        /// Why.
        reason: String,
    },
}

impl StateError {
    fn database(place: String, action: &'static str, reason: &dyn Display) -> Self {
        Self::Database { place, action, reason: reason.to_string() }
    }
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

/// The store. Clones are the same store.
#[derive(Clone)]
pub struct Store {
    place: Arc<str>,
    backend: Arc<dyn Backend>,
}

impl Store {
    /// Opens or creates what `[state] url` names.
    pub async fn open_url(url: &StateUrl) -> Result<Self, StateError> {
        match url {
            StateUrl::Sqlite(path) => Self::open(path),
            StateUrl::Postgres(url) => Ok(Self::shared(Postgres::open(url).await?)),
        }
    }

    /// Opens what `[state] url` names only to read it: nothing is created, migrated or held against the pgveil that uses it.
    /// `None`: there is no store, or nothing in it yet.
    pub async fn peek_url(url: &StateUrl) -> Result<Option<Self>, StateError> {
        match url {
            StateUrl::Sqlite(path) => Self::peek(path),
            StateUrl::Postgres(url) => Ok(Postgres::peek(url).await?.map(Self::shared)),
        }
    }

    /// Opens or creates the database file.
    pub fn open(path: &Path) -> Result<Self, StateError> {
        Ok(Self::over(path.display().to_string(), Sqlite::open(path)?))
    }

    /// [`Self::peek_url`] of a file.
    pub fn peek(path: &Path) -> Result<Option<Self>, StateError> {
        Ok(Sqlite::peek(path)?.map(|sqlite| Self::over(path.display().to_string(), sqlite)))
    }

    fn shared(postgres: Postgres) -> Self {
        Self::over(postgres.place().to_owned(), postgres)
    }

    fn over(place: String, backend: impl Backend + 'static) -> Self {
        Self { place: place.into(), backend: Arc::new(backend) }
    }

    /// Whether this node does what one node alone does, such as running the checks. It may be lost and won again.
    pub async fn leads(&self) -> Result<bool, StateError> {
        self.backend.leads().await.map_err(|reason| StateError::database(self.place.to_string(), "read", &reason))
    }

    /// Keeps the files of a snapshot that serves.
    pub async fn save_last_good(&self, generation: u64, texts: SourceTexts) -> Result<(), StateError> {
        let text = serde_json::to_string(&texts).map_err(|e| self.content("the last good catalog", &e))?;
        let generation = i64::try_from(generation).unwrap_or(i64::MAX);
        let sql = "INSERT INTO last_good (id, saved_at, generation, digest, sources) VALUES (1, ?1, ?2, ?3, ?4) \
                   ON CONFLICT (id) DO UPDATE SET saved_at = excluded.saved_at, generation = excluded.generation, \
                   digest = excluded.digest, sources = excluded.sources";
        let cells = vec![now(), generation.into(), digest(&text).into(), text.into()];
        self.execute("written", vec![(sql, cells)]).await
    }

    /// What was kept; `None`: there never was anything.
    pub async fn last_good(&self) -> Result<Option<LastGood>, StateError> {
        let what = "the last good catalog";
        let sql = "SELECT saved_at, generation, digest, sources FROM last_good";
        let Some(row) = self.query("read", (sql, Vec::new())).await?.pop() else { return Ok(None) };
        let mut cells = row.into_iter();
        let mut next = || cells.next().unwrap_or(Cell::Null);
        let (saved_at, generation, kept, text) = (next().text(), next().whole(), next().text(), next().text());
        let text = text.unwrap_or_default();
        if kept.as_deref() != Some(digest(&text).as_str()) {
            return Err(self.content(what, &"its digest does not match"));
        }
        Ok(Some(LastGood {
            saved_at: saved_at.unwrap_or_default().parse().map_err(|e| self.content(what, &e))?,
            generation: generation.and_then(|n| u64::try_from(n).ok()).unwrap_or(0),
            texts: serde_json::from_str(&text).map_err(|e| self.content(what, &e))?,
        }))
    }

    /// A random text that is the same after a restart. Made when it is first asked for.
    pub async fn secret(&self, name: &'static str) -> Result<SecretString, StateError> {
        let fresh = crate::hex::text(rand::random::<[u8; 32]>());
        let make = "INSERT INTO secrets (name, value) VALUES (?1, ?2) ON CONFLICT DO NOTHING";
        self.execute("written", vec![(make, vec![name.into(), fresh.into()])]).await?;
        let rows = self.query("read", ("SELECT value FROM secrets WHERE name = ?1", vec![name.into()])).await?;
        let secret = rows.into_iter().flatten().next().and_then(Cell::text);
        secret.map(SecretString::new).ok_or_else(|| self.content("a secret", &"it is not there"))
    }

    /// Keeps the facts of every warehouse that they tell of.
    pub async fn save_facts(&self, facts: &Facts) -> Result<(), StateError> {
        let sql = "INSERT INTO facts (warehouse, saved_at, relations) VALUES (?1, ?2, ?3) \
                   ON CONFLICT (warehouse) DO UPDATE SET saved_at = excluded.saved_at, relations = excluded.relations";
        let mut statements = Vec::new();
        for (warehouse, relations) in &facts.relations {
            let system = facts.system.get(warehouse).map(Vec::as_slice).unwrap_or_default();
            let kept = KeptFacts { relations, system };
            let text = serde_json::to_string(&kept).map_err(|e| self.content("warehouse facts", &e))?;
            statements.push((sql, vec![warehouse.as_str().into(), now(), text.into()]));
        }
        self.execute("written", statements).await
    }

    /// The facts that were kept.
    pub async fn facts(&self) -> Result<Facts, StateError> {
        let what = "warehouse facts";
        let mut facts = Facts::default();
        for row in self.query("read", ("SELECT warehouse, relations FROM facts", Vec::new())).await? {
            let mut texts = row.into_iter().map(|cell| cell.text().unwrap_or_default());
            let (warehouse, text) = (texts.next().unwrap_or_default(), texts.next().unwrap_or_default());
            let kept: FoundFacts = serde_json::from_str(&text).map_err(|e| self.content(what, &e))?;
            let (relations, system) = match kept {
                FoundFacts::Both { relations, system } => (relations, system),
                FoundFacts::Relations(relations) => (relations, Vec::new()),
            };
            facts.system.insert(WarehouseName::new(&warehouse), system);
            facts.relations.insert(WarehouseName::new(warehouse), relations);
        }
        Ok(facts)
    }

    async fn execute(&self, action: &'static str, statements: Vec<Statement>) -> Result<(), StateError> {
        let done = self.backend.execute(statements).await;
        done.map_err(|reason| StateError::database(self.place.to_string(), action, &reason))
    }

    async fn query(&self, action: &'static str, statement: Statement) -> Result<Rows, StateError> {
        let rows = self.backend.query(statement).await;
        rows.map_err(|reason| StateError::database(self.place.to_string(), action, &reason))
    }

    fn content(&self, what: &'static str, reason: &dyn Display) -> StateError {
        StateError::Content { place: self.place.to_string(), what, reason: reason.to_string() }
    }
}

fn now() -> Cell {
    jiff::Timestamp::now().to_string().into()
}

fn digest(text: &str) -> String {
    crate::hex::text(Sha256::digest(text))
}
