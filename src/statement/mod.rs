//! From a statement's text to its outcome: decided, recorded, run, relayed. What every way in shares lives here; the
//! Postgres protocol's own order of things is `session`'s.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use dashmap::DashMap;
use tokio::sync::watch;

use crate::audit::Audit;
use crate::govern::breach::Breaches;
use crate::govern::snapshot::Snapshot;
use crate::names::WarehouseName;
use crate::upstream::Pool;

mod decide;
pub mod errors;
mod queue;

pub use decide::{Asking, Rejection, Simulated, day_number, today};
pub use queue::{Queue, Queues, Slot};

/// What all sessions share.
pub struct Shared {
    /// Catalog, policy and facts; swapped whole on a reload.
    pub snapshot: ArcSwap<Snapshot>,
    /// The connections to each warehouse.
    pub pools: ArcSwap<BTreeMap<WarehouseName, Pool>>,
    /// Where every decision is written before it takes effect.
    pub audit: Audit,
    /// Statements of each user that run and wait.
    pub queues: Queues,
    /// `server_version` of each warehouse, as it was last told.
    pub versions: DashMap<WarehouseName, Arc<str>>,
    /// A warehouse said something that looks like a relation which has changed: the facts are to be read again.
    pub doubts: tokio::sync::Notify,
    /// Products that do not keep their contracts, for the next snapshot …
    pub breaches: ArcSwap<Breaches>,
    /// … which is to be made when they change.
    pub breaches_changed: tokio::sync::Notify,
    /// Bytes of one frontend message.
    pub max_message: usize,
    /// How far a shutdown has come.
    pub shutdown: watch::Receiver<Shutdown>,
}

/// How far a shutdown has come. It only goes forward.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Shutdown {
    /// It has not begun.
    #[default]
    Running,
    /// Statements that run may end; sessions close behind them.
    Draining,
    /// What still runs is cancelled.
    CutOff,
}

impl Shared {
    /// The snapshot in force.
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.snapshot.load_full()
    }

    /// The connections to a warehouse.
    pub fn pool(&self, warehouse: &WarehouseName) -> Option<Pool> {
        self.pools.load().get(warehouse).cloned()
    }
}

/// A duration as the configuration writes it.
pub fn duration_text(duration: Duration) -> String {
    let millis = duration.as_millis();
    let unit =
        [("h", 3_600_000), ("m", 60_000), ("s", 1_000)].into_iter().find(|(_, size)| millis.is_multiple_of(*size));
    match unit {
        _ if millis == 0 => "0".to_owned(),
        Some((unit, size)) => format!("{}{unit}", millis / size),
        None => format!("{millis}ms"),
    }
}
