//! One connection to the warehouse: its buffers, its frames, what state it is in. What can be enqueued is in `enqueue`.

use std::future::Future;
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};
use std::time::{Duration, Instant};

use bytes::{Buf, Bytes, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWrite};

use crate::wire::{self, TransactionStatus};

use super::cancel::{CancelTarget, UpstreamCancel};
use super::control::Control;
use super::error::UpstreamError;
use super::expect::{Conversation, Sent};
use super::stream::Stream;

/// What a read buffer begins with, and shrinks back to.
pub(super) const SMALL_BUFFER: usize = 16 * 1024;
/// What it grows to while rows stream.
pub(super) const LARGE_BUFFER: usize = 128 * 1024;
/// A frame that is not relayed is held whole; the warehouse has no reason to send a larger one.
const MAX_HELD: usize = 64 * 1024 * 1024;

/// A connection that was idle for less than this, which is less than a server takes to end, is taken to stand when the runtime
/// knows of nothing else.
const RECENT: Duration = Duration::from_millis(5);

/// One frame of the warehouse (or one answer of pgveil's own, see [`Connection::answer`]).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame<'a> {
    /// Its type byte.
    pub tag: u8,
    /// All of it, tag and length included: for forwarding as it is.
    pub raw: &'a [u8],
}

impl<'a> Frame<'a> {
    /// What follows the length.
    pub fn body(&self) -> &'a [u8] {
        wire::body(self.raw)
    }
}

/// A connection in a session's hands. Methods that enqueue send nothing; [`Self::fill`] and [`Self::flush`] do.
#[derive(Debug)]
pub struct Connection {
    stream: Stream,
    pub(super) read: BytesMut,
    pub(super) write: BytesMut,
    /// TLS may hold bytes back that were written.
    unflushed: bool,
    /// Length of the frame that was given out last; dropped before the next is looked at.
    given: usize,
    /// Frames of pgveil's own that are being given out, and the length of the one that was last.
    local: Bytes,
    local_given: usize,
    /// The length of the frame that has to be there whole before anything goes on.
    held: usize,
    streaming: bool,
    broken: bool,
    /// Cursors may be open that outlive a transaction.
    pub(super) declared: bool,
    pub(super) conversation: Conversation,
    cancel: Arc<CancelTarget>,
    pub(super) opened_at: Instant,
    pub(super) idle_since: Instant,
}

/// What comes next.
enum Next {
    /// A frame of the warehouse of this type and length.
    Wire(u8, usize),
    /// A frame of pgveil's own.
    Local(u8, usize),
}

impl Connection {
    pub(super) fn new(stream: Stream, parameters: Vec<(String, String)>, cancel: Arc<CancelTarget>) -> Self {
        let now = Instant::now();
        Self {
            stream,
            read: BytesMut::with_capacity(SMALL_BUFFER),
            write: BytesMut::with_capacity(1024),
            unflushed: false,
            given: 0,
            local: Bytes::new(),
            local_given: 0,
            held: 0,
            streaming: false,
            broken: false,
            declared: false,
            conversation: Conversation { parameters, ..Conversation::default() },
            cancel,
            opened_at: now,
            idle_since: now,
        }
    }
}

/// Input and output.
impl Connection {
    /// Sends everything that is enqueued. Cancel-safe. Prefer [`Self::fill`], which reads meanwhile: a warehouse that is
    /// writing may not read on until somebody takes what it writes.
    pub async fn flush(&mut self) -> Result<(), UpstreamError> {
        std::future::poll_fn(|cx| self.poll_flush(cx)).await
    }
    /// [`Self::flush`], polled.
    pub fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), UpstreamError>> {
        let sent = ready!(self.poll_send(cx));
        self.broken |= sent.is_err();
        Poll::Ready(sent.map_err(UpstreamError::Lost))
    }

    fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.write.is_empty() {
            match ready!(Pin::new(&mut self.stream).poll_write(cx, &self.write))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                n => self.write.advance(n),
            }
            self.unflushed = true;
        }
        if self.unflushed {
            ready!(Pin::new(&mut self.stream).poll_flush(cx))?;
            self.unflushed = false;
            if self.write.capacity() > LARGE_BUFFER {
                self.write = BytesMut::with_capacity(1024);
            }
        }
        Poll::Ready(Ok(()))
    }

    /// Sends what is enqueued and waits until bytes of the warehouse have come. Cancel-safe. Call it when
    /// [`Self::next_frame`] has none.
    pub async fn fill(&mut self) -> Result<(), UpstreamError> {
        std::future::poll_fn(|cx| self.poll_fill(cx)).await
    }
    /// [`Self::fill`], polled.
    pub fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), UpstreamError>> {
        let filled = ready!(self.poll_receive(cx));
        self.broken |= filled.is_err();
        Poll::Ready(filled.map_err(UpstreamError::Lost))
    }

    fn poll_receive(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        // When the warehouse does not take it any more, why may lie in what it has said.
        let unsent = match self.poll_send(cx) {
            Poll::Ready(Err(error)) => Some(error),
            Poll::Ready(Ok(())) | Poll::Pending => None,
        };
        self.drop_given();
        let wanted = if self.streaming { LARGE_BUFFER } else { SMALL_BUFFER };
        let missing = self.held.saturating_sub(self.read.len());
        if self.read.capacity() - self.read.len() < missing.max(wanted / 4) {
            self.read.reserve(missing.max(wanted.saturating_sub(self.read.len())));
        }
        let room = self.read.capacity() - self.read.len();
        let read = match (pin!(self.stream.read_buf(&mut self.read)).poll(cx), unsent) {
            (Poll::Ready(Ok(read)), _) => read,
            (_, Some(error)) | (Poll::Ready(Err(error)), None) => return Poll::Ready(Err(error)),
            (Poll::Pending, None) => return Poll::Pending,
        };
        if read == 0 {
            return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into()));
        }
        self.streaming |= read == room;
        Poll::Ready(Ok(()))
    }

    pub(super) fn drop_given(&mut self) {
        if self.given > 0 {
            self.read.advance(self.given.min(self.read.len()));
            self.given = 0;
        }
        if self.local_given > 0 {
            self.local.advance(self.local_given.min(self.local.len()));
            self.local_given = 0;
        }
    }

    /// The next frame for the session, when it is there. It is consumed. Swallowed ones do not show; ParameterStatus and
    /// NoticeResponse do when they come between the client's answers. Use a [`RowRelay`](super::RowRelay) for rows.
    pub fn next_frame(&mut self) -> Result<Option<Frame<'_>>, UpstreamError> {
        match self.next(true)? {
            None => Ok(None),
            Some(Next::Wire(tag, length)) => {
                self.given = length;
                Ok(Some(Frame { tag, raw: self.read.get(..length).unwrap_or_default() }))
            }
            Some(Next::Local(tag, length)) => {
                self.local_given = length;
                Ok(Some(Frame { tag, raw: self.local.get(..length).unwrap_or_default() }))
            }
        }
    }

    /// The tag of the next frame for the session without consuming it, as soon as its header is there.
    pub fn peek_tag(&mut self) -> Result<Option<u8>, UpstreamError> {
        Ok(self.next(false)?.map(|next| match next {
            Next::Wire(tag, _) | Next::Local(tag, _) => tag,
        }))
    }

    /// Whether the next frame is an answer of pgveil's own.
    pub(super) fn next_is_local(&self) -> bool {
        self.local.len() > self.local_given
            || matches!(self.conversation.expected.front().map(|e| &e.sent), Some(Sent::Local(_)))
    }

    fn next(&mut self, take: bool) -> Result<Option<Next>, UpstreamError> {
        let next = self.look(take);
        self.broken |= next.is_err();
        next
    }

    fn look(&mut self, take: bool) -> Result<Option<Next>, UpstreamError> {
        loop {
            self.drop_given();
            self.held = 0;
            if self.local.is_empty()
                && matches!(self.conversation.expected.front().map(|e| &e.sent), Some(Sent::Local(_)))
                && let Some(Sent::Local(frames)) = self.conversation.expected.pop_front().map(|e| e.sent)
            {
                self.local = frames;
                continue;
            }
            if !self.local.is_empty() {
                let header = wire::header(&self.local).ok().flatten().filter(|header| header.len <= self.local.len());
                let header = header.ok_or(UpstreamError::Unsendable("an answer of pgveil's own is no frame"))?;
                return Ok(Some(Next::Local(header.tag, header.len)));
            }
            let header = wire::header(&self.read).map_err(|error| UpstreamError::Protocol(error.to_string()))?;
            let Some(header) = header else { return Ok(None) };
            let shows = self.conversation.shows(header.tag);
            if shows && !take {
                return Ok(Some(Next::Wire(header.tag, header.len)));
            }
            let Some(frame) = self.read.get(..header.len) else {
                if header.len > MAX_HELD {
                    return Err(UpstreamError::Protocol(format!("a message of {} bytes", header.len)));
                }
                self.held = header.len;
                return Ok(None);
            };
            self.conversation.account(header.tag, wire::body(frame))?;
            if shows {
                return Ok(Some(Next::Wire(header.tag, header.len)));
            }
            self.given = header.len;
        }
    }
}

/// State.
impl Connection {
    /// As the last ReadyForQuery said.
    pub fn transaction_status(&self) -> TransactionStatus {
        self.conversation.status
    }
    /// Answers are outstanding (a ReadyForQuery, or answers of an unfinished pipeline).
    pub fn is_waiting(&self) -> bool {
        !self.conversation.expected.is_empty() || self.local.len() > self.local_given
    }
    /// Bytes that are enqueued and not sent: who pipelines without end is to be held back by it.
    pub fn unsent(&self) -> usize {
        self.write.len()
    }
    /// Extended messages were enqueued and no Sync after them.
    pub fn in_pipeline(&self) -> bool {
        self.conversation.open_unit
    }
    /// Whether a drop of the lease would give it back: idle, nothing outstanding, not broken. Let it go then.
    pub fn is_clean(&self) -> bool {
        self.is_quiet() && self.conversation.status == TransactionStatus::Idle
    }
    fn is_quiet(&self) -> bool {
        !self.broken
            && self.conversation.is_at_rest()
            && self.write.is_empty()
            && !self.unflushed
            && self.read.len() <= self.given
            && self.local.len() <= self.local_given
    }
    /// Whether an error has ended it.
    pub fn is_broken(&self) -> bool {
        self.broken
    }
    /// What the warehouse reported: server_version, integer_datetimes, TimeZone, …
    pub fn parameter(&self, name: &str) -> Option<&str> {
        self.conversation.parameters.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }
    /// A handle that cancels what runs on this lease.
    pub fn cancel_handle(&self) -> UpstreamCancel {
        self.cancel.handle()
    }
    /// The warehouse's process id, for logs.
    pub fn backend_pid(&self) -> i32 {
        self.cancel.pid()
    }
}

/// For the pool.
impl Connection {
    pub(super) fn cancel_target(&self) -> &Arc<CancelTarget> {
        &self.cancel
    }

    /// Readies it for the next session. What the last one may have left open is closed in the same write as the first
    /// statement.
    pub(super) fn begin_lease(&mut self) -> Result<(), UpstreamError> {
        if self.declared {
            self.control_quietly(&Control::CloseCursor(None))?;
            self.declared = false;
        }
        Ok(())
    }

    /// Puts away what the last session needed; `false`: it cannot be used again.
    pub(super) fn end_lease(&mut self) -> bool {
        // Notices and parameters that came behind the last answer.
        if !matches!(self.peek_tag(), Ok(None)) || !self.is_clean() {
            return false;
        }
        self.streaming = false;
        if self.read.capacity() > SMALL_BUFFER {
            self.read = BytesMut::with_capacity(SMALL_BUFFER);
        }
        true
    }

    /// Only a transaction stands between it and the next session.
    pub(super) fn needs_rollback(&self) -> bool {
        self.is_quiet() && self.conversation.status != TransactionStatus::Idle
    }

    /// Ends the transaction that a session has left behind.
    pub(super) async fn roll_back(&mut self) -> Result<(), UpstreamError> {
        self.control_quietly(&Control::Rollback { chain: false })?;
        while self.is_waiting() {
            self.fill().await?;
            while self.next_frame()?.is_some() {}
        }
        Ok(())
    }

    /// Whether an idle connection still stands, as far as the socket knows: no round trip.
    pub(super) fn still_stands(&mut self) -> bool {
        // Under load the runtime hears of a farewell at once; who comes after a pause asks the kernel.
        let recent = self.idle_since.elapsed() < RECENT;
        let quiet = if recent && !self.stream.has_news() { true } else { self.stream.is_quiet() };
        if quiet && !self.stream.is_tls() {
            return true;
        }
        // TLS may have read further than it has given out.
        let mut cx = Context::from_waker(Waker::noop());
        loop {
            match self.poll_fill(&mut cx) {
                // With bytes that the runtime has not heard of yet: a farewell, most probably.
                Poll::Pending => return quiet || self.stream.is_quiet(),
                Poll::Ready(Err(_)) => return false,
                // A changed setting may be reported; a farewell, or an answer to nobody, is the end.
                Poll::Ready(Ok(())) => {
                    if !matches!(self.peek_tag(), Ok(None)) || !self.is_clean() {
                        return false;
                    }
                }
            }
        }
    }

    /// Says goodbye, as far as that needs no waiting.
    pub(super) fn terminate(mut self) {
        if !self.broken && self.write.is_empty() {
            self.write.extend_from_slice(&[b'X', 0, 0, 0, 4]);
            let _ = self.poll_send(&mut Context::from_waker(Waker::noop()));
        }
    }
}
