//! pgveil itself as a child process, in front of a private warehouse with the demo's data.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use pgveil::demo::postgres::{LocalPostgres, LocalPostgresOptions, SUPERUSER, free_port};
use pgveil::demo::{DemoFiles, USERS};

use super::wire::Wire;

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
        let options = LocalPostgresOptions { password: Some(SUPERUSER_PASSWORD.into()), ..Default::default() };
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
}

/// A running pgveil.
pub struct Proxy {
    pub child: Child,
    pub port: u16,
    pub http_port: u16,
    pub files: DemoFiles,
    log: PathBuf,
    _dir: tempfile::TempDir,
}

impl Proxy {
    /// Writes the demo's files for the warehouse, lets `edit` change them, and starts `pgveil serve`.
    pub fn start(warehouse: &Warehouse, edit: impl FnOnce(&Path)) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let (port, http_port) = (free_port().unwrap(), free_port().unwrap());
        let files = DemoFiles::write(dir.path(), port, http_port, warehouse.server.port(), &warehouse.account_password)
            .unwrap();
        std::fs::write(files.dir().join("secrets/hash.key"), HASH_KEY).unwrap();
        edit(files.dir());
        let log = files.dir().join("log");
        let mut proxy = Self { child: spawn(&files, &log), port, http_port, files, log, _dir: dir };
        proxy.wait_until_ready();
        proxy
    }

    /// Waits until it accepts connections; panics with its log when it ends instead.
    pub fn wait_until_ready(&mut self) {
        let deadline = Instant::now() + Duration::from_secs(60);
        while !self.is_ready() {
            if let Some(status) = self.child.try_wait().unwrap() {
                panic!("pgveil ended with {status}:\n{}", self.log());
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
        let file = std::fs::File::open(self.audit_path()).expect("the audit log");
        BufReader::new(file).lines().map(|l| serde_json::from_str(&l.unwrap()).expect("a JSON line")).collect()
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
