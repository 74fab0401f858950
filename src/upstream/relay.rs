//! The row relay: raw frames from the warehouse to the client, counted and capped, neither decoded nor copied twice.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::BytesMut;
use tokio::io::AsyncWrite;

use super::connection::Connection;
use super::error::UpstreamError;

/// Which side failed.
#[derive(Debug, thiserror::Error)]
pub enum RelayError {
    /// The warehouse's.
    #[error(transparent)]
    Upstream(#[from] UpstreamError),
    /// The client's.
    #[error("the client's connection was lost: {0}")]
    Client(io::Error),
}

/// Why the relay came back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RelayStop {
    /// [`Connection::next_frame`] has a frame that is no row: CommandComplete, ErrorResponse, CopyDone, PortalSuspended, …
    Frame,
    /// The first row over the cap was withheld. Comes once, and only with `stop_at_cap`: cancel, then go on (further rows
    /// are dropped).
    Cap,
}

/// How CopyData messages are counted as rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CopyCounting {
    /// FORMAT binary (CopyOutResponse says so): the trailer is no row.
    pub binary: bool,
    /// HEADER: the first message is no row.
    pub header: bool,
}

/// The relay of one result (one statement, one FETCH, one Execute). Keep it until the result's end, also over a
/// cancelled `run`: it knows how much of the current row the client has yet to get.
#[derive(Debug)]
pub struct RowRelay {}

impl RowRelay {
    /// DataRows of a query. `limit`: the most rows for the client. `stop_at_cap`: see [`RelayStop::Cap`], for caps that do
    /// not stand in the SQL. `drop_notices`: NoticeResponses of the warehouse are swallowed (guarded statements); else each
    /// is a [`RelayStop::Frame`].
    pub fn rows(_limit: Option<u64>, _stop_at_cap: bool, _drop_notices: bool) -> Self {
        unimplemented!()
    }
    /// CopyData messages of COPY TO STDOUT.
    pub fn copy(_limit: Option<u64>, _counting: CopyCounting, _drop_notices: bool) -> Self {
        unimplemented!()
    }
    /// Forwards rows until something else comes. `out` holds what the session has encoded for the client and not sent yet:
    /// it is sent before the rows. Small runs of rows are appended to it and sent by the session's next flush, so that a
    /// small result costs one write; before it waits for the warehouse the relay sends `out`.
    pub fn poll<W: AsyncWrite + Unpin>(
        &mut self,
        _cx: &mut Context<'_>,
        _connection: &mut Connection,
        _client: Pin<&mut W>,
        _out: &mut BytesMut,
    ) -> Poll<Result<RelayStop, RelayError>> {
        unimplemented!()
    }
    /// [`Self::poll`] as a future; cancel-safe.
    pub async fn run<W: AsyncWrite + Unpin>(
        &mut self,
        connection: &mut Connection,
        client: &mut W,
        out: &mut BytesMut,
    ) -> Result<RelayStop, RelayError> {
        std::future::poll_fn(|cx| self.poll(cx, connection, Pin::new(client), out)).await
    }
    /// Rows that went to the client (or stand in `out`), without those withheld.
    pub fn sent(&self) -> u64 {
        unimplemented!()
    }
    /// Bytes of those rows.
    pub fn bytes(&self) -> u64 {
        unimplemented!()
    }
    /// Rows withheld because of the cap: above zero the result was cut.
    pub fn withheld(&self) -> u64 {
        unimplemented!()
    }
    /// The client has a part of a row: nothing else can be told to it before the rest; when the warehouse is gone, close it.
    pub fn in_row(&self) -> bool {
        unimplemented!()
    }
}

/// Appends a RowDescription frame with table OIDs and column numbers replaced by 0. `None` and nothing appended: malformed.
#[must_use]
pub fn hide_origins(_frame: &[u8], _out: &mut BytesMut) -> Option<()> {
    unimplemented!()
}
