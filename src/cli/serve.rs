//! `pgveil serve`: the proxy itself.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, ValueEnum};

use crate::app;

/// How the log is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// One line an event, for people.
    #[default]
    Text,
    /// One JSON object an event, for programs.
    Json,
}

/// Arguments of `pgveil serve`.
#[derive(Clone, Debug, Args)]
pub struct ServeArgs {
    /// The server's file; catalog and policy lie where it says
    #[arg(long, value_name = "FILE", env = "PGVEIL_CONFIG", default_value = "config/pgveil.toml")]
    pub config: PathBuf,
    /// How the log on standard error is written
    #[arg(long, value_enum, env = "PGVEIL_LOG_FORMAT", default_value_t)]
    pub log_format: LogFormat,
    /// What is logged: a level (error, warn, info, debug, trace), or levels by room such as `info,pgveil::audit=debug`
    #[arg(long, value_name = "FILTER", env = "PGVEIL_LOG", default_value = "info")]
    pub log: String,
}

/// Serves until it is told to stop.
pub fn run(args: &ServeArgs) -> ExitCode {
    if let Err(error) = app::start_log(&args.log, args.log_format == LogFormat::Json) {
        eprintln!("pgveil: {error}");
        return ExitCode::from(2);
    }
    match app::run(&args.config, || ()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("pgveil: {error}");
            ExitCode::FAILURE
        }
    }
}
