//! CancelRequest to the warehouse, on a socket of its own.

use std::time::Duration;

use super::error::UpstreamError;

/// Cancels what runs on one connection, from any task. While one is under way the connection does not go back to the pool.
#[derive(Clone, Debug)]
pub struct UpstreamCancel {}

impl UpstreamCancel {
    /// Sends the request and waits until the warehouse has closed the socket (then the signal has been sent).
    pub async fn cancel(&self, _deadline: Duration) -> Result<(), UpstreamError> {
        unimplemented!()
    }
}
