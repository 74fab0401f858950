//! `pgveil demo`: a private warehouse with data, and pgveil in front of it.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use crate::app;
use crate::demo::postgres::{LocalPostgres, LocalPostgresOptions};
use crate::demo::{DemoFiles, USERS, load};

/// Starts a private PostgreSQL with the data of an e-commerce company, and pgveil in front of it. Prints `ready` alone on a
/// line when clients may connect. Ctrl-C ends it and removes what it made; files under a directory that was named stay.
#[derive(Clone, Debug, clap::Args)]
pub struct DemoArgs {
    /// Where clients connect, on 127.0.0.1.
    #[arg(long, default_value_t = 6432)]
    pub port: u16,
    /// Where the HTTP side listens, on 127.0.0.1.
    #[arg(long, default_value_t = 8432)]
    pub http_port: u16,
    /// Keep config, catalog, policy and audit log here [default: a temporary directory, removed at the end].
    #[arg(long)]
    pub dir: Option<PathBuf>,
}

/// A directory that goes with the demo, unless its user named it.
struct Directory {
    path: PathBuf,
    temporary: bool,
}

impl Directory {
    fn new(named: Option<PathBuf>) -> Self {
        match named {
            Some(path) => Self { path, temporary: false },
            None => {
                let name = format!("pgveil-demo-{}-{:08x}", std::process::id(), rand::random::<u32>());
                Self { path: std::env::temp_dir().join(name), temporary: true }
            }
        }
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        if self.temporary {
            let _ = std::fs::remove_dir_all(&self.path);
        }
    }
}

/// Runs the demo until it is told to stop.
pub fn run(args: &DemoArgs) -> ExitCode {
    match start(args) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn start(args: &DemoArgs) -> Result<ExitCode, Box<dyn std::error::Error>> {
    for (port, flag) in [(args.port, "--port"), (args.http_port, "--http-port")] {
        std::net::TcpListener::bind(("127.0.0.1", port))
            .map_err(|e| format!("cannot listen on 127.0.0.1:{port}: {e}; name another port with {flag}"))?;
    }
    let directory = Directory::new(args.dir.clone());
    let runtime = tokio::runtime::Runtime::new()?;
    let started = Instant::now();
    let progress = |step: &str| println!("[{:>5.1} s] {step}", started.elapsed().as_secs_f64());

    progress("starting a private PostgreSQL");
    let (superuser, account) = (secret(), secret());
    let options = LocalPostgresOptions { password: Some(superuser.clone()), ..LocalPostgresOptions::default() };
    let server = LocalPostgres::start(options)?;
    let loaded = runtime.block_on(async {
        tokio::select! {
            loaded = load(server.port(), &superuser, &account, |step| progress(&format!("loading {step}"))) => Some(loaded),
            // Ctrl-C while the data is loading must stop the server and remove its files as well.
            _ = tokio::signal::ctrl_c() => None,
        }
    });
    match loaded {
        Some(loaded) => loaded?,
        None => {
            println!("interrupted: stopping the private PostgreSQL and removing its files");
            return Ok(ExitCode::from(130));
        }
    }
    let files = DemoFiles::write(&directory.path, args.port, args.http_port, server.port(), &account)?;
    progress("starting pgveil");
    drop(runtime);
    // Who edits a file wants to read that it serves; what else is usual is no news here.
    app::start_log("error,pgveil::reload=info,pgveil::reload::candidate=error", false)?;
    app::run(&files.config(), || announce(&files, args.port, args.http_port))?;
    println!("stopping the private PostgreSQL");
    drop(server);
    Ok(ExitCode::SUCCESS)
}

fn secret() -> String {
    format!("{:032x}", rand::random::<u128>())
}

fn announce(files: &DemoFiles, port: u16, http_port: u16) {
    println!("\nFiles (edit them, they are reloaded): {}", files.dir().display());
    println!("Audit log: {}", files.dir().join("audit/audit.jsonl").display());
    println!("Metrics and health: http://127.0.0.1:{http_port}/\n");
    println!("Connect as one of these and ask, say: SELECT * FROM finance.orders LIMIT 5;\n");
    for user in USERS {
        let conninfo = format!("host=127.0.0.1 port={port} dbname=warehouse user={} sslmode=require", user.name);
        println!("  PGPASSWORD={} psql \"{conninfo}\"    # sees {}", user.password, user.sees);
    }
    println!("\nready");
}
