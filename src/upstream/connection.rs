//! One connection to the warehouse: what is enqueued, what is answered, what state it is in.

use std::task::{Context, Poll};

use bytes::Bytes;

use crate::govern::permit::Permit;

use super::cancel::UpstreamCancel;
use super::control::Control;
use super::error::UpstreamError;
use super::prepared::StatementName;
use super::settings::UpstreamSettings;

/// The status byte of ReadyForQuery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TransactionStatus {
    /// I
    Idle,
    /// T
    InTransaction,
    /// E
    Failed,
}

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
        self.raw.get(5..).unwrap_or_default()
    }
}

/// A connection in a session's hands. Methods that enqueue send nothing; [`Self::fill`] and [`Self::flush`] do.
#[derive(Debug)]
pub struct Connection {}

/// What is enqueued. The answers come out of [`Connection::next_frame`] in this order.
impl Connection {
    /// Makes the connection's settings those that the session wants, sending only what differs; answers are swallowed.
    /// Outside a transaction they are set for the session; inside one with SET LOCAL, so that the connection's own view is
    /// right again when it ends, however it ends (call it again after ROLLBACK TO). In a failed one nothing is done.
    /// Call it before each statement: equal settings (the same `Arc`) cost a pointer comparison.
    pub fn apply(&mut self, _wanted: &std::sync::Arc<UpstreamSettings>) -> Result<(), UpstreamError> {
        unimplemented!()
    }
    /// A simple Query of a permit (a query, EXPLAIN, COPY or DECLARE).
    pub fn query(&mut self, _permit: &Permit) -> Result<(), UpstreamError> {
        unimplemented!()
    }
    /// A simple Query of a constant; its answers are the client's.
    pub fn control(&mut self, _control: &Control) -> Result<(), UpstreamError> {
        unimplemented!()
    }
    /// A simple Query of a constant whose answers are swallowed; an error of it ends the lease.
    pub fn control_quietly(&mut self, _control: &Control) -> Result<(), UpstreamError> {
        unimplemented!()
    }
    /// A statement that fails, to abort the transaction or the unfinished pipeline; its answer is swallowed. Between
    /// extended messages it is sent as such (what follows is skipped until Sync), else as a simple Query.
    pub fn fail_transaction(&mut self) -> Result<(), UpstreamError> {
        unimplemented!()
    }
    /// Bytes (whole frames of pgveil's own) that `next_frame` yields when everything enqueued before is answered, one frame
    /// at a time. After an error in the extended protocol they are skipped like the rest up to Sync.
    pub fn answer(&mut self, _frames: Bytes) {
        unimplemented!()
    }

    /// SQL PREPARE of a permit whose parameters have these rendered type names. True: it was sent, and its answers
    /// (CommandComplete `PREPARE`, ReadyForQuery, or an error) are the client's. False: this connection has it.
    pub fn prepare_by_sql(&mut self, _permit: &Permit, _types: &[String]) -> Result<bool, UpstreamError> {
        unimplemented!()
    }
    /// SQL EXECUTE of such a statement with checked and rendered arguments, re-created in the same message where it is
    /// missing; what PREPARE answers is swallowed then, unless it is an error.
    pub fn execute_by_sql(
        &mut self,
        _permit: &Permit,
        _types: &[String],
        _arguments: &[String],
    ) -> Result<(), UpstreamError> {
        unimplemented!()
    }

    /// Parse under the unnamed statement; the answer is the client's. Costs a parse each time: for statements that come once.
    pub fn parse_unnamed(&mut self, _permit: &Permit, _types: &[u32]) -> Result<StatementName, UpstreamError> {
        unimplemented!()
    }
    /// Parse of a constant under the unnamed statement, for clients that send BEGIN, COMMIT or FETCH through the extended
    /// protocol; the answer is the client's.
    pub fn parse_control(&mut self, _control: &Control) -> Result<StatementName, UpstreamError> {
        unimplemented!()
    }
    /// Makes sure that the permit is prepared on this connection, and says under which name. A Parse that is sent for it is
    /// answered to nobody (answer the client's own Parse with [`Self::answer`]), but its error is the client's.
    pub fn ensure_prepared(&mut self, _permit: &Permit, _types: &[u32]) -> Result<StatementName, UpstreamError> {
        unimplemented!()
    }
    /// Bind. `rest` is the client's Bind message behind its two names: formats, values, result formats.
    pub fn bind(&mut self, _portal: &str, _statement: &StatementName, _rest: &[u8]) -> Result<(), UpstreamError> {
        unimplemented!()
    }
    /// Describe of a statement.
    pub fn describe_statement(&mut self, _statement: &StatementName) -> Result<(), UpstreamError> {
        unimplemented!()
    }
    /// Describe of a portal.
    pub fn describe_portal(&mut self, _portal: &str) -> Result<(), UpstreamError> {
        unimplemented!()
    }
    /// Execute; 0: all rows.
    pub fn execute(&mut self, _portal: &str, _max_rows: i32) -> Result<(), UpstreamError> {
        unimplemented!()
    }
    /// Close of a portal. (Prepared statements belong to the connection: answer a client's Close of one yourself.)
    pub fn close_portal(&mut self, _portal: &str) -> Result<(), UpstreamError> {
        unimplemented!()
    }
    /// Sync.
    pub fn sync(&mut self) -> Result<(), UpstreamError> {
        unimplemented!()
    }
    /// Flush: the warehouse answers what it has, without a Sync.
    pub fn flush_request(&mut self) -> Result<(), UpstreamError> {
        unimplemented!()
    }
}

/// Input and output.
impl Connection {
    /// Sends everything that is enqueued. Cancel-safe. Prefer [`Self::fill`], which reads meanwhile.
    pub async fn flush(&mut self) -> Result<(), UpstreamError> {
        std::future::poll_fn(|cx| self.poll_flush(cx)).await
    }
    /// [`Self::flush`], polled.
    pub fn poll_flush(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), UpstreamError>> {
        unimplemented!()
    }
    /// Sends what is enqueued and waits until bytes of the warehouse have come. Cancel-safe. Call it when
    /// [`Self::next_frame`] has none.
    pub async fn fill(&mut self) -> Result<(), UpstreamError> {
        std::future::poll_fn(|cx| self.poll_fill(cx)).await
    }
    /// [`Self::fill`], polled.
    pub fn poll_fill(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), UpstreamError>> {
        unimplemented!()
    }
    /// The next frame for the session, when it is there. It is consumed. Swallowed ones do not show; ParameterStatus and
    /// NoticeResponse do when they come between the client's answers. Use a [`RowRelay`](super::RowRelay) for rows.
    pub fn next_frame(&mut self) -> Result<Option<Frame<'_>>, UpstreamError> {
        unimplemented!()
    }
    /// The tag of the next frame for the session without consuming it, as soon as its first byte is there.
    pub fn peek_tag(&mut self) -> Result<Option<u8>, UpstreamError> {
        unimplemented!()
    }
}

/// State.
impl Connection {
    /// As the last ReadyForQuery said.
    pub fn transaction_status(&self) -> TransactionStatus {
        unimplemented!()
    }
    /// Answers are outstanding (a ReadyForQuery, or answers of an unfinished pipeline).
    pub fn is_waiting(&self) -> bool {
        unimplemented!()
    }
    /// Extended messages were enqueued and no Sync after them.
    pub fn in_pipeline(&self) -> bool {
        unimplemented!()
    }
    /// Whether a drop of the lease would give it back: idle, nothing outstanding, not broken. Let it go then.
    pub fn is_clean(&self) -> bool {
        unimplemented!()
    }
    /// What the warehouse reported: server_version, integer_datetimes, TimeZone, …
    pub fn parameter(&self, _name: &str) -> Option<&str> {
        unimplemented!()
    }
    /// A handle that cancels what runs on this connection.
    pub fn cancel_handle(&self) -> UpstreamCancel {
        unimplemented!()
    }
    /// The warehouse's process id, for logs.
    pub fn backend_pid(&self) -> i32 {
        unimplemented!()
    }
}
