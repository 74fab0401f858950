//! What a client is sent. Each function appends one whole message.

use bytes::{BufMut, BytesMut};

use crate::error::{ClientError, Notice, Severity, SqlState};

use super::TransactionStatus;

/// A column of a RowDescription.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field<'a> {
    /// Its name.
    pub name: &'a str,
    /// The OID of the relation that it comes from; 0: none.
    pub table_oid: u32,
    /// Its number in that relation; 0: none.
    pub column: i16,
    /// Its type.
    pub type_oid: u32,
    /// Bytes of the type; negative: variable.
    pub type_size: i16,
    /// -1: none
    pub type_modifier: i32,
    /// 0: text, 1: binary
    pub format: i16,
}

impl<'a> Field<'a> {
    /// A column of type text, sent as text.
    pub fn text(name: &'a str) -> Self {
        Self { name, table_oid: 0, column: 0, type_oid: 25, type_size: -1, type_modifier: -1, format: 0 }
    }
}

/// Writes the tag and leaves room for the length, which is filled in when the body is there.
#[inline]
fn message(out: &mut BytesMut, tag: u8, body: impl FnOnce(&mut BytesMut)) {
    out.put_u8(tag);
    let start = out.len();
    out.put_u32(0);
    body(out);
    let length = u32::try_from(out.len() - start).unwrap_or(u32::MAX);
    if let Some(place) = out.get_mut(start..start + 4) {
        place.copy_from_slice(&length.to_be_bytes());
    }
}

/// A NUL inside would end the string early and shift all that follows, so it is left out.
fn text(out: &mut BytesMut, text: &str) {
    if text.as_bytes().contains(&0) {
        out.extend(text.bytes().filter(|byte| *byte != 0));
    } else {
        out.put_slice(text.as_bytes());
    }
    out.put_u8(0);
}

fn field(out: &mut BytesMut, code: u8, value: &str) {
    out.put_u8(code);
    text(out, value);
}

fn count(out: &mut BytesMut, n: usize) {
    out.put_u16(u16::try_from(n).unwrap_or(u16::MAX));
}

struct Report<'a> {
    severity: &'a str,
    sqlstate: SqlState,
    message: &'a str,
    detail: Option<&'a str>,
    hint: Option<&'a str>,
    position: Option<usize>,
}

fn report(out: &mut BytesMut, tag: u8, report: &Report<'_>) {
    message(out, tag, |out| {
        field(out, b'S', report.severity);
        field(out, b'V', report.severity);
        field(out, b'C', report.sqlstate.as_str());
        field(out, b'M', report.message);
        if let Some(detail) = report.detail {
            field(out, b'D', detail);
        }
        if let Some(hint) = report.hint {
            field(out, b'H', hint);
        }
        if let Some(position) = report.position {
            field(out, b'P', &position.to_string());
        }
        out.put_u8(0);
    });
}

/// ErrorResponse
pub fn error(out: &mut BytesMut, error: &ClientError) {
    let severity = match error.severity {
        Severity::Error => "ERROR",
        Severity::Fatal => "FATAL",
    };
    report(
        out,
        b'E',
        &Report {
            severity,
            sqlstate: error.sqlstate,
            message: &error.message,
            detail: error.detail.as_deref(),
            hint: error.hint.as_deref(),
            position: error.position,
        },
    );
}

/// NoticeResponse: a NOTICE; a WARNING where the SQLSTATE is that of an error which Postgres only warns of.
pub fn notice(out: &mut BytesMut, notice: &Notice) {
    let warns = !matches!(notice.sqlstate.as_str().get(..2), Some("00" | "01"));
    report(
        out,
        b'N',
        &Report {
            severity: if warns { "WARNING" } else { "NOTICE" },
            sqlstate: notice.sqlstate,
            message: &notice.message,
            detail: notice.detail.as_deref(),
            hint: notice.hint.as_deref(),
            position: None,
        },
    );
}

/// ReadyForQuery
pub fn ready(out: &mut BytesMut, status: TransactionStatus) {
    message(out, b'Z', |out| out.put_u8(status.byte()));
}

/// CommandComplete
pub fn command_complete(out: &mut BytesMut, tag: &str) {
    message(out, b'C', |out| text(out, tag));
}

/// EmptyQueryResponse
pub fn empty_query(out: &mut BytesMut) {
    message(out, b'I', |_| ());
}

/// ParameterStatus
pub fn parameter_status(out: &mut BytesMut, name: &str, value: &str) {
    message(out, b'S', |out| {
        text(out, name);
        text(out, value);
    });
}

/// BackendKeyData: 4 bytes of key in protocol 3.0, up to 256 from 3.2.
pub fn backend_key_data(out: &mut BytesMut, pid: i32, key: &[u8]) {
    message(out, b'K', |out| {
        out.put_i32(pid);
        out.put_slice(key);
    });
}

/// NegotiateProtocolVersion: the newest version of major 3 that is spoken, and the options that were not understood.
pub fn negotiate_protocol_version(out: &mut BytesMut, version: (u16, u16), unknown: &[&str]) {
    message(out, b'v', |out| {
        out.put_u16(version.0);
        out.put_u16(version.1);
        out.put_u32(u32::try_from(unknown.len()).unwrap_or(u32::MAX));
        for option in unknown {
            text(out, option);
        }
    });
}

/// RowDescription; at most 65,535 fields.
pub fn row_description(out: &mut BytesMut, fields: &[Field<'_>]) {
    let fields = fields.get(..usize::from(u16::MAX)).unwrap_or(fields);
    message(out, b'T', |out| {
        count(out, fields.len());
        for field in fields {
            text(out, field.name);
            out.put_u32(field.table_oid);
            out.put_i16(field.column);
            out.put_u32(field.type_oid);
            out.put_i16(field.type_size);
            out.put_i32(field.type_modifier);
            out.put_i16(field.format);
        }
    });
}

/// DataRow; at most 65,535 values, `None`: NULL.
pub fn data_row(out: &mut BytesMut, values: &[Option<&[u8]>]) {
    let values = values.get(..usize::from(u16::MAX)).unwrap_or(values);
    message(out, b'D', |out| {
        count(out, values.len());
        for value in values {
            match value {
                None => out.put_i32(-1),
                Some(value) => {
                    out.put_u32(u32::try_from(value.len()).unwrap_or(u32::MAX));
                    out.put_slice(value);
                }
            }
        }
    });
}

/// NoData
pub fn no_data(out: &mut BytesMut) {
    message(out, b'n', |_| ());
}

/// ParseComplete
pub fn parse_complete(out: &mut BytesMut) {
    message(out, b'1', |_| ());
}

/// BindComplete
pub fn bind_complete(out: &mut BytesMut) {
    message(out, b'2', |_| ());
}

/// CloseComplete
pub fn close_complete(out: &mut BytesMut) {
    message(out, b'3', |_| ());
}

/// PortalSuspended
pub fn portal_suspended(out: &mut BytesMut) {
    message(out, b's', |_| ());
}

/// ParameterDescription; at most 65,535 types.
pub fn parameter_description(out: &mut BytesMut, types: &[u32]) {
    let types = types.get(..usize::from(u16::MAX)).unwrap_or(types);
    message(out, b't', |out| {
        count(out, types.len());
        for oid in types {
            out.put_u32(*oid);
        }
    });
}

/// CopyOutResponse: all columns text, or all binary.
pub fn copy_out_response(out: &mut BytesMut, binary: bool, columns: usize) {
    let columns = columns.min(usize::from(u16::MAX));
    message(out, b'H', |out| {
        out.put_u8(u8::from(binary));
        count(out, columns);
        for _ in 0..columns {
            out.put_u16(u16::from(binary));
        }
    });
}

/// CopyData
pub fn copy_data(out: &mut BytesMut, data: &[u8]) {
    message(out, b'd', |out| out.put_slice(data));
}

/// CopyDone
pub fn copy_done(out: &mut BytesMut) {
    message(out, b'c', |_| ());
}

/// AuthenticationOk
pub fn authentication_ok(out: &mut BytesMut) {
    message(out, b'R', |out| out.put_u32(0));
}

/// AuthenticationSASL: the mechanisms that are offered, the preferred one first.
pub fn authentication_sasl(out: &mut BytesMut, mechanisms: &[&str]) {
    message(out, b'R', |out| {
        out.put_u32(10);
        for mechanism in mechanisms {
            text(out, mechanism);
        }
        out.put_u8(0);
    });
}

/// AuthenticationSASLContinue
pub fn authentication_sasl_continue(out: &mut BytesMut, data: &[u8]) {
    message(out, b'R', |out| {
        out.put_u32(11);
        out.put_slice(data);
    });
}

/// AuthenticationSASLFinal
pub fn authentication_sasl_final(out: &mut BytesMut, data: &[u8]) {
    message(out, b'R', |out| {
        out.put_u32(12);
        out.put_slice(data);
    });
}
