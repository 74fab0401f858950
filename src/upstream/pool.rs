//! The connections to one warehouse, pooled by transaction.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant as Clock};

use jiff::Timestamp;
use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep, timeout_at};
use tracing::{info, warn};

use crate::config::WarehouseConfig;
use crate::names::WarehouseName;

use super::connect::{ConnectError, Target};
use super::connection::Connection;
use super::error::{Outage, PoolError};
use super::lease::Lease;

/// An idle connection is closed after this long …
const IDLE_LIMIT: Duration = Duration::from_secs(600);
/// … and any, when it comes back, after this long: names and certificates may have changed.
const LIFETIME: Duration = Duration::from_secs(3600);
/// How often idle connections are looked at.
const SWEEP: Duration = Duration::from_secs(15);
/// Pauses between attempts to reach a warehouse that is down: the first, the longest while statements wait for it, the
/// longest later, and the longest when waiting alone cannot help.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const EAGER_PAUSE: Duration = Duration::from_millis(800);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
const PATIENT_PAUSE: Duration = Duration::from_secs(30);

/// The pool of one warehouse. Clones share it.
#[derive(Clone)]
pub struct Pool {
    shared: Arc<Shared>,
}

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
    /// No attempt has ended yet.
    Unknown,
    /// The last attempt succeeded.
    Up,
    /// Attempts fail.
    Down(Outage),
}

pub(super) struct Shared {
    warehouse: WarehouseName,
    target: Target,
    acquire_timeout: Duration,
    state: Mutex<State>,
}

struct State {
    /// The one that came back last is given first: the others may be closed after a while.
    #[expect(clippy::vec_box, reason = "connections change hands often, and are large")]
    idle: Vec<Box<Connection>>,
    waiting: VecDeque<Waiter>,
    /// Who waits, counted to tell them apart.
    next_waiter: u64,
    stats: PoolStats,
    outage: Option<Down>,
    sweeping: bool,
    closed: bool,
}

struct Waiter {
    number: u64,
    answer: oneshot::Sender<Result<Lease, PoolError>>,
}

struct Down {
    outage: Outage,
    began: Clock,
    permanent: bool,
    /// One task at a time tries again.
    probing: bool,
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pool({}, {:?})", self.shared.warehouse, self.stats())
    }
}

impl Pool {
    /// A pool that opens connections when they are asked for. `options` are custom settings for the start-up options
    /// (`pgveil.ki` and so on): they are never logged and stand in no SQL text.
    /// The error says what is wrong with the DSN, without the password.
    pub fn new(
        warehouse: WarehouseName,
        config: &WarehouseConfig,
        options: Vec<(String, String)>,
    ) -> Result<Self, String> {
        let stats = PoolStats { size: config.pool_size.max(1), ..PoolStats::default() };
        let state = State {
            idle: Vec::new(),
            waiting: VecDeque::new(),
            next_waiter: 0,
            stats,
            outage: None,
            sweeping: false,
            closed: false,
        };
        let shared = Shared {
            warehouse,
            target: Target::new(config, options)?,
            acquire_timeout: config.acquire_timeout,
            state: Mutex::new(state),
        };
        Ok(Self { shared: Arc::new(shared) })
    }
    /// Which warehouse.
    pub fn warehouse(&self) -> &WarehouseName {
        &self.shared.warehouse
    }
    /// `acquire_timeout`: `pool.acquire(Instant::now() + pool.acquire_timeout())`.
    pub fn acquire_timeout(&self) -> Duration {
        self.shared.acquire_timeout
    }

    /// A connection, in the order of asking. While an outage is younger than `acquire_timeout` a statement waits (a restart of
    /// the warehouse passes unnoticed); then all who wait are told, later ones fail at once, and a probe goes on in the background. Where waiting cannot
    /// help (a wrong password) they fail at once from the beginning.
    /// Cancel-safe: a dropped future leaves the queue.
    pub async fn acquire(&self, deadline: Instant) -> Result<Lease, PoolError> {
        if let Some(lease) = self.try_acquire() {
            return Ok(lease);
        }
        let limit = deadline.saturating_duration_since(Instant::now());
        let (mut place, number) = {
            let mut state = self.shared.state();
            self.shared.refusal(&state)?;
            let (answer, place) = oneshot::channel();
            let number = state.next_waiter;
            state.next_waiter += 1;
            state.waiting.push_back(Waiter { number, answer });
            self.shared.open_for_waiting(&mut state);
            (place, number)
        };
        // A lease that was sent to a place that nobody looks at any more is dropped with it, and so goes back.
        let _leaves = LeaveQueue { shared: &self.shared, number };
        match timeout_at(deadline, &mut place).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(_)) => Err(PoolError::Closed { warehouse: self.shared.warehouse.clone() }),
            Err(_) => Err(self.shared.too_late(limit)),
        }
    }

    /// A connection when one is free at this moment and nobody waits.
    pub fn try_acquire(&self) -> Option<Lease> {
        loop {
            let mut connection = {
                let mut state = self.shared.state();
                if state.closed || !state.waiting.is_empty() {
                    return None;
                }
                let connection = state.idle.pop()?;
                state.stats.idle -= 1;
                state.stats.leased += 1;
                state.stats.acquired += 1;
                connection
            };
            if connection.still_stands() && connection.begin_lease().is_ok() {
                return Some(Lease::new(connection, self.shared.clone()));
            }
            self.shared.state().stats.acquired -= 1;
            self.shared.closed_one(connection);
        }
    }

    /// How to reach the warehouse, for facts and checks.
    pub fn target(&self) -> &Target {
        &self.shared.target
    }
    /// Opens a connection when there is none, so that [`Self::health`] knows.
    pub fn warm(&self) {
        let mut state = self.shared.state();
        if state.total() == 0 && !state.closed {
            self.shared.open(&mut state);
        }
    }
    /// For metrics.
    pub fn stats(&self) -> PoolStats {
        let state = self.shared.state();
        PoolStats { waiting: state.waiting.len(), ..state.stats }
    }
    /// For `/readyz`.
    pub fn health(&self) -> Health {
        let state = self.shared.state();
        match &state.outage {
            Some(down) => Health::Down(down.outage.clone()),
            None if state.stats.opened > 0 => Health::Up,
            None => Health::Unknown,
        }
    }
    /// Closes what is idle and refuses what comes; leases that are out are closed when they come back.
    pub fn close(&self) {
        let idle = {
            let mut state = self.shared.state();
            state.closed = true;
            state.waiting.clear();
            let idle = std::mem::take(&mut state.idle);
            state.stats.closed += idle.len() as u64;
            state.stats.idle = 0;
            idle
        };
        idle.into_iter().for_each(|connection| connection.terminate());
    }
}

struct LeaveQueue<'a> {
    shared: &'a Shared,
    number: u64,
}

impl Drop for LeaveQueue<'_> {
    fn drop(&mut self) {
        let mut state = self.shared.state();
        if let Some(at) = state.waiting.iter().position(|waiter| waiter.number == self.number) {
            state.waiting.remove(at);
        }
    }
}

impl State {
    fn total(&self) -> usize {
        self.stats.idle + self.stats.leased + self.stats.opening
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Why nobody should wait now.
    fn refusal(&self, state: &State) -> Result<(), PoolError> {
        let warehouse = || self.warehouse.clone();
        if state.closed {
            return Err(PoolError::Closed { warehouse: warehouse() });
        }
        match &state.outage {
            Some(down)
                if state.stats.leased == 0 && (down.permanent || down.began.elapsed() > self.acquire_timeout) =>
            {
                Err(PoolError::Unreachable { warehouse: warehouse(), outage: down.outage.clone() })
            }
            _ => Ok(()),
        }
    }

    fn too_late(&self, limit: Duration) -> PoolError {
        let state = self.state();
        let warehouse = self.warehouse.clone();
        match &state.outage {
            Some(down) if state.stats.leased == 0 => PoolError::Unreachable { warehouse, outage: down.outage.clone() },
            _ => PoolError::Busy { warehouse, waited: round(limit), size: state.stats.size },
        }
    }

    /// As many new connections as there are people waiting, within the size; while the warehouse is down the one that
    /// probes is enough.
    fn open_for_waiting(self: &Arc<Self>, state: &mut State) {
        while state.stats.opening < state.waiting.len() && state.total() < state.stats.size {
            if state.outage.as_ref().is_some_and(|down| down.probing) {
                return;
            }
            self.open(state);
        }
    }

    fn open(self: &Arc<Self>, state: &mut State) {
        let Ok(runtime) = Handle::try_current() else { return };
        state.stats.opening += 1;
        if !std::mem::replace(&mut state.sweeping, true) {
            runtime.spawn(sweep(Arc::downgrade(self)));
        }
        runtime.spawn(open(self.clone(), self.target.clone()));
    }

    fn opened(self: &Arc<Self>, connection: Connection) {
        let mut state = self.state();
        state.stats.opening -= 1;
        state.stats.opened += 1;
        if let Some(down) = state.outage.take() {
            info!(warehouse = %self.warehouse, outage = ?down.began.elapsed(), "the warehouse answers again");
        }
        state.stats.leased += 1;
        drop(state);
        self.give(Box::new(connection));
    }

    /// Notes a failed attempt. How long to wait before the next; `None`: somebody else tries.
    fn failed(&self, error: &ConnectError, attempt: u32) -> Option<Duration> {
        let permanent = error.problem.is_permanent();
        let mut state = self.state();
        state.stats.failures += 1;
        let known = state.outage.as_ref().is_some_and(|down| down.outage.reason == error.message);
        if !known {
            warn!(warehouse = %self.warehouse, problem = ?error.problem, "the warehouse cannot be reached: {error}");
        }
        let down = state.outage.get_or_insert_with(|| Down {
            outage: Outage { since: Timestamp::now(), reason: String::new() },
            began: Clock::now(),
            permanent,
            probing: false,
        });
        down.outage.reason.clone_from(&error.message);
        down.permanent = permanent;
        let probes = attempt > 0 || !down.probing;
        down.probing = true;
        if state.stats.leased == 0 {
            self.refuse_waiting(&mut state);
        }
        if !probes || state.closed {
            state.stats.opening -= 1;
            return None;
        }
        let longest = match state.outage.as_ref() {
            _ if permanent => PATIENT_PAUSE,
            // People wait.
            Some(down) if down.began.elapsed() < self.acquire_timeout => EAGER_PAUSE,
            _ => LONGEST_PAUSE,
        };
        let pause = FIRST_PAUSE.saturating_mul(2_u32.saturating_pow(attempt.min(16))).min(longest);
        Some(pause.mul_f64(rand::random_range(0.5..1.0)))
    }

    fn refuse_waiting(&self, state: &mut State) {
        if let Err(refusal) = self.refusal(state) {
            for waiter in state.waiting.drain(..) {
                let _ = waiter.answer.send(Err(refusal.clone()));
            }
        }
    }

    /// Gives a connection that counts as leased to whoever has waited longest, else puts it aside.
    pub(super) fn give(self: &Arc<Self>, mut connection: Box<Connection>) {
        let now = Clock::now();
        let usable = connection.end_lease() && now.duration_since(connection.opened_at) < LIFETIME;
        loop {
            let mut state = self.state();
            if !usable || state.closed {
                drop(state);
                return self.closed_one(connection);
            }
            let Some(waiter) = state.waiting.pop_front() else {
                connection.idle_since = now;
                state.stats.leased -= 1;
                state.stats.idle += 1;
                state.idle.push(connection);
                return;
            };
            state.stats.acquired += 1;
            drop(state);
            if connection.begin_lease().is_err() {
                return self.closed_one(connection);
            }
            let lease = Lease::new(connection, self.clone());
            match waiter.answer.send(Ok(lease)) {
                Ok(()) | Err(Err(_)) => return,
                // It left in this very moment: the next one.
                Err(Ok(lease)) => match lease.take() {
                    Some(back) => connection = back,
                    None => return,
                },
            }
        }
    }

    /// Closes a connection that counts as leased; somebody who waits may get a new one.
    pub(super) fn closed_one(self: &Arc<Self>, connection: Box<Connection>) {
        connection.terminate();
        let mut state = self.state();
        state.stats.leased -= 1;
        state.stats.closed += 1;
        if !state.closed {
            self.open_for_waiting(&mut state);
        }
    }
}

/// The limit as somebody wrote it, not the microseconds less that were left of it.
fn round(limit: Duration) -> Duration {
    let step = if limit >= Duration::from_secs(1) { 100 } else { 10 };
    let millis = u64::try_from(limit.as_millis()).unwrap_or(u64::MAX);
    Duration::from_millis(millis.saturating_add(step / 2) / step * step)
}

/// Opens one connection; the first that fails goes on trying for all.
async fn open(shared: Arc<Shared>, target: Target) {
    let mut attempt = 0;
    let weak = Arc::downgrade(&shared);
    let mut held = Some(shared);
    loop {
        let result = target.connect().await;
        let Some(shared) = held.take().or_else(|| weak.upgrade()) else { return };
        match result {
            Ok(connection) => {
                shared.opened(connection);
                let mut state = shared.state();
                shared.open_for_waiting(&mut state);
                return;
            }
            Err(error) => {
                let Some(pause) = shared.failed(&error, attempt) else { return };
                attempt += 1;
                // A pool that nobody has any more is not probed for.
                drop(shared);
                sleep(pause).await;
            }
        }
    }
}

/// Closes what has been idle for too long, and what the warehouse has closed.
async fn sweep(shared: Weak<Shared>) {
    loop {
        sleep(SWEEP).await;
        let Some(shared) = shared.upgrade() else { return };
        let mut gone = Vec::new();
        {
            let mut state = shared.state();
            if state.closed {
                return;
            }
            let idle = std::mem::take(&mut state.idle);
            for mut connection in idle {
                let old = connection.idle_since.elapsed() > IDLE_LIMIT || connection.opened_at.elapsed() > LIFETIME;
                if !old && connection.still_stands() {
                    state.idle.push(connection);
                } else {
                    gone.push(connection);
                }
            }
            state.stats.idle = state.idle.len();
            state.stats.closed += gone.len() as u64;
        }
        gone.into_iter().for_each(|connection| connection.terminate());
    }
}
