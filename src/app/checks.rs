//! The thread on which contracts are kept: what checks cost must not be taken from those who ask.

use std::io;
use std::thread;

use tokio::sync::oneshot;

use crate::contracts::Keeper;

/// The thread, running.
pub(super) struct Checks {
    ended: oneshot::Receiver<()>,
}

/// Starts it. It ends by itself when pgveil begins to stop.
pub(super) fn begin(keeper: Keeper) -> io::Result<Checks> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let (gone, ended) = oneshot::channel();
    thread::Builder::new().name("contracts".to_owned()).stack_size(super::STACK).spawn(move || {
        runtime.block_on(keeper.run());
        runtime.shutdown_background();
        let _ = gone.send(());
    })?;
    Ok(Checks { ended })
}

impl Checks {
    /// Waits until it has ended.
    pub(super) async fn end(self) {
        let _ = tokio::time::timeout(super::LAST_WORDS, self.ended).await;
    }
}
