//! Signals: SIGTERM and SIGINT stop, SIGHUP reloads.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::Notify;

/// `RLIMIT_FSIZE`: it kills by default, which would be a strange end for a proxy whose disk has a quota.
const SIGXFSZ: i32 = 25;

/// The signals that concern pgveil.
pub(super) struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
    _file_size: Signal,
}

impl Signals {
    pub(super) fn install() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
            _file_size: signal(SignalKind::from_raw(SIGXFSZ))?,
        })
    }

    /// Waits for a signal to stop. Cancel-safe.
    pub(super) async fn stop(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }

    /// Waits for a signal to stop, and passes each SIGHUP on.
    pub(super) async fn wait_for_stop(&mut self, hangup: &Notify) {
        loop {
            tokio::select! {
                _ = self.terminate.recv() => return,
                _ = self.interrupt.recv() => return,
                _ = self.hangup.recv() => hangup.notify_one(),
            }
        }
    }
}
