//! The warehouse side: connect, pool, session state, relay, cancel, control.
//!
//! # What a session does with it
//!
//! ```text
//! let mut lease = pool.acquire(deadline).await?;      // PoolError -> ClientError 57P03
//! lease.apply(&settings)?;                            // SETs, only where the connection differs; answers swallowed
//! lease.query(&permit)?;                              // everything is enqueued, nothing sent …
//! loop {
//!     while let Some(frame) = lease.next_frame()? {   // … every frame that answers what the session enqueued
//!         if frame.tag == b'D' { break to the relay }
//!     }
//!     lease.fill().await?;                            // … until fill (or flush): sends what is enqueued, reads what comes
//! }
//! ```
//!
//! * `enqueue` methods take a [`Permit`](crate::govern::permit::Permit) or a [`Control`]; none takes SQL as text.
//! * [`Connection::next_frame`] yields the answers in the order of what was enqueued. Answers to what the connection did
//!   for itself (SETs, a Parse that re-creates a statement, `FailTransaction`) are swallowed; bytes given to
//!   [`Connection::answer`] come out at their place in that order, unless an error before them skips the rest up to Sync.
//! * [`Connection::fill`], [`Connection::flush`] and [`RowRelay::run`] are cancel-safe; each has a `poll_` form.
//! * A [`Lease`] that is dropped goes back when the connection is idle, with nothing unanswered and no cancel under way;
//!   else it is closed.

mod cancel;
pub mod connect;
mod connection;
mod control;
pub mod control_plane;
mod dsn;
mod enqueue;
mod error;
mod expect;
pub mod facts;
mod lease;
mod pool;
mod prepared;
mod relay;
mod settings;
mod startup;
mod stream;
mod tls;

pub use cancel::UpstreamCancel;
pub use connection::{Connection, Frame};
pub use control::Control;
pub use error::{Outage, PoolError, UpstreamError};
pub use lease::Lease;
pub use pool::{Health, Pool, PoolStats};
pub use prepared::StatementName;
pub use relay::{CopyCounting, RelayError, RelayStop, RowRelay, hide_origins};
pub use settings::UpstreamSettings;

#[cfg(test)]
#[path = "../../tests/common/postgres.rs"]
pub(crate) mod test_postgres;
#[cfg(test)]
mod tests;
