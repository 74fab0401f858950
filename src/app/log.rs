//! The log of the process, on standard error.

use std::io::{self, IsTerminal, Write};

use tracing_subscriber::EnvFilter;

/// Starts it; `filter` is a level, or levels by room.
pub fn start_log(filter: &str, json: bool) -> Result<(), String> {
    let filter = EnvFilter::try_new(filter)
        .map_err(|error| format!("the log filter \"{filter}\" cannot be read: {error}; write a level such as info"))?;
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(|| BestEffort)
        .log_internal_errors(false)
        .with_target(false);
    let started = if json {
        log.json().flatten_event(true).try_init()
    } else {
        log.with_ansi(io::stderr().is_terminal()).try_init()
    };
    started.map_err(|error| format!("the log cannot be started: {error}"))
}

/// Standard error, which may be a file on a full disk or a pipe that nobody reads any more: an event that cannot be written
/// must end neither a statement nor the process.
struct BestEffort;

impl Write for BestEffort {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let _ = io::stderr().write_all(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
