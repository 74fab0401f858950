//! The row relay: raw frames from the warehouse to the client, counted and capped, neither decoded nor copied twice.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, BytesMut};
use tokio::io::AsyncWrite;

use crate::wire::answer::{self, tag};
use crate::wire::{self, HEADER_BYTES};

use super::connection::Connection;
use super::error::UpstreamError;

/// Runs of rows up to this size are appended to what the session is about to send; copying them is cheaper than a write of
/// their own.
const SMALL_RUN: usize = 8 * 1024;
/// Rows up to this size go to the client whole or not at all.
const HELD_ROW: usize = 8 * 1024;
/// Up to here `out` grows.
const FULL_OUT: usize = 16 * 1024;

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
    /// The next frame for the session is no row: CommandComplete, ErrorResponse, CopyDone, PortalSuspended, … Take it with
    /// [`Connection::next_frame`]; when that has none yet (the frame is not there whole), [`Connection::fill`].
    Frame,
    /// The first row over the cap was withheld. Comes once, and only with `stop_at_cap`: cancel, then go on (further rows
    /// are dropped).
    Cap,
}

/// How CopyData messages are counted as rows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CopyCounting {
    /// FORMAT binary (CopyOutResponse says so): the trailer is no row.
    pub binary: bool,
    /// HEADER: the first message is no row.
    pub header: bool,
}

/// The relay of one result (one statement, one FETCH, one Execute). Keep it until the result's end, also over a
/// cancelled `run`: it knows how much of the current row the client has yet to get.
#[derive(Debug)]
pub struct RowRelay {
    tag: u8,
    limit: u64,
    stop_at_cap: bool,
    drop_notices: bool,
    binary: bool,
    header_due: bool,
    sent: u64,
    bytes: u64,
    withheld: u64,
    told: bool,
    /// Bytes at the front of the read buffer, and beyond it, that may go to the client.
    approved: usize,
    /// Bytes at the front of the read buffer, and beyond it, that may not.
    dropped: usize,
}

/// What a frame is to the relay.
enum Verdict {
    Forward { counted: bool },
    Withhold,
    Undecided,
}

impl RowRelay {
    /// DataRows of a query. `limit`: the most rows for the client. `stop_at_cap`: see [`RelayStop::Cap`], for caps that do
    /// not stand in the SQL. `drop_notices`: NoticeResponses of the warehouse are swallowed (guarded statements); else each
    /// is a [`RelayStop::Frame`].
    pub fn rows(limit: Option<u64>, stop_at_cap: bool, drop_notices: bool) -> Self {
        Self {
            tag: tag::DATA_ROW,
            limit: limit.unwrap_or(u64::MAX),
            stop_at_cap,
            drop_notices,
            binary: false,
            header_due: false,
            sent: 0,
            bytes: 0,
            withheld: 0,
            told: false,
            approved: 0,
            dropped: 0,
        }
    }
    /// CopyData messages of COPY TO STDOUT.
    pub fn copy(limit: Option<u64>, counting: CopyCounting, drop_notices: bool) -> Self {
        Self {
            tag: tag::COPY_DATA,
            binary: counting.binary,
            header_due: counting.header && !counting.binary,
            ..Self::rows(limit, false, drop_notices)
        }
    }
    /// So many rows of the limit went to the client by other means.
    pub fn spend(&mut self, rows: u64) {
        if self.limit != u64::MAX {
            self.limit = self.limit.saturating_sub(rows);
        }
    }
    /// Rows that went to the client (or stand in `out`), without those withheld.
    pub fn sent(&self) -> u64 {
        self.sent
    }
    /// Bytes of those rows, frames included.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }
    /// Rows withheld because of the cap: above zero the result was cut.
    pub fn withheld(&self) -> u64 {
        self.withheld
    }
    /// The client has a part of a row: nothing else can be told to it before the rest; when the warehouse is gone, close it.
    pub fn in_row(&self) -> bool {
        self.approved > 0
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

    /// Forwards rows until something else comes. `out` holds what the session has encoded for the client and not sent yet:
    /// it is sent before the rows. Small runs of rows are appended to it and sent by the session's next flush, so that a
    /// small result costs one write; before it waits for the warehouse the relay sends `out`.
    pub fn poll<W: AsyncWrite + Unpin>(
        &mut self,
        cx: &mut Context<'_>,
        connection: &mut Connection,
        mut client: Pin<&mut W>,
        out: &mut BytesMut,
    ) -> Poll<Result<RelayStop, RelayError>> {
        loop {
            connection.drop_given();
            self.drop_withheld(connection);
            self.approve(connection)?;
            if self.approved > 0 && !connection.read.is_empty() {
                ready!(self.forward(cx, connection, client.as_mut(), out))?;
                continue;
            }
            if self.approved == 0 && self.dropped == 0 {
                match self.look(connection)? {
                    Ahead::Frame => return Poll::Ready(Ok(RelayStop::Frame)),
                    Ahead::Row => {
                        if self.withhold(connection) && self.stop_at_cap && !std::mem::replace(&mut self.told, true) {
                            return Poll::Ready(Ok(RelayStop::Cap));
                        }
                        continue;
                    }
                    Ahead::Dropped => continue,
                    Ahead::Nothing => {}
                }
            }
            ready!(send_out(cx, client.as_mut(), out)).map_err(RelayError::Client)?;
            ready!(connection.poll_fill(cx))?;
        }
    }

    fn drop_withheld(&mut self, connection: &mut Connection) {
        let n = self.dropped.min(connection.read.len());
        connection.read.advance(n);
        self.dropped -= n;
    }

    /// Looks at the headers of the rows that are there and approves those that the client may have, the last one perhaps
    /// ahead of its body.
    fn approve(&mut self, connection: &mut Connection) -> Result<(), UpstreamError> {
        if self.dropped > 0 || (self.approved == 0 && !matches!(self.look_at_row(connection)?, Some(true))) {
            return Ok(());
        }
        while let Some(ahead) = connection.read.get(self.approved..) {
            let header = wire::header(ahead).map_err(|error| UpstreamError::Protocol(error.to_string()))?;
            let Some(header) = header.filter(|header| header.tag == self.tag) else { break };
            if is_awaited(ahead, header.len) {
                break;
            }
            match self.judge(ahead, header.len) {
                Verdict::Forward { counted } => {
                    self.sent += u64::from(counted);
                    self.bytes += header.len as u64;
                    self.approved += header.len;
                    self.header_due = false;
                }
                Verdict::Withhold | Verdict::Undecided => break,
            }
        }
        Ok(())
    }

    fn judge(&self, ahead: &[u8], length: usize) -> Verdict {
        if self.header_due {
            return Verdict::Forward { counted: false };
        }
        // The trailer of the binary format: a count of columns of -1.
        if self.binary && length == HEADER_BYTES + 2 {
            match ahead.get(HEADER_BYTES..HEADER_BYTES + 2) {
                None => return Verdict::Undecided,
                Some([0xff, 0xff]) => return Verdict::Forward { counted: false },
                Some(_) => {}
            }
        }
        if self.sent >= self.limit { Verdict::Withhold } else { Verdict::Forward { counted: true } }
    }

    /// Whether the next frame of the warehouse is a row for the client; `None`: not there yet.
    fn look_at_row(&self, connection: &mut Connection) -> Result<Option<bool>, UpstreamError> {
        let tag = connection.peek_tag()?;
        Ok(tag.map(|tag| tag == self.tag && !connection.next_is_local()))
    }

    fn look(&self, connection: &mut Connection) -> Result<Ahead, UpstreamError> {
        match connection.peek_tag()? {
            None => Ok(Ahead::Nothing),
            Some(_) if connection.next_is_local() => Ok(Ahead::Frame),
            Some(tag) if tag == self.tag => {
                let length = wire::header(&connection.read).ok().flatten().map_or(0, |header| header.len);
                Ok(match self.judge(&connection.read, length) {
                    Verdict::Undecided => Ahead::Nothing,
                    Verdict::Forward { .. } if is_awaited(&connection.read, length) => Ahead::Nothing,
                    Verdict::Withhold | Verdict::Forward { .. } => Ahead::Row,
                })
            }
            Some(tag::NOTICE_RESPONSE) if self.drop_notices => {
                Ok(if connection.next_frame()?.is_some() { Ahead::Dropped } else { Ahead::Nothing })
            }
            Some(_) => Ok(Ahead::Frame),
        }
    }

    /// The row at the front is over the cap.
    fn withhold(&mut self, connection: &Connection) -> bool {
        let header = wire::header(&connection.read).ok().flatten();
        let Some(header) = header.filter(|_| self.sent >= self.limit) else { return false };
        self.dropped = header.len;
        self.withheld += 1;
        true
    }

    fn forward<W: AsyncWrite + Unpin>(
        &mut self,
        cx: &mut Context<'_>,
        connection: &mut Connection,
        client: Pin<&mut W>,
        out: &mut BytesMut,
    ) -> Poll<Result<(), RelayError>> {
        let here = self.approved.min(connection.read.len());
        let rows = connection.read.get(..here).unwrap_or_default();
        if here == self.approved && here <= SMALL_RUN && out.len() + here <= FULL_OUT {
            out.extend_from_slice(rows);
            connection.read.advance(here);
            self.approved = 0;
            return Poll::Ready(Ok(()));
        }
        let written = if out.is_empty() {
            ready!(client.poll_write(cx, rows))
        } else {
            ready!(client.poll_write_vectored(cx, &[IoSlice::new(out), IoSlice::new(rows)]))
        };
        let written = match written {
            Ok(0) => return Poll::Ready(Err(RelayError::Client(io::ErrorKind::WriteZero.into()))),
            Ok(written) => written,
            Err(error) => return Poll::Ready(Err(RelayError::Client(error))),
        };
        let ahead = written.min(out.len());
        out.advance(ahead);
        connection.read.advance(written - ahead);
        self.approved -= written - ahead;
        Poll::Ready(Ok(()))
    }
}

/// Whether the rest of a row is waited for before any of it goes to the client: when the warehouse is lost, the client can be
/// told so then. Large rows are not held back.
fn is_awaited(ahead: &[u8], length: usize) -> bool {
    length > ahead.len() && length <= HELD_ROW
}

/// What stands at the front of the read buffer.
enum Ahead {
    Nothing,
    Row,
    Dropped,
    Frame,
}

fn send_out<W: AsyncWrite + Unpin>(
    cx: &mut Context<'_>,
    mut client: Pin<&mut W>,
    out: &mut BytesMut,
) -> Poll<io::Result<()>> {
    while !out.is_empty() {
        match ready!(client.as_mut().poll_write(cx, out))? {
            0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
            n => out.advance(n),
        }
    }
    client.poll_flush(cx)
}

/// Appends a RowDescription frame with table OIDs and column numbers replaced by 0. On an error nothing is appended.
pub fn hide_origins(frame: &[u8], out: &mut BytesMut) -> Result<(), UpstreamError> {
    let start = out.len();
    out.extend_from_slice(frame);
    let body = out.get_mut(start + HEADER_BYTES..).unwrap_or_default();
    match answer::rewrite_row_description(body, |_| (0, 0)) {
        Ok(_) => Ok(()),
        Err(error) => {
            out.truncate(start);
            Err(UpstreamError::Protocol(error.to_string()))
        }
    }
}
