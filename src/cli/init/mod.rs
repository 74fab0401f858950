//! `pgveil init`: the three files for one's own warehouse, with one user and one draft product.

mod draft;
mod files;

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use clap::Args;
use tokio_postgres::Client;

use crate::config::{SecretString, WarehouseConfig};
use crate::document::{SourceFile, Unset, Variables};
use crate::sources::SourceTexts;
use crate::upstream::connect::Target;
use crate::upstream::control_plane;

use draft::Table;

/// Arguments of `pgveil init`.
#[derive(Clone, Debug, Args)]
pub struct InitArgs {
    /// The warehouse, as postgres://USER@HOST:PORT/DATABASE; a password in it is not written down
    #[arg(long, value_name = "URL", env = "PGVEIL_INIT_DSN", hide_env_values = true)]
    pub dsn: String,
    /// Where the files are written; none of them may be there
    #[arg(value_name = "DIR")]
    pub dir: PathBuf,
}

/// How long one look at the warehouse's catalogs may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// The user that the files define.
const USER: &str = "analyst";

/// Reads the warehouse and writes the files.
pub async fn run(args: &InitArgs) -> ExitCode {
    match init(args).await {
        Ok(message) => match write!(std::io::stdout().lock(), "{message}") {
            Ok(()) => ExitCode::SUCCESS,
            Err(_) => ExitCode::FAILURE,
        },
        Err(error) => {
            eprintln!("pgveil: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn init(args: &InitArgs) -> Result<String, String> {
    refuse_to_overwrite(&args.dir)?;
    let client = connect(&args.dsn).await?;
    let table = first_table(&client).await?;
    let password = URL_SAFE_NO_PAD.encode(rand::random::<[u8; 15]>());
    let verifier = super::hash_password::verifier(&password).map_err(|e| e.to_string())?;
    let texts = compose(&args.dir, &args.dsn, &verifier, &table)?;
    write_all(&args.dir, &texts)?;
    Ok(files::next_steps(&args.dir, &args.dsn, USER, &password, &table))
}

fn refuse_to_overwrite(dir: &Path) -> Result<(), String> {
    for name in ["pgveil.toml", "policy.toml", "catalog"] {
        let path = dir.join(name);
        if fs::symlink_metadata(&path).is_ok() {
            return Err(format!("{} is there already; name another directory", path.display()));
        }
    }
    Ok(())
}

/// The files' texts, proven to load before any of them is written.
fn compose(dir: &Path, dsn: &str, verifier: &str, table: &Table) -> Result<SourceTexts, String> {
    let id = &table.id;
    let product = dir.join("catalog").join(id.domain().as_str()).join(format!("{}.toml", id.product()));
    let texts = SourceTexts {
        server: SourceFile::new(dir.join("pgveil.toml"), files::server(dsn)?),
        policy: vec![SourceFile::new(dir.join("policy.toml"), files::policy(USER, verifier))],
        catalog: vec![SourceFile::new(product, draft::product(table))],
    };
    match texts.clone().compile(&Unknown, Unset::Warning) {
        Ok(_) => Ok(texts),
        Err(findings) => Err(format!("no valid files can be made for this warehouse:\n{findings}")),
    }
}

/// The new files name one variable, whose value is the operator's.
struct Unknown;

impl Variables for Unknown {
    fn variable(&self, _: &str) -> Option<String> {
        None
    }
    fn file(&self, _: &Path) -> Result<String, String> {
        Err("it is not read now".to_owned())
    }
}

fn write_all(dir: &Path, texts: &SourceTexts) -> Result<(), String> {
    let files = [&texts.server].into_iter().chain(&texts.policy).chain(&texts.catalog);
    for file in files {
        let failed = |e: std::io::Error| format!("{} cannot be written: {e}", file.path.display());
        fs::create_dir_all(file.path.parent().unwrap_or(dir)).map_err(failed)?;
        let mut created = fs::File::create_new(&file.path).map_err(failed)?;
        created.write_all(file.text.as_bytes()).map_err(failed)?;
    }
    Ok(())
}

/// Connects as the control plane does: read only, with the same TLS.
async fn connect(dsn: &str) -> Result<Client, String> {
    let config = WarehouseConfig {
        dsn: SecretString::new(dsn),
        password: None,
        pool_size: 1,
        acquire_timeout: PATIENCE,
        default_schema: "public".to_owned(),
        extension_schemas: Vec::new(),
    };
    let target = Target::new(&config, Vec::new())?;
    control_plane::connect(&target, PATIENCE).await.map_err(|e| e.to_string())
}

/// The server's own words, else the whole chain of causes.
fn reason(error: &tokio_postgres::Error) -> String {
    if let Some(server) = error.as_db_error() {
        return server.message().to_owned();
    }
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(next) = cause {
        text = format!("{text}: {next}");
        cause = next.source();
    }
    text
}

async fn first_table(client: &Client) -> Result<Table, String> {
    let failed = |e: tokio_postgres::Error| format!("the warehouse's tables cannot be read: {}", reason(&e));
    let row = client.query_opt(draft::FIRST_RELATION, &[]).await.map_err(failed)?;
    let Some(row) = row else {
        return Err("the account may read no table; grant it USAGE on a schema and SELECT on a table".to_owned());
    };
    let oid: u32 = row.try_get(0).map_err(failed)?;
    let name: String = row.try_get(2).map_err(failed)?;
    Ok(Table {
        id: draft::product_id(&name).ok_or_else(|| format!("no product can be named after {name}"))?,
        schema: row.try_get(1).map_err(failed)?,
        name,
        comment: row.try_get(3).map_err(failed)?,
        columns: draft::columns(client, oid).await.map_err(failed)?,
    })
}

#[cfg(test)]
mod tests {
    use super::draft::Column;
    use super::*;

    fn table() -> Table {
        let column = |name: &str, type_name: &str, not_null| Column {
            name: name.to_owned(),
            type_name: type_name.to_owned(),
            type_kind: "b".to_owned(),
            category: "S".to_owned(),
            not_null,
            comment: (name == "email").then(|| "where \"mail\" goes, not ${HOME}".to_owned()),
        };
        Table {
            id: draft::product_id("Web Orders").unwrap(),
            schema: "public".to_owned(),
            name: "Web Orders".to_owned(),
            comment: None,
            columns: vec![column("id", "int8", true), column("email", "text", false), column("area", "point", false)],
        }
    }

    const DSN: &str = "postgres://pg%20veil:hunter2@db.example.com:5433/my-shop?sslmode=require&password=hunter2";

    fn verifier() -> String {
        crate::cli::hash_password::verifier("x").unwrap()
    }

    #[test]
    fn the_files_load_and_hold_no_password() {
        let texts = compose(Path::new("/x"), DSN, &verifier(), &table()).unwrap();
        let all = format!("{}{}{}", texts.server.text, texts.policy[0].text, texts.catalog[0].text);
        assert!(!all.contains("hunter2"), "{all}");
        assert!(texts.server.text.contains("postgres://pg%20veil@db.example.com:5433/my-shop?sslmode=require\""));
        let (sources, _) = texts.compile(&Unknown, Unset::Warning).unwrap();
        let product = sources.catalog.iter().next().unwrap();
        assert_eq!(product.id.to_string(), "main.web_orders");
        assert_eq!(product.relation.name, "Web Orders");
        assert_eq!(product.status, crate::catalog::Status::Draft);
        let names: Vec<_> = product.columns.iter().map(|c| (c.name.as_str(), &c.pii)).collect();
        // A point has no contract type: it stands in the file as a comment.
        assert_eq!(names, [("id", &crate::catalog::Pii::No), ("email", &crate::catalog::Pii::Yes)]);
        assert_eq!(product.columns[1].description, "where \"mail\" goes, not ${HOME}");
    }

    #[test]
    fn any_table_gives_an_id() {
        for (name, id) in
            [("Orders", "main.orders"), ("1st_x", "main.st_x"), ("ÄÖ", "main.first_product"), ("a-b", "main.a_b")]
        {
            assert_eq!(draft::product_id(name).unwrap().to_string(), id);
        }
        assert!(draft::product_id(&"x".repeat(63)).unwrap().flat_name().len() <= 63);
    }

    #[test]
    fn nothing_is_overwritten() {
        for name in ["pgveil.toml", "policy.toml", "catalog"] {
            let dir = tempfile::tempdir().unwrap();
            fs::write(dir.path().join(name), "mine").unwrap();
            let error = refuse_to_overwrite(dir.path()).unwrap_err();
            assert!(error.contains(name), "{error}");
            let texts = compose(dir.path(), DSN, &verifier(), &table()).unwrap();
            assert!(write_all(dir.path(), &texts).is_err());
            assert_eq!(fs::read_to_string(dir.path().join(name)).unwrap(), "mine");
        }
    }

    #[test]
    fn what_is_written_is_what_check_reads() {
        let dir = tempfile::tempdir().unwrap();
        let texts = compose(dir.path(), DSN, &verifier(), &table()).unwrap();
        write_all(dir.path(), &texts).unwrap();
        let (sources, _) = crate::sources::load(&dir.path().join("pgveil.toml"), Unset::Warning).unwrap();
        assert_eq!((sources.catalog.len(), sources.policy.users.len()), (1, 1));
    }

    #[tokio::test]
    async fn a_dsn_that_leads_nowhere_is_told_without_it() {
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let error = connect(&format!("postgres://u:hunter2@127.0.0.1:{free}/x")).await.err().unwrap();
        assert!(error.contains("127.0.0.1") && !error.contains("hunter2"), "{error}");
        let error = connect("postgres://u:hunter2@h:port/x").await.err().unwrap();
        assert!(error.contains("the DSN cannot be read") && !error.contains("hunter2"), "{error}");
    }

    #[tokio::test]
    async fn a_real_warehouse_gives_files_that_load() {
        let server = crate::upstream::test_postgres::Setup::default().start();
        server.sql("postgres", "CREATE DATABASE shop");
        server.sql(
            "shop",
            "CREATE TYPE tier AS ENUM ('a'); CREATE DOMAIN mail AS varchar(80) NOT NULL;
             CREATE TABLE orders (id bigint PRIMARY KEY, tier tier, customer_mail mail, tags text[], place point,
                                  gone int, at timestamptz DEFAULT now());
             ALTER TABLE orders DROP COLUMN gone;
             COMMENT ON TABLE orders IS 'Every order.'; COMMENT ON COLUMN orders.at IS 'When';
             CREATE VIEW a_view AS SELECT 1 AS x;",
        );
        let dir = tempfile::tempdir().unwrap();
        let args = InitArgs { dsn: server.dsn("shop"), dir: dir.path().to_owned() };
        let message = init(&args).await.unwrap();
        assert!(message.contains("with public.orders as the draft main.orders"), "{message}");
        let (sources, _) = crate::sources::load(&dir.path().join("pgveil.toml"), Unset::Warning).unwrap();
        let product = sources.catalog.iter().next().unwrap();
        assert_eq!(product.description, "Every order.");
        let columns: Vec<_> = product
            .columns
            .iter()
            .map(|c| (c.name.as_str(), c.contract_type, c.nullable, c.pii == crate::catalog::Pii::Yes))
            .collect();
        use crate::catalog::ContractType::{Array, Integer, String, Timestamp};
        assert_eq!(
            columns,
            [
                ("id", Integer, false, false),
                ("tier", String, true, false),
                ("customer_mail", String, false, true),
                ("tags", Array, true, false),
                ("at", Timestamp, true, false),
            ]
        );
        let password = message.split("password ").nth(1).unwrap().split(' ').next().unwrap();
        assert_eq!(password.len(), 20);
        assert!(sources.policy.users[USER].password.is_some());
        let again = init(&args).await.unwrap_err();
        assert!(again.contains("is there already"), "{again}");
    }

    #[tokio::test]
    async fn an_empty_warehouse_is_told() {
        let server = crate::upstream::test_postgres::Setup::default().start();
        let dir = tempfile::tempdir().unwrap();
        let args = InitArgs { dsn: server.dsn("postgres"), dir: dir.path().to_owned() };
        let error = init(&args).await.unwrap_err();
        assert!(error.contains("may read no table"), "{error}");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    }
}
