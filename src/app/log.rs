//! The log of the process, on standard error.

use tracing_subscriber::EnvFilter;

/// Starts it; `filter` is a level, or levels by room.
pub fn start_log(filter: &str, json: bool) -> Result<(), String> {
    let filter = EnvFilter::try_new(filter)
        .map_err(|error| format!("the log filter \"{filter}\" cannot be read: {error}; write a level such as info"))?;
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_target(false);
    let started = if json {
        log.json().flatten_event(true).try_init()
    } else {
        use std::io::IsTerminal;
        log.with_ansi(std::io::stderr().is_terminal()).try_init()
    };
    started.map_err(|error| format!("the log cannot be started: {error}"))
}
