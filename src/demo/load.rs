//! Fills the demo's warehouse, a step at a time, and gives pgveil's account what the catalog publishes and no more.

use tokio_postgres::{Client, NoTls};

use super::files::CATALOG;
use super::postgres::SUPERUSER;

const SCHEMA: &str = include_str!("../../config/demo/warehouse.sql");

/// Why the warehouse could not be filled.
#[derive(Debug, thiserror::Error)]
#[error("could not load the demo's warehouse at \"{step}\": {source}")]
pub struct LoadError {
    step: String,
    source: tokio_postgres::Error,
}

async fn connect(port: u16, superuser_password: &str, database: &str) -> Result<Client, tokio_postgres::Error> {
    let mut config = tokio_postgres::Config::new();
    config.host("127.0.0.1").port(port).user(SUPERUSER).password(superuser_password).dbname(database);
    let (client, connection) = config.connect(NoTls).await?;
    tokio::spawn(connection);
    Ok(client)
}

/// Makes the database `warehouse` with all its data and the account `pgveil`. `progress` is told each step before it begins.
pub async fn load(
    port: u16,
    superuser_password: &str,
    account_password: &str,
    mut progress: impl FnMut(&str),
) -> Result<(), LoadError> {
    let at = |step: &str| {
        let step = step.to_owned();
        move |source| LoadError { step, source }
    };
    let server = connect(port, superuser_password, "postgres").await.map_err(at("connect"))?;
    server.batch_execute("CREATE DATABASE warehouse").await.map_err(at("create the database"))?;
    let warehouse = connect(port, superuser_password, "warehouse").await.map_err(at("connect"))?;
    for step in SCHEMA.split("-- step: ").skip(1) {
        let (name, sql) = step.split_once('\n').unwrap_or((step, ""));
        progress(name);
        warehouse.batch_execute(sql).await.map_err(at(name))?;
    }
    progress("pgveil's account");
    warehouse.batch_execute(&account_sql(account_password)).await.map_err(at("pgveil's account"))
}

/// The second wall: the account may read the published relations and nothing else.
fn account_sql(password: &str) -> String {
    let verifier = postgres_protocol::password::scram_sha_256(password.as_bytes());
    let relations: Vec<String> = CATALOG
        .iter()
        .map(|(file, _)| format!("public.{}", file.trim_end_matches(".toml").replace('/', "_")))
        .collect();
    format!(
        "CREATE ROLE pgveil LOGIN PASSWORD '{verifier}';\n\
         REVOKE ALL ON DATABASE warehouse FROM PUBLIC;\n\
         GRANT CONNECT ON DATABASE warehouse TO pgveil;\n\
         REVOKE CREATE ON SCHEMA public FROM PUBLIC;\n\
         GRANT USAGE ON SCHEMA public TO pgveil;\n\
         GRANT SELECT ON {} TO pgveil;",
        relations.join(", ")
    )
}
