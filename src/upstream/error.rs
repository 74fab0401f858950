//! What can go wrong with the warehouse, by what a session does about it.

use std::io;
use std::time::Duration;

use jiff::Timestamp;

use crate::error::{ClientError, ErrorKind, SqlState, sqlstate};
use crate::names::WarehouseName;

/// Something that ends a lease: the connection is closed, never used again.
#[derive(Debug, thiserror::Error)]
pub enum UpstreamError {
    /// The connection broke, or the warehouse closed it.
    #[error("the connection to the warehouse was lost: {0}")]
    Lost(#[from] io::Error),
    /// The warehouse ended the connection with a FATAL error (it shuts down, an administrator ended it).
    #[error("the warehouse ended the connection with SQLSTATE {0}")]
    Ended(SqlState),
    /// The warehouse answered with what the protocol does not allow here.
    #[error("the warehouse broke the protocol: {0}")]
    Protocol(String),
    /// A statement of pgveil's own failed (SET before a statement): what followed it cannot be trusted.
    #[error("the warehouse refused the session's settings with SQLSTATE {sqlstate}: {message}")]
    Settings {
        /// What the warehouse raised, e.g. 22023 for a time zone that it does not know.
        sqlstate: SqlState,
        /// Its primary message; it speaks of a setting that the client chose, of no data.
        message: String,
    },
    /// The session enqueued something that cannot be (a name with a NUL byte, a message above 1 GiB).
    #[error("the message cannot be sent: {0}")]
    Unsendable(&'static str),
}

impl UpstreamError {
    /// What the client is told: 08006 for a connection that was lost in the middle.
    pub fn to_client(&self, warehouse: &WarehouseName) -> ClientError {
        match self {
            Self::Lost(_) | Self::Ended(_) => ClientError::new(
                ErrorKind::Unavailable,
                sqlstate::CONNECTION_FAILURE,
                format!("the connection to the warehouse \"{warehouse}\" was lost"),
            )
            .with_hint("Run the statement again; a transaction has to be begun anew."),
            Self::Protocol(_) => ClientError::new(
                ErrorKind::Unavailable,
                sqlstate::CONNECTION_FAILURE,
                format!("the warehouse \"{warehouse}\" sent an answer that pgveil does not understand"),
            )
            .with_hint("The log of pgveil says more; tell its operator."),
            Self::Settings { .. } | Self::Unsendable(_) => ClientError::new(
                ErrorKind::Internal,
                sqlstate::INTERNAL_ERROR,
                format!("the session's settings could not be applied in the warehouse \"{warehouse}\""),
            )
            .with_hint("RESET ALL brings the settings back to their defaults."),
        }
    }
}

/// A warehouse that cannot be reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outage {
    /// Since when.
    pub since: Timestamp,
    /// Why the last attempt failed, for people; never a secret, and never text of the warehouse.
    pub reason: String,
}

/// Why there is no lease.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PoolError {
    /// Every connection is in use.
    #[error("no free connection to the warehouse \"{warehouse}\" within {waited:?}")]
    Busy {
        /// Which.
        warehouse: WarehouseName,
        /// How long the statement waited.
        waited: Duration,
        /// `pool_size`
        size: usize,
    },
    /// The warehouse is not there.
    #[error("the warehouse \"{warehouse}\" cannot be reached: {}", outage.reason)]
    Unreachable {
        /// Which.
        warehouse: WarehouseName,
        /// Since when, and why.
        outage: Outage,
    },
    /// pgveil shuts down.
    #[error("the pool of the warehouse \"{warehouse}\" is closed")]
    Closed {
        /// Which.
        warehouse: WarehouseName,
    },
}

impl From<PoolError> for ClientError {
    fn from(error: PoolError) -> Self {
        let unavailable =
            |message: String| ClientError::new(ErrorKind::Unavailable, sqlstate::CANNOT_CONNECT_NOW, message);
        match error {
            PoolError::Busy { warehouse, waited, size } => {
                unavailable(format!("no free connection to the warehouse \"{warehouse}\" within {}", human(waited)))
                    .with_detail(format!("All {size} connections are in use."))
                    .with_hint("Try again shortly; close transactions and cursors that are not needed any more.")
            }
            PoolError::Unreachable { warehouse, outage } => {
                let since = outage.since.strftime("%Y-%m-%d %H:%M:%S UTC");
                unavailable(format!("the warehouse \"{warehouse}\" cannot be reached"))
                    .with_detail(format!("It has not answered since {since}."))
                    .with_hint("pgveil goes on trying; try again shortly, or tell the operator of the warehouse.")
            }
            PoolError::Closed { .. } => {
                ClientError::fatal(ErrorKind::Unavailable, sqlstate::ADMIN_SHUTDOWN, "pgveil is shutting down")
            }
        }
    }
}

/// `10s`, `1.5s`, `250ms`.
fn human(duration: Duration) -> String {
    if duration < Duration::from_secs(1) {
        format!("{}ms", duration.as_millis())
    } else if duration.subsec_millis() == 0 {
        format!("{}s", duration.as_secs())
    } else {
        format!("{:.1}s", duration.as_secs_f64())
    }
}
