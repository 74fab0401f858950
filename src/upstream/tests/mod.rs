//! Against a real PostgreSQL, and against scripted servers that answer what no PostgreSQL would.

mod connecting;
mod facts;
mod fakes;
mod pooling;
mod relaying;
mod talking;

use std::sync::OnceLock;
use std::time::Duration;

use tokio::time::timeout;

use crate::config::{SecretString, WarehouseConfig};
use crate::govern::permit::{Permit, PermitKind};

use super::connect::Target;
use super::test_postgres::TestPostgres;
use super::{Connection, Pool};

/// One server for all tests that need nothing special of it.
fn server() -> &'static TestPostgres {
    static SERVER: OnceLock<TestPostgres> = OnceLock::new();
    SERVER.get_or_init(TestPostgres::start)
}

fn config(dsn: &str) -> WarehouseConfig {
    WarehouseConfig {
        dsn: SecretString::new(dsn),
        password: None,
        pool_size: 2,
        acquire_timeout: Duration::from_secs(5),
        default_schema: "public".to_owned(),
        extension_schemas: Vec::new(),
    }
}

fn pool(server: &TestPostgres, size: usize) -> Pool {
    let config = WarehouseConfig { pool_size: size, ..config(&server.dsn("postgres")) };
    Pool::new("analytics".into(), &config, Vec::new()).unwrap()
}

async fn connect() -> Connection {
    Target::new(&config(&server().dsn("postgres")), Vec::new()).unwrap().connect().await.unwrap()
}

fn permit(sql: &str) -> Permit {
    Permit::for_test(PermitKind::Query, sql)
}

/// Frames as `tag` or, for rows, `D:first column`, for errors `E:sqlstate`, for CommandComplete `C:tag`, `Z:status`.
async fn answers(connection: &mut Connection) -> Vec<String> {
    let mut answers = Vec::new();
    while connection.is_waiting() {
        while let Some(frame) = connection.next_frame().unwrap() {
            answers.push(describe(frame.tag, frame.body()));
        }
        if connection.is_waiting() {
            timeout(Duration::from_secs(120), connection.fill()).await.expect("an answer").unwrap();
        }
    }
    answers
}

fn describe(tag: u8, body: &[u8]) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim_end_matches('\0').to_owned();
    match tag {
        b'D' => format!("D:{}", text(body.get(6..).unwrap_or_default())),
        b'E' => format!("E:{}", crate::wire::answer::Report::parse(body).unwrap().sqlstate().unwrap()),
        b'C' | b'Z' => format!("{}:{}", char::from(tag), text(body)),
        _ => char::from(tag).to_string(),
    }
}
