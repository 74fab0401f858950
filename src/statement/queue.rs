//! `max_concurrent`: how many statements of one user run at once, over all of its sessions.
//!
//! Slots go to waiting statements in the order in which they came. A slot is handed over, not freed and raced for, and one
//! that was handed to somebody who has just given up goes on to the next.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use dashmap::DashMap;
use tokio::sync::oneshot;

use crate::error::{ClientError, ErrorKind, sqlstate};
use crate::names::UserName;

/// The queues of all users.
#[derive(Debug, Default)]
pub struct Queues {
    users: DashMap<UserName, Arc<Queue>>,
}

impl Queues {
    /// The queue of one user; the same one for all of its sessions.
    pub fn of(&self, user: &UserName) -> Arc<Queue> {
        if let Some(queue) = self.users.get(user) {
            return Arc::clone(&queue);
        }
        Arc::clone(&self.users.entry(user.clone()).or_default())
    }
}

/// The statements of one user: those that run, and those that wait.
#[derive(Debug, Default)]
pub struct Queue {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    running: usize,
    waiting: VecDeque<oneshot::Sender<Slot>>,
}

/// The right to run one statement; given back when it is dropped.
#[derive(Debug)]
pub struct Slot {
    queue: Option<Arc<Queue>>,
}

impl Queue {
    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing in the critical sections can panic half way.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A slot that is free right now, when nobody waits before.
    pub fn try_enter(self: &Arc<Self>, limit: usize) -> Option<Slot> {
        let mut state = self.lock();
        while state.waiting.front().is_some_and(oneshot::Sender::is_closed) {
            state.waiting.pop_front();
        }
        if state.running >= limit || !state.waiting.is_empty() {
            return None;
        }
        state.running += 1;
        Some(Slot { queue: Some(Arc::clone(self)) })
    }

    /// A slot, waiting for it at most `patience`. Dropping the future gives up the place.
    pub async fn enter(self: &Arc<Self>, limit: usize, patience: Duration) -> Result<Slot, ClientError> {
        if let Some(slot) = self.try_enter(limit) {
            return Ok(slot);
        }
        let (sender, receiver) = oneshot::channel();
        self.lock().waiting.push_back(sender);
        match tokio::time::timeout(patience, receiver).await {
            Ok(Ok(slot)) => Ok(slot),
            Ok(Err(_)) | Err(_) => Err(too_many(limit, patience)),
        }
    }

    /// How many run and how many wait.
    pub fn length(&self) -> (usize, usize) {
        let state = self.lock();
        (state.running, state.waiting.iter().filter(|waiter| !waiter.is_closed()).count())
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let Some(queue) = self.queue.take() else { return };
        loop {
            let next = {
                let mut state = queue.lock();
                match state.waiting.pop_front() {
                    Some(next) => next,
                    None => {
                        state.running = state.running.saturating_sub(1);
                        return;
                    }
                }
            };
            match next.send(Slot { queue: Some(Arc::clone(&queue)) }) {
                Ok(()) => return,
                // That one has given up: its slot must not run this destructor too.
                Err(mut returned) => drop(returned.queue.take()),
            }
        }
    }
}

fn too_many(limit: usize, patience: Duration) -> ClientError {
    let statements = if limit == 1 { "statement" } else { "statements" };
    ClientError::new(
        ErrorKind::Limit,
        sqlstate::TOO_MANY_CONNECTIONS,
        format!("too many statements at once: {limit} {statements} of this user may run at a time"),
    )
    .with_detail(format!("The statement waited {} for one of them to end.", super::duration_text(patience)))
    .with_hint("Run fewer statements at once, or ask the owner of the policy for a larger max_concurrent.")
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_secs(60);

    #[tokio::test]
    async fn slots_are_handed_over_in_order() {
        let queue = Arc::new(Queue::default());
        let first = queue.enter(1, LONG).await.unwrap();
        let order = Arc::new(Mutex::new(Vec::new()));
        let mut tasks = Vec::new();
        for name in ["a", "b", "c"] {
            let (queue, order) = (Arc::clone(&queue), Arc::clone(&order));
            let waiting = queue.length().1;
            let waiter = Arc::clone(&queue);
            tasks.push(tokio::spawn(async move {
                let _slot = waiter.enter(1, LONG).await.unwrap();
                order.lock().unwrap().push(name);
            }));
            while queue.length().1 == waiting {
                tokio::task::yield_now().await;
            }
        }
        drop(first);
        for task in tasks {
            task.await.unwrap();
        }
        assert_eq!(*order.lock().unwrap(), ["a", "b", "c"]);
        assert_eq!(queue.length(), (0, 0));
    }

    #[tokio::test]
    async fn a_slot_is_not_lost_on_one_who_gave_up() {
        let queue = Arc::new(Queue::default());
        let first = queue.enter(1, LONG).await.unwrap();
        let given_up = queue.enter(1, Duration::from_millis(5)).await.unwrap_err();
        assert_eq!(given_up.sqlstate, sqlstate::TOO_MANY_CONNECTIONS);
        assert!(given_up.message.contains('1'), "{given_up}");
        let second = tokio::spawn({
            let queue = Arc::clone(&queue);
            async move { queue.enter(1, LONG).await.map(drop) }
        });
        while queue.length().1 == 0 {
            tokio::task::yield_now().await;
        }
        drop(first);
        second.await.unwrap().unwrap();
        assert_eq!(queue.length(), (0, 0));
    }

    #[test]
    fn nobody_overtakes_who_waits() {
        let queue = Arc::new(Queue::default());
        let first = queue.try_enter(2);
        let (sender, receiver) = oneshot::channel();
        queue.lock().waiting.push_back(sender);
        assert!(queue.try_enter(2).is_none());
        drop(receiver);
        drop(first);
        assert_eq!(queue.length(), (0, 0));
    }
}
