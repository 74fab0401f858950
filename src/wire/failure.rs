//! What can be wrong with bytes from the wire, and how a client is told of it.

use crate::error::{ClientError, ErrorKind, Severity, SqlState, sqlstate};

/// Bytes that are no message of the protocol.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WireError {
    /// A length below that of the length field itself, or a negative one.
    #[error("invalid message length {length} (message type 0x{tag:02x})")]
    InvalidLength {
        /// The frame's tag.
        tag: u8,
        /// The length as it was sent.
        length: i32,
    },
    /// A message above the limit; its body was not read.
    #[error("message of {len} bytes exceeds the limit of {max} bytes")]
    TooLarge {
        /// Bytes of the whole frame.
        len: usize,
        /// The limit.
        max: usize,
    },
    /// No message type that is known at this point.
    #[error("invalid frontend message type {0}")]
    UnknownTag(u8),
    /// The body ends too early.
    #[error("insufficient data left in message")]
    Truncated,
    /// The body goes on behind its end.
    #[error("invalid message format")]
    Trailing,
    /// A string without its terminator.
    #[error("invalid string in message")]
    Unterminated,
    /// Text that is not UTF-8.
    #[error("invalid byte sequence for encoding \"UTF8\": {0}")]
    NotUtf8(String),
    /// A format code that is neither 0 nor 1.
    #[error("unsupported format code: {0}")]
    FormatCode(i16),
    /// Anything else, in Postgres' words.
    #[error("{0}")]
    Violation(String),
}

impl WireError {
    /// Describes the first bad sequence of a text.
    pub(super) fn not_utf8(text: &[u8], error: &std::str::Utf8Error) -> Self {
        let bad = text.get(error.valid_up_to()..).unwrap_or_default();
        let shown = bad.iter().take(error.error_len().unwrap_or(bad.len()).min(4));
        Self::NotUtf8(shown.map(|byte| format!("0x{byte:02x}")).collect::<Vec<_>>().join(" "))
    }

    /// Whether the place of the next message is lost, so that the connection must end.
    pub fn ends_connection(&self) -> bool {
        match self {
            Self::InvalidLength { .. } | Self::TooLarge { .. } | Self::UnknownTag(_) => true,
            Self::Truncated
            | Self::Trailing
            | Self::Unterminated
            | Self::NotUtf8(_)
            | Self::FormatCode(_)
            | Self::Violation(_) => false,
        }
    }

    fn sqlstate(&self) -> SqlState {
        match self {
            Self::TooLarge { .. } => sqlstate::PROGRAM_LIMIT_EXCEEDED,
            Self::NotUtf8(_) => sqlstate::CHARACTER_NOT_IN_REPERTOIRE,
            Self::FormatCode(_) => sqlstate::INVALID_PARAMETER_VALUE,
            Self::InvalidLength { .. }
            | Self::UnknownTag(_)
            | Self::Truncated
            | Self::Trailing
            | Self::Unterminated
            | Self::Violation(_) => sqlstate::PROTOCOL_VIOLATION,
        }
    }
}

impl From<WireError> for ClientError {
    fn from(error: WireError) -> Self {
        let kind = match error {
            WireError::TooLarge { .. } => ErrorKind::Limit,
            _ => ErrorKind::Client,
        };
        let severity = if error.ends_connection() { Severity::Fatal } else { Severity::Error };
        let told = ClientError { severity, ..ClientError::new(kind, error.sqlstate(), error.to_string()) };
        match error {
            WireError::TooLarge { .. } => told.with_hint(
                "Send less in one message, or ask the operator of pgveil to raise max_message in its [server] section.",
            ),
            WireError::NotUtf8(_) => told.with_hint("pgveil speaks UTF8 only; set the client's encoding to UTF8."),
            WireError::FormatCode(_) => told.with_hint("Format codes are 0 (text) and 1 (binary)."),
            _ => told,
        }
    }
}
