//! A connection in the hands of one session.

use std::fmt;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;

use super::connection::Connection;
use super::pool::Shared;

/// How long a cancel of an abandoned statement may take.
const CANCEL_LIMIT: Duration = Duration::from_secs(10);

/// A connection in the hands of one session. Dropped clean it goes back to the pool; with a cancel under way it goes back
/// when that has ended; anything unfinished is cancelled and closed.
pub struct Lease {
    /// Empty only while it is dropped.
    connection: Option<Box<Connection>>,
    shared: Arc<Shared>,
}

impl Lease {
    pub(super) fn new(connection: Box<Connection>, shared: Arc<Shared>) -> Self {
        Self { connection: Some(connection), shared }
    }
    /// The connection, without giving it back.
    pub(super) fn take(mut self) -> Option<Box<Connection>> {
        self.connection.take()
    }
    /// Closes the connection instead of giving it back; a statement that runs is cancelled.
    pub fn discard(mut self) {
        if let Some(connection) = self.connection.take() {
            close(connection, &self.shared);
        }
    }
}

impl Deref for Lease {
    type Target = Connection;
    #[expect(clippy::expect_used, reason = "only drop, take and discard empty it, and they end it")]
    fn deref(&self) -> &Connection {
        self.connection.as_ref().expect("a lease has its connection until it is dropped")
    }
}

impl DerefMut for Lease {
    #[expect(clippy::expect_used, reason = "only drop, take and discard empty it, and they end it")]
    fn deref_mut(&mut self) -> &mut Connection {
        self.connection.as_mut().expect("a lease has its connection until it is dropped")
    }
}

impl fmt::Debug for Lease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Lease({:?})", self.connection.as_ref().map(|connection| connection.backend_pid()))
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let Some(mut connection) = self.connection.take() else { return };
        if !connection.end_lease() {
            close(connection, &self.shared);
        } else if connection.cancel_target().end_lease() {
            self.shared.give(connection);
        } else if let Ok(runtime) = Handle::try_current() {
            let shared = self.shared.clone();
            runtime.spawn(async move {
                let target = connection.cancel_target().clone();
                if target.settled().await && target.end_lease() {
                    shared.give(connection);
                } else {
                    shared.closed_one(connection);
                }
            });
        } else {
            self.shared.closed_one(connection);
        }
    }
}

/// Closes a connection; what still runs there is cancelled first, so that the warehouse does not work for nobody.
fn close(connection: Box<Connection>, shared: &Arc<Shared>) {
    let runs = connection.is_waiting() && !connection.is_broken();
    match Handle::try_current() {
        Ok(runtime) if runs => {
            let shared = shared.clone();
            runtime.spawn(async move {
                // When it does not get through, closing the socket ends the statement at its next row.
                let _ = connection.cancel_handle().cancel(CANCEL_LIMIT).await;
                shared.closed_one(connection);
            });
        }
        _ => shared.closed_one(connection),
    }
}
