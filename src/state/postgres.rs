//! The store that several nodes share: the schema `pgveil` of a database.

use std::time::Duration;

use bytes::BytesMut;
use tokio::sync::Mutex;
use tokio::time::timeout;
use tokio_postgres::Client;
use tokio_postgres::types::{IsNull, ToSql, Type, to_sql_checked};

use crate::config::{SecretString, WarehouseConfig};
use crate::upstream::connect::Target;
use crate::upstream::control_plane::{self, Purpose};

use super::StateError;
use super::backend::{Answered, Backend, Cell, MIGRATIONS, Problem, Rows, Statement, known};

/// How long one statement may take.
const LIMIT: Duration = Duration::from_secs(15);
/// A database that says nothing is given up this long after.
const SILENCE: Duration = Duration::from_secs(5);

/// The locks are of this database alone, and of pgveil alone: "pgveil" as a number, with what it is for.
const MIGRATION_LOCK: i64 = 0x70_67_76_65_69_6c_01;
const LEADER_LOCK: i64 = 0x70_67_76_65_69_6c_02;

pub(super) struct Postgres {
    target: Target,
    place: String,
    purpose: Purpose,
    client: Mutex<Option<Client>>,
    /// Holds the leader's lock for as long as it lives.
    leader: Mutex<Option<Client>>,
}

impl Postgres {
    /// Connects, and makes the schema when it is not there.
    pub(super) async fn open(url: &SecretString) -> Result<Self, StateError> {
        let store = Self::at(url, Purpose::State)?;
        let found = store.migrated().await.map_err(|problem| store.fail(&problem))?;
        store.not_too_new(found)?;
        Ok(store)
    }

    /// Connects only to read. `None`: there is nothing.
    pub(super) async fn peek(url: &SecretString) -> Result<Option<Self>, StateError> {
        let store = Self::at(url, Purpose::StateToRead)?;
        let there =
            ("SELECT count(*) FROM pg_tables WHERE schemaname = 'pgveil' AND tablename = 'version'", Vec::new());
        let rows = store.query(there).await.map_err(|problem| store.fail(&problem))?;
        if rows != [[Cell::Whole(1)]] {
            return Ok(None);
        }
        let rows = store.query(("SELECT version FROM version", Vec::new())).await;
        let rows = rows.map_err(|problem| store.fail(&problem))?;
        match rows.into_iter().flatten().next() {
            Some(Cell::Whole(found)) if found > 0 => store.not_too_new(found).map(|()| Some(store)),
            _ => Ok(None),
        }
    }

    /// Where it is, without a password.
    pub(super) fn place(&self) -> &str {
        &self.place
    }

    fn at(url: &SecretString, purpose: Purpose) -> Result<Self, StateError> {
        let config = WarehouseConfig {
            dsn: url.clone(),
            password: None,
            pool_size: 1,
            acquire_timeout: LIMIT,
            default_schema: "pgveil".to_owned(),
            extension_schemas: Vec::new(),
        };
        let place = "of [state] url".to_owned();
        let target = Target::new(&config, Vec::new())
            .map_err(|reason| StateError::database(place.clone(), "opened", &reason))?;
        Ok(Self { place: target.label(), target, purpose, client: Mutex::default(), leader: Mutex::default() })
    }

    fn fail(&self, problem: &Problem) -> StateError {
        StateError::database(self.place.clone(), "opened", problem)
    }

    fn not_too_new(&self, found: i64) -> Result<(), StateError> {
        if found > known() {
            return Err(StateError::TooNew { place: self.place.clone(), found, known: known() });
        }
        Ok(())
    }

    async fn connect(&self) -> Result<Client, Problem> {
        control_plane::connect_for(self.purpose, &self.target, LIMIT).await.map_err(|error| error.to_string())
    }

    /// Brings the schema up to date; gives the version that is there then. Nodes that start at once do it one by one.
    async fn migrated(&self) -> Result<i64, Problem> {
        let mut client = self.connect().await?;
        let migration = async {
            let transaction = client.transaction().await?;
            transaction.execute("SELECT pg_advisory_xact_lock($1)", &[&MIGRATION_LOCK]).await?;
            transaction
                .batch_execute(
                    "CREATE SCHEMA IF NOT EXISTS pgveil; \
                     CREATE TABLE IF NOT EXISTS pgveil.version (version BIGINT NOT NULL)",
                )
                .await?;
            let found: i64 =
                transaction.query_one("SELECT coalesce(max(version), 0) FROM pgveil.version", &[]).await?.try_get(0)?;
            if found < known() {
                for migration in MIGRATIONS.iter().skip(usize::try_from(found).unwrap_or(0)) {
                    let sql = migration.replace("INTEGER", "BIGINT").replace(" STRICT", "");
                    transaction.batch_execute(&sql).await?;
                }
                transaction.execute("DELETE FROM pgveil.version", &[]).await?;
                transaction.execute("INSERT INTO pgveil.version VALUES ($1)", &[&known()]).await?;
            }
            transaction.commit().await?;
            Ok(found.max(known()))
        };
        let version = within(migration).await?;
        *self.client.lock().await = Some(client);
        Ok(version)
    }

    /// The connection, a new one when the former was lost.
    async fn connected<'c>(&self, client: &'c mut Option<Client>) -> Result<&'c mut Client, Problem> {
        if client.as_ref().is_none_or(Client::is_closed) {
            *client = Some(self.connect().await?);
        }
        client.as_mut().ok_or_else(|| "it is not connected".to_owned())
    }

    async fn run(&self, statements: Vec<Statement>) -> Result<(), Problem> {
        let mut slot = self.client.lock().await;
        let client = self.connected(&mut slot).await?;
        let work = async {
            let transaction = client.transaction().await?;
            for (sql, parameters) in &statements {
                let prepared = transaction.prepare(&numbered(sql)).await?;
                transaction.execute(&prepared, &borrowed(parameters)).await?;
            }
            transaction.commit().await
        };
        let done = within(work).await;
        if done.is_err() {
            // Who knows what it is in the middle of.
            *slot = None;
        }
        done
    }

    async fn rows(&self, (sql, parameters): Statement) -> Result<Rows, Problem> {
        let mut slot = self.client.lock().await;
        let client = self.connected(&mut slot).await?;
        let work = async {
            let rows = client.query(&numbered(sql), &borrowed(&parameters)).await?;
            rows.iter().map(|row| (0..row.len()).map(|n| cell(row, n)).collect()).collect()
        };
        let done = within(work).await;
        if done.is_err() {
            *slot = None;
        }
        done
    }

    /// The lock belongs to a session: it is lost with it, and another node has it then.
    async fn leading(&self) -> Result<bool, Problem> {
        let mut slot = self.leader.lock().await;
        if let Some(client) = slot.as_ref().filter(|client| !client.is_closed()) {
            if within(client.simple_query("SELECT 1")).await.is_ok() {
                return Ok(true);
            }
            *slot = None;
        }
        let client = self.connect().await?;
        let asked =
            async { client.query_one("SELECT pg_try_advisory_lock($1)", &[&LEADER_LOCK]).await?.try_get::<_, bool>(0) };
        let won = within(asked).await?;
        if won {
            *slot = Some(client);
        }
        Ok(won)
    }
}

impl Backend for Postgres {
    fn execute(&self, statements: Vec<Statement>) -> Answered<'_, ()> {
        Box::pin(self.run(statements))
    }
    fn query(&self, statement: Statement) -> Answered<'_, Rows> {
        Box::pin(self.rows(statement))
    }
    fn leads(&self) -> Answered<'_, bool> {
        Box::pin(self.leading())
    }
}

/// In words that hold no value: the database's own may quote a row.
async fn within<T>(work: impl Future<Output = Result<T, tokio_postgres::Error>>) -> Result<T, Problem> {
    match timeout(LIMIT + SILENCE, work).await {
        Ok(Ok(done)) => Ok(done),
        Ok(Err(error)) => Err(match error.code() {
            Some(code) => format!("the database refuses (SQLSTATE {})", code.code()),
            None => "the connection was lost".to_owned(),
        }),
        Err(_) => Err("no answer in time".to_owned()),
    }
}

/// The store's statements have no other question marks.
fn numbered(sql: &str) -> String {
    sql.replace('?', "$")
}

fn borrowed(parameters: &[Cell]) -> Vec<&(dyn ToSql + Sync)> {
    parameters.iter().map(|cell| cell as &(dyn ToSql + Sync)).collect()
}

fn cell(row: &tokio_postgres::Row, n: usize) -> Result<Cell, tokio_postgres::Error> {
    let whole = row.columns().get(n).is_some_and(|column| *column.type_() == Type::INT8);
    Ok(if whole {
        row.try_get::<_, Option<i64>>(n)?.map_or(Cell::Null, Cell::Whole)
    } else {
        row.try_get::<_, Option<String>>(n)?.map_or(Cell::Null, Cell::Text)
    })
}

impl ToSql for Cell {
    fn to_sql(&self, kind: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn std::error::Error + Sync + Send>> {
        match self {
            Self::Text(text) => text.to_sql(kind, out),
            Self::Whole(number) => number.to_sql(kind, out),
            Self::Null => Ok(IsNull::Yes),
        }
    }
    fn accepts(kind: &Type) -> bool {
        matches!(*kind, Type::TEXT | Type::INT8)
    }
    to_sql_checked!();
}
