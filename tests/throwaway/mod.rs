//! A PostgreSQL server for one test, in a directory of its own, stopped and removed when it is dropped.

#![allow(
    clippy::allow_attributes,
    dead_code,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests"
)]

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

const BIN: &str = "/usr/lib/postgresql/15/bin";

pub struct Server {
    directory: tempfile::TempDir,
    pub port: u16,
}

impl Server {
    /// `None` where PostgreSQL 15 is not installed: the test says so and passes.
    pub fn start() -> Option<Self> {
        if !Path::new(BIN).join("initdb").exists() {
            eprintln!("skipped: {BIN} is not there");
            return None;
        }
        let directory = tempfile::Builder::new().prefix("pgveil-rules-").tempdir().unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let server = Self { directory, port };
        if is_root() {
            let status = Command::new("chown").arg("postgres").arg(server.directory.path()).status().unwrap();
            assert!(status.success());
        }
        let data = server.data();
        let data = data.to_str().unwrap();
        succeed(
            &server.run("initdb", &["-D", data, "-A", "trust", "-U", "postgres", "-E", "UTF8", "--locale=C.UTF-8"]),
        );
        let options =
            format!("-p {port} -k {} -c listen_addresses=127.0.0.1 -c fsync=off", server.directory.path().display());
        let log = server.directory.path().join("log");
        succeed(&server.run("pg_ctl", &["-D", data, "-w", "-o", &options, "-l", log.to_str().unwrap(), "start"]));
        Some(server)
    }

    /// Runs a script; each row a line, columns separated by tabs. `options` are those of the connection.
    pub fn query(&self, options: &str, sql: &str) -> Result<Vec<Vec<String>>, String> {
        let output = Command::new("psql")
            .env("PGOPTIONS", options)
            .args(["-h", "127.0.0.1", "-p", &self.port.to_string(), "-U", "postgres", "-d", "postgres"])
            .args(["-X", "-q", "-A", "-t", "-F", "\t", "-v", "ON_ERROR_STOP=1", "-c", sql])
            .output()
            .unwrap();
        if !output.status.success() {
            return Err(String::from_utf8_lossy(&output.stderr).into_owned());
        }
        let text = String::from_utf8(output.stdout).unwrap();
        Ok(text.lines().map(|line| line.split('\t').map(str::to_owned).collect()).collect())
    }

    fn data(&self) -> PathBuf {
        self.directory.path().join("data")
    }

    fn run(&self, program: &str, arguments: &[&str]) -> Output {
        let program = Path::new(BIN).join(program);
        let mut command = if is_root() {
            let mut command = Command::new("runuser");
            command.args(["-u", "postgres", "--"]).arg(program);
            command
        } else {
            Command::new(program)
        };
        command.args(arguments).current_dir(self.directory.path()).output().unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let data = self.data();
        self.run("pg_ctl", &["-D", data.to_str().unwrap(), "-m", "immediate", "-w", "stop"]);
    }
}

fn is_root() -> bool {
    Command::new("id").arg("-u").output().is_ok_and(|output| output.stdout.starts_with(b"0\n"))
}

fn succeed(output: &Output) {
    assert!(
        output.status.success(),
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}
