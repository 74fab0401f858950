//! The packets without a tag that begin a connection.

use super::cursor::Cursor;
use super::{MAX_UNAUTHENTICATED_BYTES, WireError};

const CANCEL: u32 = 80_877_102;
const SSL: u32 = 80_877_103;
const GSS: u32 = 80_877_104;

/// The first byte of a TLS handshake record: a client that begins with TLS at once.
pub const TLS_HANDSHAKE: u8 = 0x16;

/// The longest secret key that a client may show (protocol 3.2).
const MAX_KEY_BYTES: usize = 256;

/// A packet that begins a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Opening {
    /// SSLRequest
    Tls,
    /// GSSENCRequest
    Gss,
    /// CancelRequest
    Cancel {
        /// The process number.
        pid: i32,
        /// The secret that goes with it.
        key: Vec<u8>,
    },
    /// StartupMessage of protocol 3.x
    Startup {
        /// The minor version that the client asks for.
        minor: u16,
        /// As they were sent, in order.
        parameters: Vec<(String, String)>,
    },
    /// A version with another major number; the rest of the packet has a form that is not known.
    OtherVersion(u16, u16),
}

/// Measures the packet at the front of `buffer`; `None` while its length is not there.
pub fn length(buffer: &[u8]) -> Result<Option<usize>, WireError> {
    let Some((length, _)) = buffer.split_first_chunk::<4>() else { return Ok(None) };
    let length = i32::from_be_bytes(*length);
    match usize::try_from(length) {
        Ok(len @ 8..) if len <= MAX_UNAUTHENTICATED_BYTES => Ok(Some(len)),
        _ => Err(WireError::Violation("invalid length of startup packet".into())),
    }
}

/// Reads a whole packet.
pub fn decode(packet: &[u8]) -> Result<Opening, WireError> {
    let mut cursor = Cursor::new(packet);
    cursor.i32()?;
    let code = cursor.u32()?;
    match code {
        SSL => cursor.end().map(|()| Opening::Tls),
        GSS => cursor.end().map(|()| Opening::Gss),
        CANCEL => cancel(cursor),
        _ => match ((code >> 16) as u16, code as u16) {
            (3, minor) => Ok(Opening::Startup { minor, parameters: parameters(cursor)? }),
            (major, minor) => Ok(Opening::OtherVersion(major, minor)),
        },
    }
}

fn cancel(mut cursor: Cursor<'_>) -> Result<Opening, WireError> {
    let pid = cursor.i32()?;
    let key = cursor.rest();
    if key.is_empty() || key.len() > MAX_KEY_BYTES {
        return Err(WireError::Violation("invalid length of query cancel packet".into()));
    }
    Ok(Opening::Cancel { pid, key: key.to_vec() })
}

fn parameters(mut cursor: Cursor<'_>) -> Result<Vec<(String, String)>, WireError> {
    let layout = || WireError::Violation("invalid startup packet layout: expected terminator as last byte".into());
    let text = |cursor: &mut Cursor<'_>| {
        cursor.text().map(str::to_owned).map_err(|error| match error {
            WireError::Unterminated => layout(),
            other => other,
        })
    };
    let mut parameters = Vec::new();
    loop {
        let name = text(&mut cursor)?;
        if name.is_empty() {
            break;
        }
        let value = text(&mut cursor)?;
        parameters.push((name, value));
    }
    cursor.end().map_err(|_| layout())?;
    Ok(parameters)
}
