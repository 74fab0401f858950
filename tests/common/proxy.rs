//! pgveil itself as a child process, in front of a private warehouse with the demo's data.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use pgveil::demo::postgres::{LocalPostgres, LocalPostgresOptions, SUPERUSER, free_port};
use pgveil::demo::{DemoFiles, USERS};

use super::guardian::Guardian;
use super::wire::{PATIENCE, Wire};

/// The mask key of every test.
pub const HASH_KEY: &str = "0123456789abcdef0123456789abcdef0123456789abcdef";
/// The superuser's password of every test's warehouse.
pub const SUPERUSER_PASSWORD: &str = "superuser-test";

/// A private server with the demo's warehouse in it.
pub struct Warehouse {
    pub server: LocalPostgres,
    pub account_password: String,
}

impl Warehouse {
    /// Starts a server and loads the demo's data.
    pub fn with_demo_data() -> Self {
        let options = LocalPostgresOptions {
            password: Some(SUPERUSER_PASSWORD.into()),
            // Each pgveil has a pool of its own, and cases run side by side.
            settings: vec![("max_connections".into(), "200".into())],
            ..Default::default()
        };
        let server = LocalPostgres::start(options).expect("a private PostgreSQL");
        let account_password = "account-test".to_owned();
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime
            .block_on(pgveil::demo::load(server.port(), SUPERUSER_PASSWORD, &account_password, |_| ()))
            .expect("the demo's data");
        Self { server, account_password }
    }

    /// A connection of the superuser, past pgveil.
    pub fn superuser(&self, database: &str) -> Wire {
        Wire::connect(self.server.port(), SUPERUSER, SUPERUSER_PASSWORD, database, &[]).expect("superuser")
    }

    /// How many statements run that hold this marker, which is an alias in them: other cases run theirs meanwhile.
    /// `waits` narrows it to those that wait for an event (`ClientWrite`: the client does not read).
    pub fn running(&self, marker: &str, waits: Option<&str>) -> usize {
        let waits = waits.map(|event| format!("AND wait_event = '{event}'")).unwrap_or_default();
        let sql = format!(
            "SELECT count(*) FROM pg_stat_activity \
             WHERE state = 'active' AND pid <> pg_backend_pid() AND query LIKE '%{marker}%' {waits}"
        );
        self.superuser("postgres").one(&sql).scalar().parse().unwrap()
    }
}

/// Waits until it holds; fails when that takes longer than any machine should need.
pub fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < deadline, "{what}");
        std::thread::sleep(Duration::from_millis(30));
    }
}

/// A running pgveil.
pub struct Proxy {
    pub child: Child,
    pub port: u16,
    pub http_port: u16,
    pub files: DemoFiles,
    log: PathBuf,
    guardian: Guardian,
    _dir: tempfile::TempDir,
}

impl Proxy {
    /// Writes the demo's files for the warehouse, lets `edit` change them, and starts `pgveil serve`.
    pub fn start(warehouse: &Warehouse, edit: impl FnOnce(&Path)) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let guardian = Guardian::of(dir.path());
        let (port, http_port) = (free_port().unwrap(), free_port().unwrap());
        let files = DemoFiles::write(dir.path(), port, http_port, warehouse.server.port(), &warehouse.account_password)
            .unwrap();
        std::fs::write(files.dir().join("secrets/hash.key"), HASH_KEY).unwrap();
        edit(files.dir());
        let log = files.dir().join("log");
        let mut proxy = Self { child: spawn(&files, &log), port, http_port, files, log, guardian, _dir: dir };
        proxy.wait_until_ready();
        proxy
    }

    /// Waits until it accepts connections; panics with its log when it ends instead.
    pub fn wait_until_ready(&mut self) {
        self.guardian.watch(&self.child);
        let deadline = Instant::now() + PATIENCE;
        loop {
            let ready = self.is_ready();
            // One that has ended did not answer: its port was taken by somebody else.
            if let Some(status) = self.child.try_wait().unwrap() {
                panic!("pgveil ended with {status}:\n{}", self.log());
            }
            if ready {
                return;
            }
            assert!(Instant::now() < deadline, "pgveil is not ready:\n{}", self.log());
            std::thread::sleep(Duration::from_millis(30));
        }
    }

    /// What /readyz says.
    pub fn is_ready(&self) -> bool {
        self.http("/readyz").is_some_and(|answer| answer.starts_with("HTTP/1.1 200"))
    }

    /// A GET on the HTTP side: status line, headers and body.
    pub fn http(&self, path: &str) -> Option<String> {
        use std::io::{Read, Write};
        let mut stream = std::net::TcpStream::connect(("127.0.0.1", self.http_port)).ok()?;
        write!(stream, "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        Some(answer)
    }

    /// Everything it logged.
    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Logs in as one of the demo's users.
    pub fn login(&self, user: &str) -> Wire {
        self.login_with(user, &[]).unwrap_or_else(|e| panic!("login as {user}: {e:?}"))
    }

    /// Logs in with start-up parameters.
    pub fn login_with(&self, user: &str, parameters: &[(&str, &str)]) -> Result<Wire, Box<super::wire::Answer>> {
        let password = USERS.iter().find(|u| u.name == user).expect("a demo user").password;
        Wire::connect(self.port, user, password, "warehouse", parameters)
    }

    /// The audit log's records so far.
    pub fn audit(&self) -> Vec<serde_json::Value> {
        let text = String::from_utf8_lossy(&std::fs::read(self.audit_path()).expect("the audit log")).into_owned();
        // What stands behind the last line's end is being written.
        let mut lines = text[..text.rfind('\n').map_or(0, |end| end + 1)].lines().peekable();
        let mut records = Vec::new();
        while let Some(line) = lines.next() {
            match serde_json::from_str(line) {
                Ok(record) => records.push(record),
                // A kill may tear a line; the log says so in the next.
                Err(error) => assert!(
                    lines.peek().is_some_and(|next| next.contains("\"event\":\"recovered\"")),
                    "{error}: {line}"
                ),
            }
        }
        records
    }

    /// The audit log's records, once every statement with this marker that was allowed has its outcome, and each of `events`
    /// has been recorded.
    pub fn settled(&self, marker: &str, events: &[&str]) -> Vec<serde_json::Value> {
        let mut all = Vec::new();
        eventually(&format!("the records of {marker}"), || {
            all = self.audit();
            let mut statements = all
                .iter()
                .filter(|r| r["event"] == "statement" && r["sql"].as_str().is_some_and(|sql| sql.contains(marker)))
                .peekable();
            statements.peek().is_some()
                && statements
                    .filter(|s| s["decision"] == "allow")
                    .all(|s| all.iter().any(|outcome| outcome["event"] == "outcome" && outcome["of"] == s["seq"]))
                && events.iter().all(|event| all.iter().any(|r| r["event"] == *event))
        });
        all
    }

    /// Where the audit log lies.
    pub fn audit_path(&self) -> PathBuf {
        self.files.dir().join("audit/audit.jsonl")
    }

    /// Sends a signal by its name.
    pub fn signal(&self, name: &str) {
        let status = Command::new("kill").arg(format!("-{name}")).arg(self.child.id().to_string()).status().unwrap();
        assert!(status.success());
    }

    /// Starts it again on the same files after it ended.
    pub fn restart(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        self.child = spawn(&self.files, &self.log);
        self.wait_until_ready();
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("pgveil's log:\n{}", self.log());
        }
    }
}

fn spawn(files: &DemoFiles, log: &Path) -> Child {
    let log = std::fs::OpenOptions::new().create(true).append(true).open(log).unwrap();
    Command::new(env!("CARGO_BIN_EXE_pgveil"))
        .args(["serve", "--config"])
        .arg(files.config())
        .stdin(Stdio::null())
        .stdout(log.try_clone().unwrap())
        .stderr(log)
        .spawn()
        .expect("pgveil starts")
}
