//! The store of one node: a file.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rusqlite::types::{ToSqlOutput, Value, ValueRef};
use rusqlite::{Connection, OpenFlags, ToSql, TransactionBehavior};

use super::StateError;
use super::backend::{Answered, Backend, Cell, MIGRATIONS, Problem, Rows, Statement, known};

/// How long another process' write is waited for.
const BUSY: Duration = Duration::from_secs(5);

pub(super) struct Sqlite {
    connection: Arc<Mutex<Connection>>,
}

impl Sqlite {
    /// Opens or creates the file.
    pub(super) fn open(path: &Path) -> Result<Self, StateError> {
        let fail = |source: &dyn std::fmt::Display| StateError::database(place(path), "opened", source);
        private(path).map_err(|error| fail(&error))?;
        let mut connection = Connection::open(path).map_err(|error| fail(&error))?;
        connection.busy_timeout(BUSY).map_err(|error| fail(&error))?;
        connection.pragma_update(None, "journal_mode", "WAL").map_err(|error| fail(&error))?;
        connection.pragma_update(None, "synchronous", "NORMAL").map_err(|error| fail(&error))?;
        let found = migrate(&mut connection).map_err(|error| fail(&error))?;
        if found > known() {
            return Err(StateError::TooNew { place: place(path), found, known: known() });
        }
        Ok(Self { connection: Arc::new(Mutex::new(connection)) })
    }

    /// Opens it only to read. `None`: there is nothing.
    pub(super) fn peek(path: &Path) -> Result<Option<Self>, StateError> {
        let fail = |source: &dyn std::fmt::Display| StateError::database(place(path), "opened", source);
        if !path.exists() {
            return Ok(None);
        }
        // With a write-ahead log beside it somebody writes, or crashed: then SQLite's own rules for readers hold. Without
        // one, reading it as a file that nobody changes spares the side files that SQLite would make.
        let mode = if side_file(path, "-wal").exists() { "mode=ro" } else { "immutable=1" };
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection =
            Connection::open_with_flags(format!("{}?{mode}", file_uri(path)), flags).map_err(|error| fail(&error))?;
        connection.busy_timeout(BUSY).map_err(|error| fail(&error))?;
        let found: i64 =
            connection.pragma_query_value(None, "user_version", |row| row.get(0)).map_err(|error| fail(&error))?;
        match found {
            0 => Ok(None),
            _ if found > known() => Err(StateError::TooNew { place: place(path), found, known: known() }),
            _ => Ok(Some(Self { connection: Arc::new(Mutex::new(connection)) })),
        }
    }

    /// Runs on a thread that may block.
    fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Answered<'_, T> {
        let connection = Arc::clone(&self.connection);
        Box::pin(async move {
            let work = move || work(&mut connection.lock().unwrap_or_else(PoisonError::into_inner));
            match tokio::task::spawn_blocking(work).await {
                Ok(result) => result.map_err(|error| error.to_string()),
                Err(error) => Err(error.to_string()),
            }
        })
    }
}

impl Backend for Sqlite {
    fn execute(&self, statements: Vec<Statement>) -> Answered<'_, ()> {
        self.run(move |connection| {
            let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            for (sql, parameters) in statements {
                transaction.prepare_cached(sql)?.execute(rusqlite::params_from_iter(parameters))?;
            }
            transaction.commit()
        })
    }

    fn query(&self, (sql, parameters): Statement) -> Answered<'_, Rows> {
        self.run(move |connection| {
            let mut statement = connection.prepare_cached(sql)?;
            let width = statement.column_count();
            let rows = statement.query_map(rusqlite::params_from_iter(parameters), |row| {
                (0..width).map(|n| Ok(cell(row.get_ref(n)?))).collect::<rusqlite::Result<Vec<Cell>>>()
            })?;
            rows.collect()
        })
    }

    fn leads(&self) -> Answered<'_, bool> {
        // Nobody shares a file.
        Box::pin(std::future::ready(Ok::<bool, Problem>(true)))
    }
}

impl ToSql for Cell {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(match self {
            Self::Text(text) => ToSqlOutput::Borrowed(ValueRef::Text(text.as_bytes())),
            Self::Whole(number) => ToSqlOutput::Owned(Value::Integer(*number)),
            Self::Null => ToSqlOutput::Owned(Value::Null),
        })
    }
}

fn cell(value: ValueRef<'_>) -> Cell {
    match value {
        ValueRef::Text(text) => Cell::Text(String::from_utf8_lossy(text).into_owned()),
        ValueRef::Integer(number) => Cell::Whole(number),
        // No table has a column of these.
        ValueRef::Null | ValueRef::Real(_) | ValueRef::Blob(_) => Cell::Null,
    }
}

fn place(path: &Path) -> String {
    path.display().to_string()
}

/// Brings the store up to date; gives the version that was found.
fn migrate(connection: &mut Connection) -> rusqlite::Result<i64> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let found: i64 = transaction.pragma_query_value(None, "user_version", |row| row.get(0))?;
    if found < known() {
        for migration in MIGRATIONS.iter().skip(usize::try_from(found).unwrap_or(0)) {
            transaction.execute_batch(migration)?;
        }
        transaction.pragma_update(None, "user_version", known())?;
    }
    transaction.commit()?;
    Ok(found)
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
