//! What a warehouse answers, as far as the relay has to look into it. Rows are not looked into.

use std::borrow::Cow;

use crate::error::SqlState;

use super::backend::Field;
use super::cursor::Cursor;
use super::{TransactionStatus, WireError};

/// Tags of the messages that a warehouse may send.
pub mod tag {
    /// Authentication…
    pub const AUTHENTICATION: u8 = b'R';
    /// BackendKeyData
    pub const BACKEND_KEY_DATA: u8 = b'K';
    /// BindComplete
    pub const BIND_COMPLETE: u8 = b'2';
    /// CloseComplete
    pub const CLOSE_COMPLETE: u8 = b'3';
    /// CommandComplete
    pub const COMMAND_COMPLETE: u8 = b'C';
    /// CopyBothResponse
    pub const COPY_BOTH_RESPONSE: u8 = b'W';
    /// CopyData
    pub const COPY_DATA: u8 = b'd';
    /// CopyDone
    pub const COPY_DONE: u8 = b'c';
    /// CopyInResponse
    pub const COPY_IN_RESPONSE: u8 = b'G';
    /// CopyOutResponse
    pub const COPY_OUT_RESPONSE: u8 = b'H';
    /// DataRow
    pub const DATA_ROW: u8 = b'D';
    /// EmptyQueryResponse
    pub const EMPTY_QUERY_RESPONSE: u8 = b'I';
    /// ErrorResponse
    pub const ERROR_RESPONSE: u8 = b'E';
    /// FunctionCallResponse
    pub const FUNCTION_CALL_RESPONSE: u8 = b'V';
    /// NegotiateProtocolVersion
    pub const NEGOTIATE_PROTOCOL_VERSION: u8 = b'v';
    /// NoData
    pub const NO_DATA: u8 = b'n';
    /// NoticeResponse
    pub const NOTICE_RESPONSE: u8 = b'N';
    /// NotificationResponse
    pub const NOTIFICATION_RESPONSE: u8 = b'A';
    /// ParameterDescription
    pub const PARAMETER_DESCRIPTION: u8 = b't';
    /// ParameterStatus
    pub const PARAMETER_STATUS: u8 = b'S';
    /// ParseComplete
    pub const PARSE_COMPLETE: u8 = b'1';
    /// PortalSuspended
    pub const PORTAL_SUSPENDED: u8 = b's';
    /// ReadyForQuery
    pub const READY_FOR_QUERY: u8 = b'Z';
    /// RowDescription
    pub const ROW_DESCRIPTION: u8 = b'T';
}

/// The fields of an ErrorResponse or NoticeResponse. Nothing of it reaches a client unless somebody chose it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report<'a> {
    fields: Vec<(u8, &'a [u8])>,
}

impl<'a> Report<'a> {
    /// Reads the body of an ErrorResponse or NoticeResponse.
    pub fn parse(body: &'a [u8]) -> Result<Self, WireError> {
        let mut cursor = Cursor::new(body);
        let mut fields = Vec::new();
        loop {
            match cursor.u8()? {
                0 => break,
                code => fields.push((code, cursor.raw_text()?)),
            }
        }
        cursor.end()?;
        Ok(Self { fields })
    }
    /// A field by its code; text that is not UTF-8 (before the encoding is agreed) with replacement characters.
    pub fn field(&self, code: u8) -> Option<Cow<'a, str>> {
        self.fields.iter().find(|(c, _)| *c == code).map(|(_, text)| String::from_utf8_lossy(text))
    }
    /// The severity that is never translated, else the shown one.
    pub fn severity(&self) -> Cow<'a, str> {
        self.field(b'V').or_else(|| self.field(b'S')).unwrap_or_default()
    }
    /// Whether the warehouse ends the connection.
    pub fn is_fatal(&self) -> bool {
        matches!(&*self.severity(), "FATAL" | "PANIC")
    }
    /// The SQLSTATE, where it is one.
    pub fn sqlstate(&self) -> Option<SqlState> {
        self.fields.iter().find(|(c, _)| *c == b'C').and_then(|(_, code)| SqlState::from_bytes(code))
    }
    /// The message.
    pub fn message(&self) -> Cow<'a, str> {
        self.field(b'M').unwrap_or_default()
    }
    /// The position in the statement that was sent, in characters, from 1.
    pub fn position(&self) -> Option<usize> {
        self.field(b'P').and_then(|position| position.parse().ok())
    }
}

/// The tag of a CommandComplete's body: `SELECT 5`.
pub fn command_tag(body: &[u8]) -> Result<&str, WireError> {
    let mut cursor = Cursor::new(body);
    let tag = cursor.text()?;
    cursor.end()?;
    Ok(tag)
}

/// The number of rows at the end of a command tag.
pub fn tag_rows(tag: &str) -> Option<u64> {
    tag.rsplit_once(' ')?.1.parse().ok()
}

/// The status of a ReadyForQuery's body.
pub fn ready_status(body: &[u8]) -> Result<TransactionStatus, WireError> {
    match body {
        [byte] => TransactionStatus::from_byte(*byte)
            .ok_or_else(|| WireError::Violation(format!("unknown transaction status {byte}"))),
        [] => Err(WireError::Truncated),
        _ => Err(WireError::Trailing),
    }
}

/// Name and value of a ParameterStatus' body.
pub fn parameter_status(body: &[u8]) -> Result<(&str, &str), WireError> {
    let mut cursor = Cursor::new(body);
    let status = (cursor.text()?, cursor.text()?);
    cursor.end()?;
    Ok(status)
}

/// Process number and key of a BackendKeyData's body.
pub fn backend_key_data(body: &[u8]) -> Result<(i32, &[u8]), WireError> {
    let mut cursor = Cursor::new(body);
    let pid = cursor.i32()?;
    Ok((pid, cursor.rest()))
}

/// The type OIDs of a ParameterDescription's body.
pub fn parameter_description(body: &[u8]) -> Result<Vec<u32>, WireError> {
    let mut cursor = Cursor::new(body);
    let types = (0..cursor.u16()?).map(|_| cursor.u32()).collect::<Result<_, _>>()?;
    cursor.end()?;
    Ok(types)
}

/// The columns of a RowDescription's body.
pub fn row_description(body: &[u8]) -> Result<Vec<Field<'_>>, WireError> {
    let mut cursor = Cursor::new(body);
    let fields = (0..cursor.u16()?).map(|_| column(&mut cursor)).collect::<Result<_, _>>()?;
    cursor.end()?;
    Ok(fields)
}

fn column<'a>(cursor: &mut Cursor<'a>) -> Result<Field<'a>, WireError> {
    Ok(Field {
        name: cursor.text()?,
        table_oid: cursor.u32()?,
        column: cursor.i16()?,
        type_oid: cursor.u32()?,
        type_size: cursor.i16()?,
        type_modifier: cursor.i32()?,
        format: cursor.i16()?,
    })
}

/// Replaces, in a RowDescription's body, the relation's OID and the column's number of each column by what `origin` says
/// for its index, and tells how many columns there are. On an error nothing of the body may be sent.
pub fn rewrite_row_description(
    body: &mut [u8],
    mut origin: impl FnMut(usize) -> (u32, i16),
) -> Result<usize, WireError> {
    // Bytes of a column behind its name; the first six are what is replaced.
    const BEHIND_NAME: usize = 18;
    let (count, mut rest) = body.split_first_chunk_mut::<2>().ok_or(WireError::Truncated)?;
    let columns = usize::from(u16::from_be_bytes(*count));
    for index in 0..columns {
        let name = std::ffi::CStr::from_bytes_until_nul(rest).map_err(|_| WireError::Unterminated)?.count_bytes();
        let behind = rest.get_mut(name + 1..).ok_or(WireError::Truncated)?;
        let (fixed, next) = behind.split_first_chunk_mut::<BEHIND_NAME>().ok_or(WireError::Truncated)?;
        let (table, number) = origin(index);
        let [t0, t1, t2, t3] = table.to_be_bytes();
        let [n0, n1] = number.to_be_bytes();
        let (replaced, _) = fixed.split_first_chunk_mut::<6>().ok_or(WireError::Truncated)?;
        *replaced = [t0, t1, t2, t3, n0, n1];
        rest = next;
    }
    if rest.is_empty() { Ok(columns) } else { Err(WireError::Trailing) }
}
