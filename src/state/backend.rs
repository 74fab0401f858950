//! One small interface over two databases: statements with numbered parameters, texts and whole numbers. SQL that both read
//! stands in the rooms of the store, once.

use std::future::Future;
use std::pin::Pin;

/// A value of a row, or a parameter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Cell {
    Text(String),
    Whole(i64),
    Null,
}

impl Cell {
    pub(super) fn text(self) -> Option<String> {
        match self {
            Self::Text(text) => Some(text),
            Self::Whole(_) | Self::Null => None,
        }
    }
    pub(super) fn whole(self) -> Option<i64> {
        match self {
            Self::Whole(number) => Some(number),
            Self::Text(_) | Self::Null => None,
        }
    }
}

impl From<&str> for Cell {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}
impl From<String> for Cell {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}
impl From<i64> for Cell {
    fn from(number: i64) -> Self {
        Self::Whole(number)
    }
}
impl From<Option<i64>> for Cell {
    fn from(number: Option<i64>) -> Self {
        number.map_or(Self::Null, Self::Whole)
    }
}

/// A statement with its parameters, `?1` and so on.
pub(super) type Statement = (&'static str, Vec<Cell>);

/// The rows of an answer.
pub(super) type Rows = Vec<Vec<Cell>>;

/// Why a statement gave none, in words for operators that hold no value.
pub(super) type Problem = String;

pub(super) type Answered<'a, T> = Pin<Box<dyn Future<Output = Result<T, Problem>> + Send + 'a>>;

/// A database.
pub(super) trait Backend: Send + Sync {
    /// All statements or none of them, in one transaction.
    fn execute(&self, statements: Vec<Statement>) -> Answered<'_, ()>;
    /// The rows of one statement, which may change something.
    fn query(&self, statement: Statement) -> Answered<'_, Rows>;
    /// Whether this node does what one node alone does. Asked again and again; it may be lost and won.
    fn leads(&self) -> Answered<'_, bool>;
}

/// What has to be run to come from one version to the next, in SQLite's words. Postgres reads `INTEGER` as bigint here, and
/// has no `STRICT`.
pub(super) const MIGRATIONS: &[&str] = &[
    "
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
",
    // The row count and the age of the newest row stand beside the document, so that their course is read without it.
    "
    CREATE TABLE validations (
        product TEXT NOT NULL,
        started_at TEXT NOT NULL,
        passed INTEGER NOT NULL,
        row_count INTEGER,
        stale_seconds INTEGER,
        document TEXT NOT NULL,
        PRIMARY KEY (product, started_at)
    ) STRICT;
    CREATE INDEX validations_by_time ON validations (started_at);
",
    "
    CREATE TABLE consumers (
        product TEXT NOT NULL,
        team TEXT NOT NULL,
        use_case TEXT NOT NULL,
        contact TEXT NOT NULL,
        registered_by TEXT NOT NULL,
        registered_at TEXT NOT NULL,
        PRIMARY KEY (product, team, use_case)
    ) STRICT;
",
];

/// The version of a store that all of them have made.
pub(super) fn known() -> i64 {
    i64::try_from(MIGRATIONS.len()).unwrap_or(i64::MAX)
}
