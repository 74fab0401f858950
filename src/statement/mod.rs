//! From a statement's text to its outcome: decided, recorded, run, relayed. What every way in shares lives here; the
//! Postgres protocol's own order of things is `session`'s.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::sync::watch;

use crate::govern::snapshot::Snapshot;

pub mod errors;
mod queue;

pub use queue::{Queue, Queues, Slot};

/// What all sessions share.
pub struct Shared {
    /// Catalog, policy and facts; swapped whole on a reload.
    pub snapshot: ArcSwap<Snapshot>,
    /// Statements of each user that run and wait.
    pub queues: Queues,
    /// Turns true when pgveil shuts down: statements end, sessions close.
    pub shutdown: watch::Receiver<bool>,
}

impl Shared {
    /// The snapshot in force.
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.snapshot.load_full()
    }
}

/// A duration as the configuration writes it.
pub fn duration_text(duration: Duration) -> String {
    let millis = duration.as_millis();
    match millis {
        0 => "0".to_owned(),
        _ if millis % 3_600_000 == 0 => format!("{}h", millis / 3_600_000),
        _ if millis % 60_000 == 0 => format!("{}min", millis / 60_000),
        _ if millis % 1_000 == 0 => format!("{}s", millis / 1_000),
        _ => format!("{millis}ms"),
    }
}
