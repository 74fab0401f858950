//! A real PostgreSQL of a test's own: made, started, stopped and removed with a value of type [`TestPostgres`].
//!
//! A shell owns the server and its directory. It obeys commands on its standard input and cleans up at that pipe's end, so
//! that nothing stays behind when the test process dies, is killed or keeps the server in a static.

use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Write as _};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Mutex;

/// The superuser of every test server.
pub const SUPERUSER: &str = "postgres";

/// How a test server is set up.
#[derive(Clone, Debug)]
pub struct Setup {
    auth: String,
    password: Option<String>,
    tls: bool,
    tls_only: bool,
    settings: Vec<(String, String)>,
}

impl Default for Setup {
    fn default() -> Self {
        Self { auth: "trust".to_owned(), password: None, tls: false, tls_only: false, settings: Vec::new() }
    }
}

impl Setup {
    /// The method of pg_hba.conf for TCP, and the superuser's password.
    pub fn auth(mut self, method: &str, password: &str) -> Self {
        self.auth = method.to_owned();
        self.password = Some(password.to_owned());
        self
    }
    /// TLS, with a certificate for `localhost` and 127.0.0.1 of an authority of its own.
    pub fn tls(mut self) -> Self {
        self.tls = true;
        self
    }
    /// TLS, and no TCP without it.
    pub fn tls_only(mut self) -> Self {
        self.tls_only = true;
        self.tls()
    }
    /// A line of postgresql.conf.
    pub fn setting(mut self, name: &str, value: &str) -> Self {
        self.settings.push((name.to_owned(), value.to_owned()));
        self
    }
    /// Starts it. Panics with the server's log when that fails.
    pub fn start(self) -> TestPostgres {
        let mut failures = String::new();
        // Somebody else may take the port in between.
        for _ in 0..4 {
            match TestPostgres::launch(&self) {
                Ok(server) => return server,
                Err(failure) => failures = failure,
            }
        }
        panic!("PostgreSQL does not start: {failures}");
    }
}

/// A running server on 127.0.0.1.
pub struct TestPostgres {
    /// Where it listens on 127.0.0.1.
    pub port: u16,
    directory: PathBuf,
    password: Option<String>,
    authority: Option<tempfile::NamedTempFile>,
    shell: Mutex<Shell>,
    child: Child,
}

struct Shell {
    commands: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
}

const SCRIPT: &str = r#"
trap '' INT TERM HUP
umask 077
dir=$(mktemp -d /tmp/pgveil-test-XXXXXX) || exit 1
cd "$dir" || exit 1
pid=
launch() {
  "$BIN/postgres" -D "$dir/data" >>"$dir/log" 2>&1 </dev/null &
  pid=$!
  n=0
  while [ $n -lt 600 ]; do
    kill -0 $pid 2>/dev/null || { wait $pid; pid=; return 1; }
    "$BIN/pg_isready" -q -h "$dir" -p "$PORT" && return 0
    n=$((n + 1)); sleep 0.05
  done
  return 1
}
halt() { if [ -n "$pid" ]; then kill -"$1" $pid 2>/dev/null; wait $pid; pid=; fi; }
setup() {
  printf '%s' "$PASSWORD" >"$dir/password"
  set -- -D "$dir/data" -U postgres -E UTF8 --locale=C.UTF-8 --no-sync --auth-local=trust --auth-host="$AUTH"
  [ -z "$PASSWORD" ] || set -- "$@" --pwfile="$dir/password"
  "$BIN/initdb" "$@" >"$dir/log" 2>&1 || return 1
  rm "$dir/password"
  if [ -n "$CERTIFICATE" ]; then
    printf '%s' "$CERTIFICATE" >"$dir/data/server.crt"
    printf '%s' "$KEY" >"$dir/data/server.key"
  fi
  [ -z "$TLS_ONLY" ] || sed -i 's/^host  /hostssl  /; s/^host\t/hostssl\t/' "$dir/data/pg_hba.conf"
  printf 'unix_socket_directories = '"'%s'"'\n%s' "$dir" "$CONF" >>"$dir/data/postgresql.conf"
}
if setup && launch; then echo "ok $dir"; else echo failed; cat "$dir/log" >&2; rm -rf "$dir"; exit 1; fi
while read -r command; do
  case $command in
    start) if launch; then echo ok; else echo failed; fi ;;
    stop) halt INT; echo ok ;;
    kill) halt QUIT; echo ok ;;
    reload) kill -HUP $pid; echo ok ;;
  esac
done
halt QUIT
rm -rf "$dir"
"#;

impl TestPostgres {
    /// A server that trusts everybody, without TLS.
    pub fn start() -> Self {
        Setup::default().start()
    }
    /// To choose more.
    pub fn setup() -> Setup {
        Setup::default()
    }

    fn launch(setup: &Setup) -> Result<Self, String> {
        let port = free_port();
        let authority = setup.tls.then(Authority::new);
        let mut conf = String::new();
        let mut setting = |name: &str, value: &str| {
            let _ = writeln!(conf, "{name} = '{}'", value.replace('\'', "''"));
        };
        setting("listen_addresses", "127.0.0.1");
        setting("port", &port.to_string());
        // Nothing here has to survive a crash.
        for name in ["fsync", "full_page_writes", "synchronous_commit"] {
            setting(name, "off");
        }
        setting("shared_buffers", "32MB");
        setting("max_wal_size", "256MB");
        setting("max_connections", "100");
        setting("timezone", "UTC");
        if setup.tls {
            setting("ssl", "on");
        }
        setup.settings.iter().for_each(|(name, value)| setting(name, value));

        let mut child = unprivileged_shell()
            .env_clear()
            .env("PATH", "/usr/bin:/bin:/usr/sbin:/sbin")
            .env("LC_ALL", "C.UTF-8")
            .env("BIN", binaries())
            .env("PORT", port.to_string())
            .env("AUTH", &setup.auth)
            .env("PASSWORD", setup.password.as_deref().unwrap_or_default())
            .env("TLS_ONLY", if setup.tls_only { "1" } else { "" })
            .env("CERTIFICATE", authority.as_ref().map_or("", |authority| &authority.certificate))
            .env("KEY", authority.as_ref().map_or("", |authority| &authority.key))
            .env("CONF", conf)
            .current_dir("/tmp")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| error.to_string())?;
        let mut shell = Shell {
            commands: child.stdin.take(),
            answers: BufReader::new(child.stdout.take().ok_or("no standard output")?),
        };
        let Some(directory) = shell.answer().strip_prefix("ok ").map(PathBuf::from) else {
            let output = child.wait_with_output().map_err(|error| error.to_string())?;
            return Err(String::from_utf8_lossy(&output.stderr).into_owned());
        };
        // Nobody reads it from here on.
        drop(child.stderr.take());
        Ok(Self {
            port,
            directory,
            password: setup.password.clone(),
            authority: authority.map(|authority| authority.root),
            shell: Mutex::new(shell),
            child,
        })
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
        let mut child = Command::new(binaries().join("psql"))
            .args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-U", SUPERUSER, "-d", database])
            .arg("-h")
            .arg(&self.directory)
            .args(["-p", &self.port.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("psql runs");
        child.stdin.take().expect("its input is piped").write_all(sql.as_bytes()).expect("psql reads");
        let output = child.wait_with_output().expect("psql ends");
        assert!(output.status.success(), "{sql}\n{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).trim_end().to_owned()
    }
    /// What it has logged.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.directory.join("log")).unwrap_or_default()
    }
    /// Stops it; connections end with 57P01. [`Self::start_again`] brings it back on the same port.
    pub fn stop(&self) {
        self.command("stop");
    }
    /// Ends it as a crash would.
    pub fn kill(&self) {
        self.command("kill");
    }
    /// Starts it after [`Self::stop`] or [`Self::kill`].
    pub fn start_again(&self) {
        self.command("start");
    }
    fn command(&self, command: &str) {
        let mut shell = self.shell.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let commands = shell.commands.as_mut().expect("it is not being dropped");
        writeln!(commands, "{command}").expect("the shell reads");
        let answer = shell.answer();
        assert_eq!(answer, "ok", "{command}: {}", self.log());
    }
}

impl Shell {
    fn answer(&mut self) -> String {
        let mut line = String::new();
        let _ = self.answers.read_line(&mut line);
        line.trim_end().to_owned()
    }
}

impl Drop for TestPostgres {
    fn drop(&mut self) {
        self.shell.get_mut().unwrap_or_else(std::sync::PoisonError::into_inner).commands = None;
        let _ = self.child.wait();
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

/// A port of 127.0.0.1 that nobody listened on a moment ago.
pub fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a free port").port()
}

/// Where PostgreSQL's programs are: `PGVEIL_TEST_PG_BIN`, or the newest of Debian's.
pub fn binaries() -> PathBuf {
    if let Some(path) = std::env::var_os("PGVEIL_TEST_PG_BIN") {
        return path.into();
    }
    let mut versions: Vec<(u32, PathBuf)> = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| Some((entry.file_name().to_str()?.parse().ok()?, entry.path().join("bin"))))
        .filter(|(_, path)| path.join("initdb").exists())
        .collect();
    versions.sort();
    let newest = versions.pop().map(|(_, path)| path);
    newest.expect("PostgreSQL's server programs (Debian: postgresql), or PGVEIL_TEST_PG_BIN")
}

/// PostgreSQL refuses to run as root.
fn unprivileged_shell() -> Command {
    let root = std::fs::read_to_string("/proc/self/status").is_ok_and(|status| status.contains("\nUid:\t0\t"));
    if !root {
        let mut shell = Command::new("sh");
        shell.args(["-c", SCRIPT]);
        return shell;
    }
    let users = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    let user = if users.lines().any(|line| line.starts_with("postgres:")) { "postgres" } else { "nobody" };
    let mut shell = Command::new("runuser");
    shell.args(["-u", user, "--", "sh", "-c", SCRIPT]);
    shell
}

/// Each test binary uses a part of this file; this uses all of it.
const _: fn(TestPostgres) = |server| {
    let _ = TestPostgres::setup().auth("trust", "").tls_only().setting("fsync", "off").start();
    let _ = TestPostgres::start();
    let _ = (server.dsn("postgres"), server.sql("postgres", ""), server.log(), server.port);
    let _ = (server.socket_directory(), server.authority());
    server.stop();
    server.kill();
    server.start_again();
};
