//! One timer a session. A deadline that moves later costs nothing: the timer goes off early, finds that, and is set anew.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::{Instant, Sleep};

/// What the session is waiting for with a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deadline {
    /// A statement runs at most this long.
    Statement(Duration),
    /// A transaction idles at most this long.
    IdleInTransaction(Duration),
    /// A warehouse that was asked to cancel has this long to answer.
    Cancelled,
}

/// The timer.
#[derive(Debug)]
pub struct Clock {
    sleep: Pin<Box<Sleep>>,
    /// When the timer goes off; `None`: it is not set.
    armed: Option<Instant>,
    due: Option<(Instant, Deadline)>,
}

impl Clock {
    /// A timer that is not set.
    pub fn new() -> Self {
        Self { sleep: Box::pin(tokio::time::sleep(Duration::ZERO)), armed: None, due: None }
    }

    /// From now on this deadline holds.
    pub fn set(&mut self, at: Instant, deadline: Deadline) {
        self.due = Some((at, deadline));
    }

    /// No deadline holds.
    pub fn clear(&mut self) {
        self.due = None;
    }

    /// The deadline that holds.
    pub fn due(&self) -> Option<(Instant, Deadline)> {
        self.due
    }

    /// The limit of a statement whose time is over, whether or not the timer has said so yet.
    pub fn overdue(&self) -> Option<Duration> {
        const GRAIN: Duration = Duration::from_millis(2);
        match self.due {
            Some((at, Deadline::Statement(limit))) if at <= Instant::now() + GRAIN => Some(limit),
            _ => None,
        }
    }

    /// Ready when the deadline has passed, which is then forgotten.
    pub fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Deadline> {
        let Some((at, deadline)) = self.due else { return Poll::Pending };
        loop {
            if self.armed.is_none_or(|armed| armed > at) {
                self.sleep.as_mut().reset(at);
                self.armed = Some(at);
            }
            if self.sleep.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
            let reached = self.armed.take().is_some_and(|armed| armed >= at);
            if reached {
                self.due = None;
                return Poll::Ready(deadline);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use super::*;

    #[tokio::test]
    async fn a_later_deadline_waits_longer_and_an_earlier_one_shorter() {
        let mut clock = Clock::new();
        let start = Instant::now();
        let limit = Deadline::Statement(Duration::from_secs(1));
        clock.set(start + Duration::from_millis(5), limit);
        assert!(poll_fn(|cx| Poll::Ready(clock.poll(cx).is_pending())).await);
        clock.set(start + Duration::from_millis(60), limit);
        assert_eq!(poll_fn(|cx| clock.poll(cx)).await, limit);
        assert!(start.elapsed() >= Duration::from_millis(60));
        assert!(clock.due().is_none());

        let again = Instant::now();
        clock.set(again + Duration::from_secs(3600), limit);
        assert!(poll_fn(|cx| Poll::Ready(clock.poll(cx).is_pending())).await);
        clock.set(again + Duration::from_millis(5), Deadline::Cancelled);
        assert_eq!(poll_fn(|cx| clock.poll(cx)).await, Deadline::Cancelled);
        assert!(again.elapsed() < Duration::from_secs(60));
    }

    #[tokio::test]
    async fn without_a_deadline_it_never_goes_off() {
        let mut clock = Clock::new();
        clock.set(Instant::now() + Duration::from_millis(2), Deadline::Cancelled);
        clock.clear();
        let waited = tokio::time::timeout(Duration::from_millis(20), poll_fn(|cx| clock.poll(cx))).await;
        assert!(waited.is_err());
    }
}
