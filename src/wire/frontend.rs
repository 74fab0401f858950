//! What a client sends after start-up: every field checked, borrowed from the frame.

use super::cursor::{Cursor, utf8};
use super::{Header, MAX_UNAUTHENTICATED_BYTES, WireError, body, header};

/// Tags of the messages that a client may send.
pub mod tag {
    /// Bind
    pub const BIND: u8 = b'B';
    /// Close
    pub const CLOSE: u8 = b'C';
    /// CopyData
    pub const COPY_DATA: u8 = b'd';
    /// CopyDone
    pub const COPY_DONE: u8 = b'c';
    /// CopyFail
    pub const COPY_FAIL: u8 = b'f';
    /// Describe
    pub const DESCRIBE: u8 = b'D';
    /// Execute
    pub const EXECUTE: u8 = b'E';
    /// Flush
    pub const FLUSH: u8 = b'H';
    /// FunctionCall
    pub const FUNCTION_CALL: u8 = b'F';
    /// Parse
    pub const PARSE: u8 = b'P';
    /// PasswordMessage, SASLInitialResponse, SASLResponse: during authentication alone
    pub const PASSWORD: u8 = b'p';
    /// Query
    pub const QUERY: u8 = b'Q';
    /// Sync
    pub const SYNC: u8 = b'S';
    /// Terminate
    pub const TERMINATE: u8 = b'X';
}

/// A message of an authenticated client.
#[derive(Clone, Debug, PartialEq)]
pub enum Message<'a> {
    /// Simple query: the text.
    Query(&'a str),
    /// Prepares a statement.
    Parse(Parse<'a>),
    /// Makes a portal.
    Bind(Bind<'a>),
    /// Asks for a row description.
    Describe(Target<'a>),
    /// Runs a portal.
    Execute(Execute<'a>),
    /// Closes a statement or portal.
    Close(Target<'a>),
    /// Asks for what was answered so far.
    Flush,
    /// Ends a pipeline.
    Sync,
    /// A piece of COPY FROM STDIN.
    CopyData(&'a [u8]),
    /// The end of COPY FROM STDIN.
    CopyDone,
    /// COPY FROM STDIN is given up, with the reason.
    CopyFail(&'a str),
    /// The fast path, which is refused; its body is not read.
    FunctionCall,
    /// The client says good-bye.
    Terminate,
}

/// Parse.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parse<'a> {
    /// The statement's name; empty: the unnamed one.
    pub statement: &'a str,
    /// The text.
    pub sql: &'a str,
    /// Types of the first parameters; 0: not named.
    pub types: ParameterTypes<'a>,
}

/// The type OIDs of a Parse, still in their wire form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ParameterTypes<'a>(&'a [u8]);

impl ParameterTypes<'_> {
    /// The OIDs in order.
    pub fn iter(&self) -> impl Iterator<Item = u32> {
        self.0.as_chunks::<4>().0.iter().map(|oid| u32::from_be_bytes(*oid))
    }
    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len() / 4
    }
    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
    /// The OIDs, collected.
    pub fn to_vec(&self) -> Vec<u32> {
        self.iter().collect()
    }
}

/// Bind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bind<'a> {
    /// The portal's name; empty: the unnamed one.
    pub portal: &'a str,
    /// The statement's name; empty: the unnamed one.
    pub statement: &'a str,
    /// Formats and values, checked.
    pub rest: BindRest<'a>,
}

/// A Bind behind its two names: parameter formats, values, result formats. It can only be made by a check of the whole, so
/// that its bytes may be sent on as they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BindRest<'a> {
    bytes: &'a [u8],
    parameter_formats: &'a [u8],
    values: &'a [u8],
    parameters: u16,
    result_formats: &'a [u8],
}

impl<'a> BindRest<'a> {
    /// Checks the counts, the lengths and the format codes; nothing may be left over.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, WireError> {
        let mut cursor = Cursor::new(bytes);
        let parameter_formats = format_codes(&mut cursor)?;
        let parameters = cursor.u16()?;
        let formats = parameter_formats.len() / 2;
        if formats > 1 && formats != usize::from(parameters) {
            return Err(WireError::Violation(format!(
                "bind message has {formats} parameter formats but {parameters} parameters"
            )));
        }
        let from = cursor.rest();
        for _ in 0..parameters {
            cursor.value()?;
        }
        let values = from.get(..from.len() - cursor.rest().len()).unwrap_or_default();
        let result_formats = format_codes(&mut cursor)?;
        cursor.end()?;
        Ok(Self { bytes, parameter_formats, values, parameters, result_formats })
    }
    /// The whole, as it stands in the message.
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }
    /// How many parameters have values.
    pub fn parameter_count(&self) -> usize {
        usize::from(self.parameters)
    }
    /// The values in order, each with whether it is binary; `None`: NULL.
    pub fn parameters(&self) -> impl Iterator<Item = (Option<&'a [u8]>, bool)> {
        let mut values = Cursor::new(self.values);
        let rest = *self;
        (0..self.parameter_count())
            .map_while(move |index| values.value().ok().map(|value| (value, binary(rest.parameter_formats, index))))
    }
    /// How many result formats there are: none (all text), one (for all columns), or one a column.
    pub fn result_format_count(&self) -> usize {
        self.result_formats.len() / 2
    }
    /// Whether a result column is asked for in binary.
    pub fn result_is_binary(&self, column: usize) -> bool {
        binary(self.result_formats, column)
    }
}

/// Whether the codes ask for binary at this place; a single code holds for all.
fn binary(codes: &[u8], index: usize) -> bool {
    let (codes, _) = codes.as_chunks::<2>();
    match codes {
        [one] => *one == [0, 1],
        _ => codes.get(index).is_some_and(|code| *code == [0, 1]),
    }
}

fn format_codes<'a>(cursor: &mut Cursor<'a>) -> Result<&'a [u8], WireError> {
    let count = usize::from(cursor.u16()?);
    let codes = cursor.bytes(count * 2)?;
    for code in codes.as_chunks::<2>().0 {
        let code = i16::from_be_bytes(*code);
        if !matches!(code, 0 | 1) {
            return Err(WireError::FormatCode(code));
        }
    }
    Ok(codes)
}

/// What Describe and Close are about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target<'a> {
    /// A prepared statement.
    Statement(&'a str),
    /// A portal.
    Portal(&'a str),
}

/// Execute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Execute<'a> {
    /// The portal's name; empty: the unnamed one.
    pub portal: &'a str,
    /// The most rows; 0: all (a negative number means all, too).
    pub max_rows: u32,
}

/// Measures the client's frame at the front of `buffer` and checks, before its body is read, that its type exists and that
/// it keeps the size limit: `max_message` for what may be long, 10,000 bytes for the rest.
#[inline]
pub fn frame(buffer: &[u8], max_message: usize) -> Result<Option<Header>, WireError> {
    let Some(&first) = buffer.first() else { return Ok(None) };
    let max = match first {
        tag::QUERY | tag::PARSE | tag::BIND | tag::COPY_DATA | tag::FUNCTION_CALL => max_message,
        tag::CLOSE
        | tag::COPY_DONE
        | tag::COPY_FAIL
        | tag::DESCRIBE
        | tag::EXECUTE
        | tag::FLUSH
        | tag::SYNC
        | tag::TERMINATE => max_message.min(MAX_UNAUTHENTICATED_BYTES),
        unknown => return Err(WireError::UnknownTag(unknown)),
    };
    within(buffer, max)
}

/// Measures a frame of somebody who is still authenticating.
pub fn authentication_frame(buffer: &[u8]) -> Result<Option<Header>, WireError> {
    match buffer.first() {
        None => Ok(None),
        Some(&tag::PASSWORD) => within(buffer, MAX_UNAUTHENTICATED_BYTES),
        Some(&unknown) => Err(WireError::UnknownTag(unknown)),
    }
}

fn within(buffer: &[u8], max: usize) -> Result<Option<Header>, WireError> {
    match header(buffer)? {
        Some(Header { len, .. }) if len > max => Err(WireError::TooLarge { len, max }),
        measured => Ok(measured),
    }
}

/// Reads a whole frame of an authenticated client.
pub fn decode(frame: &[u8]) -> Result<Message<'_>, WireError> {
    let tag = *frame.first().ok_or(WireError::Truncated)?;
    let mut cursor = Cursor::new(body(frame));
    let message = match tag {
        tag::QUERY => Message::Query(cursor.text()?),
        tag::PARSE => Message::Parse(parse(&mut cursor)?),
        tag::BIND => return bind(cursor),
        tag::DESCRIBE => Message::Describe(target(&mut cursor, "DESCRIBE")?),
        tag::EXECUTE => Message::Execute(execute(&mut cursor)?),
        tag::CLOSE => Message::Close(target(&mut cursor, "CLOSE")?),
        tag::FLUSH => Message::Flush,
        tag::SYNC => Message::Sync,
        tag::COPY_DATA => return Ok(Message::CopyData(cursor.rest())),
        tag::COPY_DONE => Message::CopyDone,
        tag::COPY_FAIL => Message::CopyFail(cursor.text()?),
        // Refused whatever it holds, so nothing of it is looked at.
        tag::FUNCTION_CALL => return Ok(Message::FunctionCall),
        tag::TERMINATE => return Ok(Message::Terminate),
        unknown => return Err(WireError::UnknownTag(unknown)),
    };
    cursor.end()?;
    Ok(message)
}

fn parse<'a>(cursor: &mut Cursor<'a>) -> Result<Parse<'a>, WireError> {
    let statement = cursor.text()?;
    let sql = cursor.text()?;
    let count = usize::from(cursor.u16()?);
    Ok(Parse { statement, sql, types: ParameterTypes(cursor.bytes(count * 4)?) })
}

fn bind(mut cursor: Cursor<'_>) -> Result<Message<'_>, WireError> {
    let portal = cursor.text()?;
    let statement = cursor.text()?;
    Ok(Message::Bind(Bind { portal, statement, rest: BindRest::parse(cursor.rest())? }))
}

fn target<'a>(cursor: &mut Cursor<'a>, message: &str) -> Result<Target<'a>, WireError> {
    let kind = cursor.u8()?;
    let name = cursor.text()?;
    match kind {
        b'S' => Ok(Target::Statement(name)),
        b'P' => Ok(Target::Portal(name)),
        other => Err(WireError::Violation(format!("invalid {message} message subtype {other}"))),
    }
}

fn execute<'a>(cursor: &mut Cursor<'a>) -> Result<Execute<'a>, WireError> {
    let portal = cursor.text()?;
    let max_rows = u32::try_from(cursor.i32()?).unwrap_or(0);
    Ok(Execute { portal, max_rows })
}

/// SASLInitialResponse.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SaslInitial<'a> {
    /// The mechanism that the client chose.
    pub mechanism: &'a str,
    /// The first message, where the mechanism lets the client begin.
    pub data: Option<&'a [u8]>,
}

/// Reads the answer to AuthenticationSASL.
pub fn sasl_initial(frame: &[u8]) -> Result<SaslInitial<'_>, WireError> {
    let mut cursor = Cursor::new(body(frame));
    let mechanism = cursor.text()?;
    let data = cursor.value()?;
    cursor.end()?;
    Ok(SaslInitial { mechanism, data })
}

/// Reads the answer to AuthenticationSASLContinue: the whole body.
pub fn sasl_response(frame: &[u8]) -> Result<&str, WireError> {
    utf8(body(frame))
}
