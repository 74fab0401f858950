//! Frames and messages of both sides of the protocol, without any I/O.
//!
//! A frame is a tag byte, a length that counts itself, and a body. [`header`] measures the frame at the front of a buffer;
//! [`frontend`] checks and reads what a client sends (borrowing from the frame), [`backend`] appends what a client is
//! sent, [`answer`] reads what a warehouse answers, and [`opening`] reads the untagged packets that begin a connection.

pub mod answer;
pub mod backend;
mod cursor;
mod failure;
pub mod frontend;
pub mod opening;

#[cfg(test)]
mod tests;

pub use failure::WireError;
pub use frontend::BindRest;

/// Bytes of a frame before its body: the tag and the length.
pub const HEADER_BYTES: usize = 5;

/// The largest packet or message that is read from somebody who has not authenticated yet (Postgres' own bound).
pub const MAX_UNAUTHENTICATED_BYTES: usize = 10_000;

/// The front of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// What kind of message it is.
    pub tag: u8,
    /// Bytes of the whole frame, the tag and the length included.
    pub len: usize,
}

/// Measures the frame at the front of `buffer`; `None` while fewer than five bytes are there. The body need not be.
#[inline]
pub fn header(buffer: &[u8]) -> Result<Option<Header>, WireError> {
    let Some(([tag, length @ ..], _)) = buffer.split_first_chunk::<HEADER_BYTES>() else { return Ok(None) };
    let length = i32::from_be_bytes(*length);
    // The length counts its own four bytes, but not the tag.
    match usize::try_from(length) {
        Ok(counted @ 4..) => Ok(Some(Header { tag: *tag, len: counted + 1 })),
        _ => Err(WireError::InvalidLength { tag: *tag, length }),
    }
}

/// The body of a whole frame.
#[inline]
pub fn body(frame: &[u8]) -> &[u8] {
    frame.get(HEADER_BYTES..).unwrap_or_default()
}

/// What ReadyForQuery says of the transaction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TransactionStatus {
    /// No transaction is open.
    #[default]
    Idle,
    /// A transaction is open.
    InTransaction,
    /// A transaction is open and has failed.
    Failed,
}

impl TransactionStatus {
    /// The byte on the wire.
    pub fn byte(self) -> u8 {
        match self {
            Self::Idle => b'I',
            Self::InTransaction => b'T',
            Self::Failed => b'E',
        }
    }
    /// Reads the byte on the wire.
    pub fn from_byte(byte: u8) -> Option<Self> {
        match byte {
            b'I' => Some(Self::Idle),
            b'T' => Some(Self::InTransaction),
            b'E' => Some(Self::Failed),
            _ => None,
        }
    }
}
