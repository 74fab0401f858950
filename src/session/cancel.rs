//! Cancelling: pgveil's own process numbers and keys, and what wakes the session that they belong to.
//!
//! A client sends its key on a new connection, which is never answered: who guesses learns nothing.

use std::future::poll_fn;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use dashmap::DashMap;
use dashmap::mapref::entry::Entry;
use subtle::ConstantTimeEq;

use crate::names::UserName;

/// All sessions that can be cancelled.
#[derive(Clone, Debug, Default)]
pub struct Registry {
    sessions: Arc<DashMap<i32, Session>>,
}

struct Session {
    key: Box<[u8]>,
    user: UserName,
    signals: Arc<Signals>,
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session").field("user", &self.user).finish_non_exhaustive()
    }
}

#[derive(Debug, Default)]
struct Signals {
    cancel: Signal,
    terminate: Signal,
}

/// A flag that its session's task can wait for. Unlike a stored wake-up it can be withdrawn. It is asked at each turn of a
/// session, so asking again costs a comparison.
#[derive(Debug, Default)]
struct Signal {
    raised: AtomicBool,
    waiting: Mutex<Option<Waker>>,
}

impl Signal {
    fn waiting(&self) -> MutexGuard<'_, Option<Waker>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
    fn raise(&self) {
        self.raised.store(true, Ordering::Release);
        let waiting = self.waiting().clone();
        if let Some(waiting) = waiting {
            waiting.wake();
        }
    }
    fn withdraw(&self) {
        self.raised.store(false, Ordering::Release);
    }
    fn poll(&self, cx: &mut Context<'_>) -> Poll<()> {
        {
            let mut waiting = self.waiting();
            if !waiting.as_ref().is_some_and(|waiting| waiting.will_wake(cx.waker())) {
                *waiting = Some(cx.waker().clone());
            }
        }
        // Looked at after the waker is there: one that is raised in between wakes it.
        match self.raised.load(Ordering::Acquire) && self.raised.swap(false, Ordering::AcqRel) {
            true => Poll::Ready(()),
            false => Poll::Pending,
        }
    }
}

impl Registry {
    /// Gives a session its process number and key: 4 bytes up to protocol 3.1, 32 from 3.2. It is forgotten when the
    /// registration is dropped.
    pub fn register(&self, user: &UserName, protocol: (u16, u16)) -> Registration {
        let key: Box<[u8]> =
            if protocol >= (3, 2) { Box::new(rand::random::<[u8; 32]>()) } else { Box::new(rand::random::<[u8; 4]>()) };
        let signals = Arc::new(Signals::default());
        loop {
            let pid = rand::random_range(1..=i32::MAX);
            if let Entry::Vacant(place) = self.sessions.entry(pid) {
                place.insert(Session { key: key.clone(), user: user.clone(), signals: Arc::clone(&signals) });
                return Registration { pid, key, signals, sessions: Arc::clone(&self.sessions) };
            }
        }
    }

    /// A CancelRequest. Whether it fitted a session is for logs and metrics alone.
    pub fn cancel(&self, pid: i32, key: &[u8]) -> bool {
        let Some(session) = self.sessions.get(&pid) else { return false };
        let fits = bool::from(session.key.ct_eq(key));
        if fits {
            session.signals.cancel.raise();
        }
        fits
    }

    /// `pg_cancel_backend(pid)` by a user: reaches that user's own sessions alone.
    pub fn cancel_by_pid(&self, pid: i32, user: &UserName) -> bool {
        self.own(pid, user, |signals| signals.cancel.raise())
    }

    /// `pg_terminate_backend(pid)` by a user: reaches that user's own sessions alone.
    pub fn terminate_by_pid(&self, pid: i32, user: &UserName) -> bool {
        self.own(pid, user, |signals| signals.terminate.raise())
    }

    fn own(&self, pid: i32, user: &UserName, act: impl FnOnce(&Signals)) -> bool {
        let Some(session) = self.sessions.get(&pid).filter(|session| session.user == *user) else { return false };
        act(&session.signals);
        true
    }

    /// How many sessions are registered.
    pub fn len(&self) -> usize {
        self.sessions.len()
    }

    /// Whether no session is registered.
    pub fn is_empty(&self) -> bool {
        self.sessions.is_empty()
    }
}

/// A session's own end of its entry.
pub struct Registration {
    pid: i32,
    key: Box<[u8]>,
    signals: Arc<Signals>,
    sessions: Arc<DashMap<i32, Session>>,
}

impl std::fmt::Debug for Registration {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Registration").field("pid", &self.pid).finish_non_exhaustive()
    }
}

impl Registration {
    /// The process number, positive and unique among the sessions of now.
    pub fn pid(&self) -> i32 {
        self.pid
    }
    /// The secret for BackendKeyData. Never logged.
    pub fn key(&self) -> &[u8] {
        &self.key
    }
    /// Waits for a cancel; each one is seen once. Dropping the future loses none.
    pub async fn cancelled(&self) {
        poll_fn(|cx| self.signals.cancel.poll(cx)).await;
    }
    /// Waits for `pg_terminate_backend`.
    pub async fn terminated(&self) {
        poll_fn(|cx| self.signals.terminate.poll(cx)).await;
    }
    /// Forgets a cancel that came while nothing was running: it must not hit the next statement.
    pub fn forget_cancel(&self) {
        self.signals.cancel.withdraw();
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        self.sessions.remove(&self.pid);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::timeout;

    use super::*;

    fn user(name: &str) -> UserName {
        UserName::new(name)
    }

    async fn is_raised(registration: &Registration) -> bool {
        timeout(Duration::from_millis(20), registration.cancelled()).await.is_ok()
    }

    #[tokio::test]
    async fn only_the_right_key_cancels() {
        let registry = Registry::default();
        let one = registry.register(&user("ana"), (3, 0));
        let other = registry.register(&user("ana"), (3, 2));
        assert_eq!((one.key().len(), other.key().len()), (4, 32));
        assert!(one.pid() > 0 && other.pid() > 0 && one.pid() != other.pid());

        let mut wrong = one.key().to_vec();
        wrong[3] ^= 1;
        assert!(!registry.cancel(one.pid(), &wrong));
        assert!(!registry.cancel(one.pid(), &one.key()[..3]));
        assert!(!registry.cancel(one.pid(), &[]));
        assert!(!registry.cancel(one.pid(), other.key()));
        assert!(!is_raised(&one).await);

        assert!(registry.cancel(one.pid(), one.key()));
        assert!(is_raised(&one).await);
        assert!(!is_raised(&one).await, "a cancel is seen once");
        assert!(!is_raised(&other).await);
    }

    #[tokio::test]
    async fn a_waiting_session_is_woken_and_a_late_cancel_can_be_forgotten() {
        let registry = Registry::default();
        let session = registry.register(&user("ana"), (3, 0));
        let (pid, key) = (session.pid(), session.key().to_vec());
        let woken = tokio::spawn(async move {
            session.cancelled().await;
            session
        });
        tokio::task::yield_now().await;
        assert!(registry.cancel(pid, &key));
        let session = timeout(Duration::from_secs(60), woken).await.unwrap().unwrap();

        registry.cancel(pid, &key);
        session.forget_cancel();
        assert!(!is_raised(&session).await);
        registry.cancel(pid, &key);
        assert!(is_raised(&session).await);
    }

    #[tokio::test]
    async fn a_user_reaches_own_sessions_by_number() {
        let registry = Registry::default();
        let session = registry.register(&user("ana"), (3, 0));
        assert!(!registry.cancel_by_pid(session.pid(), &user("bob")));
        assert!(!registry.terminate_by_pid(session.pid(), &user("bob")));
        assert!(!is_raised(&session).await);
        assert!(registry.cancel_by_pid(session.pid(), &user("ana")));
        assert!(is_raised(&session).await);
        assert!(registry.terminate_by_pid(session.pid(), &user("ana")));
        timeout(Duration::from_secs(60), session.terminated()).await.unwrap();

        let pid = session.pid();
        drop(session);
        assert!(registry.is_empty());
        assert!(!registry.cancel_by_pid(pid, &user("ana")));
    }

    #[test]
    fn nothing_secret_is_printed() {
        let registry = Registry::default();
        let session = registry.register(&user("ana"), (3, 0));
        let key = format!("{:?}", session.key());
        assert!(!format!("{registry:?}{session:?}").contains(&key));
    }
}
