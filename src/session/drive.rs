//! Moves bytes in all directions at once: from the warehouse to the client, from the client to its messages, and listens
//! for cancels, deadlines and the end of pgveil meanwhile. Whoever waits here waits for all of it, so there is no order of
//! messages in which two sides wait for each other.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Buf;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite};
use tokio::sync::watch;

use crate::error::{ClientError, ErrorKind, Severity, sqlstate};
use crate::statement::{Asking, Shutdown, duration_text, errors};
use crate::upstream::{RelayError, RelayStop};
use crate::wire::frontend;

use super::clock::Deadline;
use super::exchange::Asked;
use super::settings::Simulation;
use super::{End, MOST_OUTSTANDING, MOST_WAITING_FOR_CLIENT, Session, shutting_down};

/// What a client may send ahead while its messages wait.
const MOST_READ_AHEAD: usize = 64 * 1024;
/// Room that is made for reading.
const READ: usize = 8 * 1024;
/// A buffer that has grown above this is given up when it is empty.
const KEPT: usize = 32 * 1024;

/// Until when bytes are moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Until {
    /// A message of the client can be taken.
    Message,
    /// Everything that was asked is answered.
    Settled,
    /// The warehouse has nothing to answer any more, not even to pgveil itself.
    Quiet,
}

/// Why a wait for something else was given up.
#[derive(Debug)]
pub(super) enum Trouble {
    /// The statement is refused; the session goes on.
    Refused(ClientError),
    /// The session ends.
    End(End),
}

impl From<End> for Trouble {
    fn from(end: End) -> Self {
        Self::End(end)
    }
}

impl From<ClientError> for Trouble {
    fn from(error: ClientError) -> Self {
        match error.severity {
            Severity::Error => Self::Refused(error),
            Severity::Fatal => Self::End(End::Fatal(error)),
        }
    }
}

/// Until the client has sent a message that may be taken now.
pub(super) async fn until_message<S: AsyncRead + AsyncWrite + Unpin + Send>(
    session: &mut Session<S>,
) -> Result<(), End> {
    until(session, Until::Message).await
}

/// Until nothing is outstanding.
pub(super) async fn until_settled<S: AsyncRead + AsyncWrite + Unpin + Send>(
    session: &mut Session<S>,
) -> Result<(), End> {
    until(session, Until::Settled).await
}

/// Until the lease has nothing to wait for.
pub(super) async fn until_quiet<S: AsyncRead + AsyncWrite + Unpin + Send>(session: &mut Session<S>) -> Result<(), End> {
    until(session, Until::Quiet).await
}

async fn until<S: AsyncRead + AsyncWrite + Unpin + Send>(session: &mut Session<S>, until: Until) -> Result<(), End> {
    let registration = Arc::clone(&session.registration);
    let mut phase = *session.shutdown.borrow();
    let mut cancelled = pin!(registration.cancelled());
    let mut terminated = pin!(registration.terminated());
    let mut shutdown = pin!(beyond(session.shutdown.clone(), phase));
    poll_fn(|cx| {
        loop {
            if let Poll::Ready(result) = session.poll_bytes(cx, until) {
                return Poll::Ready(result);
            }
            let idle = until == Until::Message && session.exchange.is_empty() && session.outbox.is_empty();
            if phase == Shutdown::CutOff || (phase == Shutdown::Draining && idle) {
                return Poll::Ready(Err(End::Fatal(shutting_down())));
            }
            if cancelled.as_mut().poll(cx).is_ready() {
                session.interrupt(cancelled_by_user());
                cancelled.set(registration.cancelled());
                continue;
            }
            if terminated.as_mut().poll(cx).is_ready() {
                return Poll::Ready(Err(End::Fatal(terminated_by_user())));
            }
            if shutdown.as_mut().poll(cx).is_ready() {
                phase = *session.shutdown.borrow();
                shutdown.set(beyond(session.shutdown.clone(), phase));
                continue;
            }
            match session.clock.poll(cx) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(deadline) => {
                    if let Err(end) = session.deadline_passed(deadline) {
                        return Poll::Ready(Err(end));
                    }
                }
            }
        }
    })
    .await
}

/// Until the shutdown has come further than this phase.
async fn beyond(mut watch: watch::Receiver<Shutdown>, phase: Shutdown) {
    if phase == Shutdown::CutOff || watch.wait_for(|now| *now > phase).await.is_err() {
        std::future::pending::<()>().await;
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Session<S> {
    fn poll_bytes(&mut self, cx: &mut Context<'_>, until: Until) -> Poll<Result<(), End>> {
        loop {
            if let Err(end) = self.poll_warehouse(cx) {
                return Poll::Ready(Err(end));
            }
            self.tell_owed();
            if self.is_reached(until) {
                return Poll::Ready(Ok(()));
            }
            match self.poll_send(cx) {
                Ok(true) => continue,
                Ok(false) => {}
                Err(end) => return Poll::Ready(Err(end)),
            }
            match self.poll_receive(cx) {
                Poll::Ready(Ok(())) => {}
                Poll::Ready(Err(end)) => return Poll::Ready(Err(end)),
                Poll::Pending => return Poll::Pending,
            }
        }
    }

    fn is_reached(&self, until: Until) -> bool {
        match until {
            Until::Message => {
                let room = self.exchange.len() < MOST_OUTSTANDING && self.outbox.len() < MOST_WAITING_FOR_CLIENT;
                room && match frontend::frame(&self.inbox, self.shared.max_message) {
                    Ok(Some(header)) => self.inbox.len() >= header.len,
                    Ok(None) => false,
                    // The one who takes messages will say so.
                    Err(_) => true,
                }
            }
            Until::Settled => self.exchange.is_empty(),
            Until::Quiet => self.exchange.is_empty() && self.lease.as_ref().is_none_or(|lease| !lease.is_waiting()),
        }
    }

    /// Takes what the warehouse has sent, and asks it for more.
    fn poll_warehouse(&mut self, cx: &mut Context<'_>) -> Result<(), End> {
        while self.outbox.len() < MOST_WAITING_FOR_CLIENT {
            let Some(lease) = self.lease.as_mut() else { return Ok(()) };
            if let Some(run) = self.exchange.current()
                && run.explain.is_none()
                && (self.relaying || matches!(lease.peek_tag(), Ok(Some(b'D' | b'd'))))
            {
                run.say_notices(&mut self.outbox);
                self.relaying = true;
                let relayed = run.relay.poll(cx, lease, Pin::new(&mut self.stream), &mut self.outbox);
                self.relaying = relayed.is_pending();
                match relayed {
                    Poll::Pending => return Ok(()),
                    Poll::Ready(Ok(RelayStop::Frame)) => {}
                    Poll::Ready(Ok(RelayStop::Cap)) => self.cap_reached(),
                    Poll::Ready(Err(RelayError::Client(_))) => return Err(End::Closed),
                    Poll::Ready(Err(RelayError::Upstream(error))) => self.lost(&error)?,
                }
                continue;
            }
            match lease.next_frame() {
                Ok(Some(frame)) => {
                    if frame.tag == b'E' && frame.raw.get(5..).is_some_and(errors::doubts_facts) {
                        self.shared.doubts.notify_one();
                    }
                    if frame.tag == b'E' && self.interrupted.is_none() {
                        // The warehouse keeps the same limit and may be the first to notice.
                        self.interrupted = self.clock.overdue().map(timed_out);
                    }
                    let locate = |asked: &Asked, position| {
                        let asking = Asking {
                            snapshot: &self.snapshot,
                            surroundings: &self.surroundings,
                            id: self.surroundings_id,
                        };
                        let simulated = Simulation {
                            settings: self.settings.clone(),
                            transaction: self.transaction.clone(),
                            pid: self.registration.pid(),
                        };
                        asking.origin(&asked.text, &asked.types, simulated, &asked.permit.sql, position)
                    };
                    let cause = self.interrupted.as_ref();
                    let effect = self.exchange.answer(frame.tag, frame.raw, cause, &locate, &mut self.outbox);
                    match effect {
                        Ok(effect) => self.take_effect(effect)?,
                        Err(unexpected) => self.unexpected(unexpected)?,
                    }
                    if self.cancelling.is_none() {
                        self.interrupted = None;
                    }
                }
                Ok(None) => match lease.poll_fill(cx) {
                    Poll::Pending => return Ok(()),
                    Poll::Ready(Ok(())) => {}
                    Poll::Ready(Err(error)) => self.lost(&error)?,
                },
                Err(error) => self.lost(&error)?,
            }
        }
        Ok(())
    }

    /// Sends what there is for the client. True: there is room again for what waits in the warehouse.
    fn poll_send(&mut self, cx: &mut Context<'_>) -> Result<bool, End> {
        let full = self.outbox.len() >= MOST_WAITING_FOR_CLIENT;
        let patient = self.is_patient();
        while !patient && !self.outbox.is_empty() {
            match Pin::new(&mut self.stream).poll_write(cx, &self.outbox) {
                Poll::Ready(Ok(0) | Err(_)) => return Err(End::Closed),
                Poll::Ready(Ok(sent)) => self.outbox.advance(sent),
                Poll::Pending => return Ok(full && self.outbox.len() < MOST_WAITING_FOR_CLIENT),
            }
        }
        // TLS keeps what it could not send.
        match Pin::new(&mut self.stream).poll_flush(cx) {
            Poll::Ready(Err(_)) => return Err(End::Closed),
            Poll::Ready(Ok(())) | Poll::Pending => {}
        }
        if self.outbox.capacity() > KEPT {
            self.outbox = bytes::BytesMut::new();
        }
        Ok(full)
    }

    /// What pgveil has answered itself goes with the rest of an answer that is coming: Postgres sends neither before Sync.
    fn is_patient(&self) -> bool {
        self.lease.is_some() && self.exchange.ends_with_ready() && is_completions(&self.outbox)
    }

    /// Reads what the client sends, also while its earlier messages are under way: so its going away is noticed.
    fn poll_receive(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), End>> {
        let wanted = match frontend::frame(&self.inbox, self.shared.max_message) {
            Ok(Some(header)) => header.len.saturating_sub(self.inbox.len()),
            _ => 0,
        };
        if wanted == 0 && self.inbox.len() >= MOST_READ_AHEAD {
            return Poll::Pending;
        }
        if self.inbox.is_empty() && self.inbox.capacity() > KEPT {
            self.inbox = bytes::BytesMut::new();
        }
        // A message that is announced is not given room before it comes: announcing costs nothing.
        self.inbox.reserve(wanted.clamp(READ, MOST_READ_AHEAD));
        match pin!(self.stream.read_buf(&mut self.inbox)).poll(cx) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(Ok(0) | Err(_)) => Poll::Ready(Err(End::Closed)),
            Poll::Ready(Ok(_)) => Poll::Ready(Ok(())),
        }
    }

    /// Waits for a place or a connection. Until then the client may cancel or go, and its statement's time runs.
    pub(super) async fn wait_for<T>(&mut self, what: impl Future<Output = T>) -> Result<T, Trouble> {
        let registration = Arc::clone(&self.registration);
        let cut_off = async |mut watch: watch::Receiver<Shutdown>| {
            watch.wait_for(|phase| *phase == Shutdown::CutOff).await.map(drop)
        };
        let mut cancelled = pin!(registration.cancelled());
        let mut terminated = pin!(registration.terminated());
        let mut shutdown = pin!(cut_off(self.shutdown.clone()));
        let mut what = pin!(what);
        poll_fn(|cx| {
            if let Poll::Ready(result) = what.as_mut().poll(cx) {
                return Poll::Ready(Ok(result));
            }
            if let Err(end) = self.poll_send(cx) {
                return Poll::Ready(Err(end.into()));
            }
            while let Poll::Ready(received) = self.poll_receive(cx) {
                if let Err(end) = received {
                    return Poll::Ready(Err(end.into()));
                }
            }
            if cancelled.as_mut().poll(cx).is_ready() {
                return Poll::Ready(Err(cancelled_by_user().into()));
            }
            if terminated.as_mut().poll(cx).is_ready() {
                return Poll::Ready(Err(terminated_by_user().into()));
            }
            if shutdown.as_mut().poll(cx).is_ready() {
                return Poll::Ready(Err(shutting_down().into()));
            }
            match self.clock.poll(cx) {
                Poll::Ready(Deadline::Statement(limit)) => Poll::Ready(Err(timed_out(limit).into())),
                Poll::Ready(Deadline::IdleInTransaction(_) | Deadline::Cancelled) | Poll::Pending => Poll::Pending,
            }
        })
        .await
    }
}

/// Whether these are ParseComplete, BindComplete and CloseComplete, a few of them.
fn is_completions(frames: &[u8]) -> bool {
    const MOST: usize = 8 * 5;
    frames.len() <= MOST && frames.chunks(5).all(|frame| matches!(frame, [b'1'..=b'3', 0, 0, 0, 4]))
}

/// Sends what there is for a client to whom nothing else will be said.
pub(super) async fn send_rest<W: AsyncWrite + Unpin>(
    stream: &mut W,
    outbox: &mut bytes::BytesMut,
) -> std::io::Result<()> {
    use tokio::io::AsyncWriteExt;
    stream.write_all_buf(outbox).await?;
    stream.flush().await
}

/// 57014 by the client's own wish.
fn cancelled_by_user() -> ClientError {
    ClientError::new(ErrorKind::Client, sqlstate::QUERY_CANCELED, "canceling statement due to user request")
}

/// `pg_terminate_backend`
fn terminated_by_user() -> ClientError {
    ClientError::fatal(
        ErrorKind::Client,
        sqlstate::ADMIN_SHUTDOWN,
        "terminating connection due to administrator command",
    )
}

/// 57014 at the limit.
pub(super) fn timed_out(limit: std::time::Duration) -> ClientError {
    ClientError::new(
        ErrorKind::Limit,
        sqlstate::QUERY_CANCELED,
        format!("canceling statement due to statement timeout ({})", duration_text(limit)),
    )
    .with_hint(
        "Ask for less at once: filter earlier, or aggregate; the owner of the policy can raise statement_timeout.",
    )
}
