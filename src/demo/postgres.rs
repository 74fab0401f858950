//! A private PostgreSQL server from the machine's own binaries: started in a directory of its own, stopped and removed
//! when it is dropped. The demo's warehouse and the tests' servers are made of it.

use std::fs;
use std::io::{self, Read, Seek};
use std::net::TcpListener;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// The name of the superuser of every private server.
pub const SUPERUSER: &str = "postgres";

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
    /// Lines of postgresql.conf beyond the defaults.
    pub settings: Vec<(String, String)>,
    /// Certificate chain and key in PEM: the server speaks TLS with them.
    pub tls: Option<(String, String)>,
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
}

impl LocalPostgres {
    /// Makes a new cluster in a directory of its own and starts it on a free port of 127.0.0.1.
    pub fn start(options: LocalPostgresOptions) -> Result<Self, LocalPostgresError> {
        let binaries = find_binaries().ok_or(LocalPostgresError::NoBinaries)?;
        let user = unprivileged_user()?;
        let root =
            std::env::temp_dir().join(format!("pgveil-postgres-{}-{:08x}", std::process::id(), rand::random::<u32>()));
        fs::create_dir(&root).map_err(io_error(format!("could not create {}", root.display())))?;
        let mut server = Self { binaries, root, port: 0, options, user, server: None };
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

    /// Starts it again on the same port after [`Self::kill`].
    pub fn restart(&mut self) -> Result<(), LocalPostgresError> {
        self.stop("fast");
        self.launch()
    }

    fn data(&self) -> PathBuf {
        self.root.join("data")
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(self.binaries.join(program));
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
        self.hand_over(&self.root, 0o700)?;
        let mut initdb = self.command("initdb");
        initdb
            .args(["--encoding=UTF8", "--locale=C.UTF-8", "--no-sync", "--no-instructions", "-U", SUPERUSER, "-D"])
            .arg(self.data());
        match &self.options.password {
            Some(password) => {
                let file = self.write("password", password)?;
                initdb.arg("--auth=scram-sha-256").arg(format!("--pwfile={}", file.display()));
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
        Ok(())
    }

    fn launch(&mut self) -> Result<(), LocalPostgresError> {
        // A free port can be taken between the look and the start: then the next one is tried.
        for attempt in 0.. {
            if self.port == 0 {
                self.port = free_port().map_err(io_error("no free port on 127.0.0.1"))?;
            }
            match self.launch_on_port() {
                Err(LocalPostgresError::Failed { output, .. })
                    if attempt < 5 && output.contains("Address already in use") =>
                {
                    self.port = 0
                }
                other => return other,
            }
        }
        Ok(())
    }

    fn launch_on_port(&mut self) -> Result<(), LocalPostgresError> {
        let mut postgres = self.command("postgres");
        postgres.arg("-D").arg(self.data()).args(["-h", "127.0.0.1", "-p", &self.port.to_string(), "-k", ""]);
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
        let deadline = Instant::now() + Duration::from_secs(60);
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

/// The directory with initdb and postgres: PATH first, then Debian's, the newest first.
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
    debian.sort();
    in_path
        .chain(debian.into_iter().rev().map(|(_, dir)| dir))
        .find(|dir| dir.join("initdb").is_file() && dir.join("postgres").is_file())
}

/// A port of 127.0.0.1 that nobody listens on now.
pub fn free_port() -> io::Result<u16> {
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

    #[test]
    fn a_server_that_cannot_start_says_why() {
        let options =
            LocalPostgresOptions { settings: vec![("no_such_setting".into(), "1".into())], ..Default::default() };
        let error = LocalPostgres::start(options).unwrap_err().to_string();
        assert!(error.contains("no_such_setting"), "{error}");
    }
}
