//! The connections to one warehouse, pooled by transaction.

use std::ops::{Deref, DerefMut};
use std::time::Duration;

use tokio::time::Instant;

use crate::config::WarehouseConfig;
use crate::names::WarehouseName;

use super::connection::Connection;
use super::error::{Outage, PoolError};

/// The pool of one warehouse. Clones share it.
#[derive(Clone, Debug)]
pub struct Pool {}

/// For metrics.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PoolStats {
    /// `pool_size`
    pub size: usize,
    /// Open and free.
    pub idle: usize,
    /// In the hands of sessions.
    pub leased: usize,
    /// Statements that wait for one.
    pub waiting: usize,
    /// Being opened.
    pub opening: usize,
    /// Opened since the start.
    pub opened: u64,
    /// Attempts to open that failed since the start.
    pub failures: u64,
    /// Closed since the start, for whatever reason.
    pub closed: u64,
    /// Leases given since the start.
    pub acquired: u64,
}

/// For `/readyz`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Health {
    /// Nobody has asked for a connection yet.
    Unknown,
    /// The last attempt succeeded.
    Up,
    /// Attempts fail.
    Down(Outage),
}

impl Pool {
    /// A pool that opens connections when they are asked for. `options` are custom settings for the start-up options
    /// (`pgveil.ki` and so on): they are never logged and stand in no SQL text.
    /// The error says what is wrong with the DSN, without the password.
    pub fn new(
        _warehouse: WarehouseName,
        _config: &WarehouseConfig,
        _options: Vec<(String, String)>,
    ) -> Result<Self, String> {
        unimplemented!()
    }
    /// Which warehouse.
    pub fn warehouse(&self) -> &WarehouseName {
        unimplemented!()
    }
    /// `acquire_timeout`: `pool.acquire(Instant::now() + pool.acquire_timeout())`.
    pub fn acquire_timeout(&self) -> Duration {
        unimplemented!()
    }
    /// A connection, in the order of asking. While an outage is younger than `acquire_timeout` a statement waits (a restart of
    /// the warehouse passes unnoticed); later ones fail at once, and a probe goes on in the background.
    /// Cancel-safe: a dropped future leaves the queue.
    pub async fn acquire(&self, _deadline: Instant) -> Result<Lease, PoolError> {
        unimplemented!()
    }
    /// A connection when one is free at this moment.
    pub fn try_acquire(&self) -> Option<Lease> {
        unimplemented!()
    }
    /// For metrics.
    pub fn stats(&self) -> PoolStats {
        unimplemented!()
    }
    /// For `/readyz`.
    pub fn health(&self) -> Health {
        unimplemented!()
    }
    /// Closes what is idle and refuses what comes; leases that are out are closed when they come back.
    pub fn close(&self) {
        unimplemented!()
    }
}

/// A connection in the hands of one session. Dropped clean it goes back, else it is closed.
#[derive(Debug)]
pub struct Lease {
    connection: Box<Connection>,
}

impl Lease {
    /// Closes the connection instead of giving it back.
    pub fn discard(self) {
        unimplemented!()
    }
}

impl Deref for Lease {
    type Target = Connection;
    fn deref(&self) -> &Connection {
        &self.connection
    }
}

impl DerefMut for Lease {
    fn deref_mut(&mut self) -> &mut Connection {
        &mut self.connection
    }
}
