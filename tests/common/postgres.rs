//! A real PostgreSQL of a test's own: the library's private server, with what tests ask of it.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};

use pgveil::demo::postgres::{LocalPostgres, LocalPostgresOptions, find_binaries};

pub use pgveil::demo::postgres::{SUPERUSER, free_port};

/// How a test server is set up.
#[derive(Clone, Debug, Default)]
pub struct Setup {
    options: LocalPostgresOptions,
    tls: bool,
}

impl Setup {
    /// The method of pg_hba.conf for TCP, and the superuser's password.
    pub fn auth(mut self, method: &str, password: &str) -> Self {
        self.options.auth = Some(method.to_owned());
        self.options.password = Some(password.to_owned());
        self
    }
    /// TLS, with a certificate for `localhost` and 127.0.0.1 of an authority of its own.
    pub fn tls(mut self) -> Self {
        self.tls = true;
        self
    }
    /// TLS, and no TCP without it.
    pub fn tls_only(mut self) -> Self {
        self.options.tls_only = true;
        self.tls()
    }
    /// A line of postgresql.conf.
    pub fn setting(mut self, name: &str, value: &str) -> Self {
        self.options.settings.push((name.to_owned(), value.to_owned()));
        self
    }
    /// Starts it. Panics with the server's log when that fails.
    pub fn start(mut self) -> TestPostgres {
        for (name, value) in [
            ("full_page_writes", "off"),
            ("synchronous_commit", "off"),
            ("shared_buffers", "32MB"),
            ("max_wal_size", "256MB"),
            ("max_connections", "100"),
            ("timezone", "UTC"),
        ] {
            self.options.settings.insert(0, (name.to_owned(), value.to_owned()));
        }
        self.options.socket = true;
        let authority = self.tls.then(Authority::new);
        self.options.tls = authority.as_ref().map(|a| (a.certificate.clone(), a.key.clone()));
        let password = self.options.password.clone();
        let server = LocalPostgres::start(self.options).unwrap_or_else(|error| panic!("{error}"));
        let (port, directory) = (server.port(), server.root().to_owned());
        let authority = authority.map(|authority| authority.root);
        TestPostgres { port, directory, password, authority, server: Mutex::new(server) }
    }
}

/// A running server on 127.0.0.1. Its guardian stops it when the test process ends, so that it may lie in a static.
pub struct TestPostgres {
    /// Where it listens on 127.0.0.1.
    pub port: u16,
    directory: PathBuf,
    password: Option<String>,
    authority: Option<tempfile::NamedTempFile>,
    server: Mutex<LocalPostgres>,
}

impl TestPostgres {
    /// A server that trusts everybody, without TLS.
    pub fn start() -> Self {
        Setup::default().start()
    }
    /// To choose more.
    pub fn setup() -> Setup {
        Setup::default()
    }
    /// A DSN of the superuser over TCP, with his password where he has one.
    pub fn dsn(&self, database: &str) -> String {
        self.dsn_of(SUPERUSER, self.password.as_deref(), database)
    }
    /// A DSN of a user over TCP.
    pub fn dsn_of(&self, user: &str, password: Option<&str>, database: &str) -> String {
        let password = password.map(|password| format!(":{password}")).unwrap_or_default();
        format!("postgres://{user}{password}@127.0.0.1:{}/{database}", self.port)
    }
    /// The directory of its socket file.
    pub fn socket_directory(&self) -> &Path {
        &self.directory
    }
    /// The PEM file of the authority of its certificate.
    pub fn authority(&self) -> &Path {
        self.authority.as_ref().expect("a server with TLS").path()
    }
    /// Runs SQL as the superuser with psql and gives its unaligned output. Panics when it fails.
    pub fn sql(&self, database: &str, sql: &str) -> String {
        self.psql(database, "", sql).unwrap_or_else(|error| panic!("{sql}\n{error}"))
    }
    /// Runs SQL with options of the connection; each row a line, its columns divided by tabs.
    pub fn rows(&self, options: &str, sql: &str) -> Result<Vec<Vec<String>>, String> {
        let text = self.psql("postgres", options, sql)?;
        Ok(text.lines().map(|line| line.split('\t').map(str::to_owned).collect()).collect())
    }
    fn psql(&self, database: &str, options: &str, sql: &str) -> Result<String, String> {
        let mut child = Command::new(psql())
            .env("PGOPTIONS", options)
            .args(["-X", "-q", "-A", "-t", "-F", "\t", "-v", "ON_ERROR_STOP=1", "-U", SUPERUSER, "-d", database])
            .arg("-h")
            .arg(&self.directory)
            .args(["-p", &self.port.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("psql runs");
        // It may end before it has read everything, with an error to show.
        let _ = child.stdin.take().expect("its input is piped").write_all(sql.as_bytes());
        let output = child.wait_with_output().expect("psql ends");
        if !output.status.success() {
            return Err(String::from_utf8_lossy(&output.stderr).into_owned());
        }
        Ok(String::from_utf8_lossy(&output.stdout).trim_end_matches('\n').to_owned())
    }
    /// Waits until a statement is asleep in this backend: a cancel that comes before it began would hit nothing.
    pub fn wait_until_asleep(&self, pid: i32) {
        let sql = format!("SELECT count(*) FROM pg_stat_activity WHERE pid = {pid} AND wait_event = 'PgSleep'");
        let deadline = std::time::Instant::now() + std::time::Duration::from_secs(60);
        while self.sql("postgres", &sql) != "1" {
            assert!(std::time::Instant::now() < deadline, "backend {pid} does not sleep");
        }
    }
    /// Stops it; connections end with 57P01. [`Self::start_again`] brings it back on the same port.
    pub fn stop(&self) {
        self.server().shut_down();
    }
    /// Ends it as a crash would.
    pub fn kill(&self) {
        self.server().kill();
    }
    /// Starts it after [`Self::stop`] or [`Self::kill`].
    pub fn start_again(&self) {
        self.server().restart().unwrap_or_else(|error| panic!("{error}"));
    }
    fn server(&self) -> MutexGuard<'_, LocalPostgres> {
        self.server.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A certificate authority and what it signed.
struct Authority {
    root: tempfile::NamedTempFile,
    certificate: String,
    key: String,
}

impl Authority {
    fn new() -> Self {
        use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
        let root_key = KeyPair::generate().expect("a key");
        let mut params = CertificateParams::new(Vec::<String>::new()).expect("parameters");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, "pgveil test authority");
        let root = params.self_signed(&root_key).expect("a root certificate");
        let issuer = Issuer::new(params, root_key);
        let key = KeyPair::generate().expect("a key");
        let names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
        let mut params = CertificateParams::new(names).expect("parameters");
        params.distinguished_name.push(DnType::CommonName, "localhost");
        let certificate = params.signed_by(&key, &issuer).expect("a certificate");
        let mut file = tempfile::NamedTempFile::new().expect("a file");
        file.write_all(root.pem().as_bytes()).expect("it is written");
        Self { root: file, certificate: certificate.pem(), key: key.serialize_pem() }
    }
}

/// A port of 127.0.0.1 that nobody listens on, and that nobody else can take while this lives.
pub struct Nobody(socket2::Socket);

impl Nobody {
    pub fn listens() -> Self {
        let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).expect("a socket");
        socket.bind(&std::net::SocketAddr::from(([127, 0, 0, 1], 0)).into()).expect("a free port");
        Self(socket)
    }
    pub fn port(&self) -> u16 {
        self.0.local_addr().ok().and_then(|address| address.as_socket()).expect("an address").port()
    }
}

/// The psql of the server's version, where it is installed beside the server.
pub fn psql() -> PathBuf {
    let beside = find_binaries().map(|directory| directory.join("psql"));
    beside.filter(|path| path.exists()).unwrap_or_else(|| "psql".into())
}

/// Each test binary uses a part of this file; this uses all of it.
const _: fn(TestPostgres) = |server| {
    let _ = TestPostgres::setup().auth("trust", "").tls_only().setting("fsync", "off").start();
    let _ = TestPostgres::start();
    let _ = (server.dsn("postgres"), server.sql("postgres", ""), server.rows("", ""), server.port);
    let _ = (server.socket_directory(), server.authority(), free_port(), Nobody::listens().port());
    server.wait_until_asleep(0);
    server.stop();
    server.kill();
    server.start_again();
};
