//! A private PostgreSQL server from the machine's own binaries: started in a directory of its own, stopped and removed
//! when it is dropped, or when its process dies. The demo's warehouse and the tests' servers are made of it.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs;
use std::io::{self, Read, Seek};
use std::net::TcpListener;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::guardian::{self, Guardian};

/// The name of the superuser of every private server.
pub const SUPERUSER: &str = "postgres";

/// A busy machine may need long for initdb's and the server's start.
const START_LIMIT: Duration = Duration::from_secs(120);

/// Why a private server could not be started.
#[derive(Debug, thiserror::Error)]
pub enum LocalPostgresError {
    /// No binaries on this machine.
    #[error(
        "no PostgreSQL server binaries found (looked for initdb in PATH and /usr/lib/postgresql/*/bin); \
         install the package postgresql-15, or run `make demo`, which does"
    )]
    NoBinaries,
    /// Postgres refuses to run as root, and there is nobody else to run it.
    #[error(
        "PostgreSQL does not run as root, and this machine has neither a user \"postgres\" nor \"nobody\" to run it as"
    )]
    NoUnprivilegedUser,
    /// The file system said no.
    #[error("{what}: {source}")]
    Io {
        /// What was tried.
        what: String,
        /// What came of it.
        source: io::Error,
    },
    /// initdb or the server ended with an error.
    #[error("{what} failed:\n{output}")]
    Failed {
        /// Which program.
        what: &'static str,
        /// What it printed.
        output: String,
    },
}

fn io_error(what: impl Into<String>) -> impl FnOnce(io::Error) -> LocalPostgresError {
    let what = what.into();
    move |source| LocalPostgresError::Io { what, source }
}

/// How a private server is set up.
#[derive(Clone, Debug, Default)]
pub struct LocalPostgresOptions {
    /// The superuser's password; `None`: connections over loopback are trusted.
    pub password: Option<String>,
    /// The method of pg_hba.conf for TCP where there is a password; `None`: scram-sha-256.
    pub auth: Option<String>,
    /// A socket file in [`LocalPostgres::root`], over which everybody is trusted.
    pub socket: bool,
    /// Lines of postgresql.conf beyond the defaults.
    pub settings: Vec<(String, String)>,
    /// Certificate chain and key in PEM: the server speaks TLS with them.
    pub tls: Option<(String, String)>,
    /// No TCP without TLS.
    pub tls_only: bool,
}

/// A running private server.
#[derive(Debug)]
pub struct LocalPostgres {
    binaries: PathBuf,
    root: PathBuf,
    port: u16,
    options: LocalPostgresOptions,
    user: Option<(u32, u32)>,
    server: Option<Child>,
    /// Dropped last: what it guards is gone by then.
    guardian: Option<Guardian>,
    _lock: fs::File,
}

impl LocalPostgres {
    /// Makes a new cluster in a directory of its own and starts it on a free port of 127.0.0.1.
    pub fn start(options: LocalPostgresOptions) -> Result<Self, LocalPostgresError> {
        let binaries = find_binaries().ok_or(LocalPostgresError::NoBinaries)?;
        let user = unprivileged_user()?;
        let (root, lock) = guardian::own_directory()
            .map_err(io_error(format!("could not make a directory under {}", std::env::temp_dir().display())))?;
        let mut server = Self { binaries, root, port: 0, options, user, server: None, guardian: None, _lock: lock };
        server.hand_over(&server.root, 0o700)?;
        server.guardian =
            Some(Guardian::begin(server.program("/bin/sh"), &server.root).map_err(io_error("could not run /bin/sh"))?);
        let owner = fs::metadata(&server.root).map_err(io_error("could not read the directory"))?.uid();
        guardian::clean_up_after_the_dead(owner, || server.program("/bin/sh"));
        server.initialise()?;
        server.launch()?;
        Ok(server)
    }

    /// The port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The directory of the cluster and its log.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Stops the server at once, as a crash would, and waits until it is gone.
    pub fn kill(&mut self) {
        self.stop("immediate");
    }

    /// Stops it in order: its connections end with 57P01.
    pub fn shut_down(&mut self) {
        self.stop("fast");
    }

    /// Starts it (again) on the same port.
    pub fn restart(&mut self) -> Result<(), LocalPostgresError> {
        self.shut_down();
        self.launch_on_port()
    }

    fn data(&self) -> PathBuf {
        self.root.join("data")
    }

    fn command(&self, program: &str) -> Command {
        self.program(self.binaries.join(program))
    }

    fn program(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(program);
        command
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .env("LC_ALL", "C.UTF-8")
            .current_dir(&self.root)
            .stdin(Stdio::null());
        // Its own process group: a Ctrl-C at the terminal is for pgveil, which then stops the server in order.
        command.process_group(0);
        if let Some((uid, gid)) = self.user {
            command.uid(uid).gid(gid);
        }
        command
    }

    fn hand_over(&self, path: &Path, mode: u32) -> Result<(), LocalPostgresError> {
        fs::set_permissions(path, fs::Permissions::from_mode(mode))
            .and_then(|()| self.user.map_or(Ok(()), |(uid, gid)| chown(path, Some(uid), Some(gid))))
            .map_err(io_error(format!("could not hand {} to the server's user", path.display())))
    }

    fn write(&self, name: &str, content: &str) -> Result<PathBuf, LocalPostgresError> {
        let path = self.root.join(name);
        fs::write(&path, content).map_err(io_error(format!("could not write {}", path.display())))?;
        self.hand_over(&path, 0o600)?;
        Ok(path)
    }

    fn initialise(&self) -> Result<(), LocalPostgresError> {
        let mut initdb = self.command("initdb");
        initdb.args(["--encoding=UTF8", "--locale=C.UTF-8", "--no-sync", "-U", SUPERUSER, "-D"]).arg(self.data());
        match &self.options.password {
            Some(password) => {
                let file = self.write("password", password)?;
                let method = self.options.auth.as_deref().unwrap_or("scram-sha-256");
                let local = if self.options.socket { "trust" } else { "scram-sha-256" };
                initdb.arg(format!("--auth-host={method}")).arg(format!("--auth-local={local}"));
                initdb.arg(format!("--pwfile={}", file.display()));
            }
            None => {
                initdb.arg("--auth=trust");
            }
        }
        let output = initdb.output().map_err(io_error("could not run initdb"))?;
        let _ = fs::remove_file(self.root.join("password"));
        if !output.status.success() {
            let output = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
            return Err(LocalPostgresError::Failed { what: "initdb", output });
        }
        if self.options.tls_only {
            let rules = self.data().join("pg_hba.conf");
            let text = fs::read_to_string(&rules).map_err(io_error("could not read pg_hba.conf"))?;
            let text = text.replace("\nhost ", "\nhostssl ");
            fs::write(&rules, text).map_err(io_error("could not write pg_hba.conf"))?;
        }
        Ok(())
    }

    fn launch(&mut self) -> Result<(), LocalPostgresError> {
        // A free port can be taken between the look and the start: then another one is tried.
        for _ in 0..5 {
            self.port = free_port().map_err(io_error("no free port on 127.0.0.1"))?;
            match self.launch_on_port() {
                Err(LocalPostgresError::Failed { output, .. }) if output.contains("Address already in use") => {}
                other => return other,
            }
        }
        self.launch_on_port()
    }

    fn launch_on_port(&mut self) -> Result<(), LocalPostgresError> {
        let mut postgres = self.command("postgres");
        postgres.arg("-D").arg(self.data()).args(["-h", "127.0.0.1", "-p", &self.port.to_string(), "-k"]);
        postgres.arg(if self.options.socket { self.root.as_os_str() } else { OsStr::new("") });
        let mut set = |name: &str, value: &str| {
            postgres.arg("-c").arg(format!("{name}={value}"));
        };
        set("fsync", "off");
        set("max_connections", "60");
        set("logging_collector", "off");
        if let Some((cert, key)) = &self.options.tls {
            set("ssl", "on");
            set("ssl_cert_file", &self.write("server.crt", cert)?.display().to_string());
            set("ssl_key_file", &self.write("server.key", key)?.display().to_string());
        }
        for (name, value) in &self.options.settings {
            set(name, value);
        }
        let log_path = self.root.join("log");
        let mut log = fs::File::create_new(&log_path)
            .or_else(|_| fs::OpenOptions::new().append(true).read(true).open(&log_path))
            .map_err(io_error("could not open the server's log"))?;
        let start_of_log = log.seek(io::SeekFrom::End(0)).unwrap_or(0);
        let clone = || log.try_clone().map_err(io_error("could not open the server's log"));
        let child = postgres.stdout(clone()?).stderr(clone()?).spawn().map_err(io_error("could not run postgres"))?;
        self.server = Some(child);
        self.wait_until_ready(&log_path, start_of_log)
    }

    fn wait_until_ready(&mut self, log: &Path, start_of_log: u64) -> Result<(), LocalPostgresError> {
        let deadline = Instant::now() + START_LIMIT;
        loop {
            let mut text = String::new();
            if let Ok(mut file) = fs::File::open(log) {
                let _ = file.seek(io::SeekFrom::Start(start_of_log)).and_then(|_| file.read_to_string(&mut text));
            }
            let ended = self.server.as_mut().is_none_or(|s| !matches!(s.try_wait(), Ok(None)));
            if text.contains("database system is ready to accept connections") && !ended {
                return Ok(());
            }
            if ended || Instant::now() > deadline {
                self.stop("immediate");
                return Err(LocalPostgresError::Failed { what: "postgres", output: text });
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn stop(&mut self, mode: &str) {
        let Some(mut server) = self.server.take() else { return };
        let mut pg_ctl = self.command("pg_ctl");
        pg_ctl
            .args(["stop", "-s", "-w", "-t", "20", "-m", mode, "-D"])
            .arg(self.data())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        if !pg_ctl.status().is_ok_and(|s| s.success()) {
            let _ = server.kill();
        }
        let _ = server.wait();
    }
}

impl Drop for LocalPostgres {
    fn drop(&mut self) {
        self.stop("immediate");
        let _ = fs::remove_dir_all(&self.root);
    }
}

/// The directory with initdb and postgres: PATH first, then Debian's, of these 15 and then the newest.
pub fn find_binaries() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let in_path = std::env::split_paths(&path)
        .filter_map(|dir| fs::canonicalize(dir.join("initdb")).ok()?.parent().map(Path::to_owned));
    let mut debian: Vec<(u32, PathBuf)> = fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| Some((entry.file_name().to_str()?.parse().ok()?, entry.path().join("bin"))))
        .collect();
    // The version that the rest of pgveil was held against, then the newest.
    debian.sort_by_key(|(version, _)| (*version == 15, *version));
    in_path
        .chain(debian.into_iter().rev().map(|(_, dir)| dir))
        .find(|dir| dir.join("initdb").is_file() && dir.join("postgres").is_file())
}

/// A port of 127.0.0.1 that nobody listens on now, from below those that the system gives to outgoing connections: nobody
/// gets it by chance between this look and its use. None is given twice.
pub fn free_port() -> io::Result<u16> {
    static GIVEN: Mutex<BTreeSet<u16>> = Mutex::new(BTreeSet::new());
    let mut given = GIVEN.lock().unwrap_or_else(PoisonError::into_inner);
    for _ in 0..100 {
        let port = rand::random_range(12_000..32_000);
        if TcpListener::bind(("127.0.0.1", port)).is_ok() && given.insert(port) {
            return Ok(port);
        }
    }
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

/// Whom to run the server as: `None` when we are not root.
pub fn unprivileged_user() -> Result<Option<(u32, u32)>, LocalPostgresError> {
    let own = fs::metadata("/proc/self").map_err(io_error("could not read /proc/self"))?.uid();
    if own != 0 {
        return Ok(None);
    }
    let passwd = fs::read_to_string("/etc/passwd").map_err(io_error("could not read /etc/passwd"))?;
    let find = |name: &str| {
        passwd.lines().find_map(|line| {
            let mut fields = line.split(':');
            let (user, _, uid, gid) = (fields.next()?, fields.next()?, fields.next()?, fields.next()?);
            (user == name).then_some((uid.parse().ok()?, gid.parse().ok()?))
        })
    };
    ["postgres", "nobody"].into_iter().find_map(find).map(Some).ok_or(LocalPostgresError::NoUnprivilegedUser)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_private_server_starts_stops_and_leaves_nothing_behind() {
        let mut server = LocalPostgres::start(LocalPostgresOptions::default()).unwrap();
        let (root, port) = (server.root().to_owned(), server.port());
        assert!(std::net::TcpStream::connect(("127.0.0.1", port)).is_ok());
        server.kill();
        assert!(std::net::TcpStream::connect(("127.0.0.1", port)).is_err());
        server.restart().unwrap();
        assert_eq!(server.port(), port);
        assert!(std::net::TcpStream::connect(("127.0.0.1", port)).is_ok());
        drop(server);
        assert!(!root.exists());
        assert!(std::net::TcpStream::connect(("127.0.0.1", port)).is_err());
    }

    fn is_gone((root, port): &(PathBuf, u16)) -> bool {
        !root.exists() && std::net::TcpStream::connect(("127.0.0.1", *port)).is_err()
    }

    #[test]
    fn a_server_does_not_outlive_its_process() {
        let mut server = LocalPostgres::start(LocalPostgresOptions::default()).unwrap();
        let left = (server.root.clone(), server.port);
        assert!(!is_gone(&left));
        // A dead process does not say that it is done.
        server.guardian.take().unwrap().hang_up();
        assert!(is_gone(&left));
    }

    #[test]
    fn the_next_start_removes_what_the_dead_left_and_nothing_of_the_living() {
        let living = LocalPostgres::start(LocalPostgresOptions::default()).unwrap();
        let mut server = LocalPostgres::start(LocalPostgresOptions::default()).unwrap();
        let left = (server.root.clone(), server.port);
        assert!(!is_gone(&left));
        // The process was killed, and its guardian too.
        server.guardian.take().unwrap().kill();
        server._lock.unlock().unwrap();
        std::mem::forget(server);
        drop(LocalPostgres::start(LocalPostgresOptions::default()).unwrap());
        // A start in another test may have been the one that began to remove it.
        let deadline = Instant::now() + START_LIMIT;
        while !is_gone(&left) {
            assert!(Instant::now() < deadline, "{} is still there", left.0.display());
            std::thread::sleep(Duration::from_millis(20));
        }
        assert!(!is_gone(&(living.root().to_owned(), living.port())));
    }

    #[test]
    fn a_server_that_cannot_start_says_why() {
        let options =
            LocalPostgresOptions { settings: vec![("no_such_setting".into(), "1".into())], ..Default::default() };
        let error = LocalPostgres::start(options).unwrap_err().to_string();
        assert!(error.contains("no_such_setting"), "{error}");
    }
}
