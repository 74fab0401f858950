//! CancelRequest to the warehouse, on a socket of its own.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::Notify;
use tokio::time::timeout;

use super::connect::{Address, Encryption, connect_socket, encrypt};
use super::error::UpstreamError;

/// Where to send a connection's cancels, and which are under way.
#[derive(Debug)]
pub(super) struct CancelTarget {
    address: Address,
    encryption: Option<Encryption>,
    pid: i32,
    secret: Vec<u8>,
    state: Mutex<State>,
    done: Notify,
}

#[derive(Debug, Default)]
struct State {
    /// Counts the leases: a handle of an earlier one cancels nothing.
    lease: u64,
    under_way: usize,
    /// A request was sent, and nobody waited for its end: the signal may come at any time.
    lost_sight: bool,
}

impl CancelTarget {
    pub fn new(address: Address, encryption: Option<Encryption>, pid: i32, secret: Vec<u8>) -> Arc<Self> {
        Arc::new(Self { address, encryption, pid, secret, state: Mutex::default(), done: Notify::new() })
    }
    pub fn pid(&self) -> i32 {
        self.pid
    }
    pub fn handle(self: &Arc<Self>) -> UpstreamCancel {
        UpstreamCancel { lease: self.state().lease, target: self.clone() }
    }
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
    /// Ends the lease for its cancel handles. `false`: cancels are under way, and it has not ended.
    pub fn end_lease(&self) -> bool {
        let mut state = self.state();
        if state.under_way == 0 && !state.lost_sight {
            state.lease += 1;
        }
        state.under_way == 0 && !state.lost_sight
    }
    /// Waits until no cancel is under way; `false`: the connection cannot be used again.
    pub async fn settled(&self) -> bool {
        loop {
            let notified = self.done.notified();
            {
                let state = self.state();
                if state.lost_sight {
                    return false;
                }
                if state.under_way == 0 {
                    return true;
                }
            }
            notified.await;
        }
    }

    /// Sends the request and waits until the warehouse closes the socket, which it does after the signal.
    async fn send(&self) -> io::Result<()> {
        let mut stream = connect_socket(&self.address).await?;
        if let Some(encryption) = &self.encryption {
            let (encrypted, offered) = encrypt(stream, encryption, "the warehouse").await.map_err(io::Error::other)?;
            if !offered {
                return Err(io::Error::other("TLS is not offered any more"));
            }
            stream = encrypted;
        }
        let mut request = Vec::with_capacity(12 + self.secret.len());
        let length = u32::try_from(12 + self.secret.len()).map_err(io::Error::other)?;
        request.extend_from_slice(&length.to_be_bytes());
        request.extend_from_slice(&80_877_102_u32.to_be_bytes());
        request.extend_from_slice(&self.pid.to_be_bytes());
        request.extend_from_slice(&self.secret);
        stream.write_all(&request).await?;
        stream.flush().await?;
        let mut rest = [0; 64];
        loop {
            match stream.read(&mut rest).await {
                Ok(0) => return Ok(()),
                Ok(_) => {}
                // TLS without a close_notify, and a reset, are ends too.
                Err(error) if matches!(error.kind(), io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset) => {
                    return Ok(());
                }
                Err(error) => return Err(error),
            }
        }
    }
}

/// Cancels what runs on one lease, from any task. While one is under way the connection does not go back to the pool; when
/// the lease has ended it does nothing.
#[derive(Clone, Debug)]
pub struct UpstreamCancel {
    lease: u64,
    target: Arc<CancelTarget>,
}

/// Counts a cancel until it is over; dropped early, nobody knows when the signal comes.
struct UnderWay<'a> {
    target: &'a CancelTarget,
    over: bool,
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        let mut state = self.target.state();
        state.under_way = state.under_way.saturating_sub(1);
        state.lost_sight |= !self.over;
        drop(state);
        self.target.done.notify_waiters();
    }
}

impl UpstreamCancel {
    /// Sends the request and waits until the warehouse has closed the socket: then the signal has been sent. After an error
    /// the connection is not used again.
    pub async fn cancel(&self, limit: Duration) -> Result<(), UpstreamError> {
        {
            let mut state = self.target.state();
            if state.lease != self.lease {
                return Ok(());
            }
            state.under_way += 1;
        }
        let mut under_way = UnderWay { target: &self.target, over: false };
        match timeout(limit, self.target.send()).await {
            Ok(Ok(())) => {
                under_way.over = true;
                Ok(())
            }
            Ok(Err(error)) => Err(UpstreamError::Lost(error)),
            Err(_) => Err(UpstreamError::Lost(io::ErrorKind::TimedOut.into())),
        }
    }
}
