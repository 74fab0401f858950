//! The one error type that reaches a client. Every text in it was chosen for that reader; nothing internal is passed through.

use std::fmt;

/// A five-character SQLSTATE.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct SqlState([u8; 5]);

impl SqlState {
    /// A code that is known at compile time.
    #[expect(clippy::panic, reason = "only evaluated at compile time, where a panic is a compile error")]
    pub const fn new(code: &'static str) -> Self {
        let [a, b, c, d, e] = code.as_bytes() else { panic!("an SQLSTATE has five characters") };
        Self([*a, *b, *c, *d, *e])
    }
    /// A code from the wire; `None` unless it is five ASCII alphanumerics.
    pub fn from_bytes(code: &[u8]) -> Option<Self> {
        let code: [u8; 5] = code.try_into().ok()?;
        code.iter().all(u8::is_ascii_alphanumeric).then_some(Self(code))
    }
    /// The code as text.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or("XX000")
    }
}

impl fmt::Display for SqlState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
impl fmt::Debug for SqlState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The SQLSTATEs that pgveil itself raises (PostgreSQL 15, appendix A).
pub mod sqlstate {
    use super::SqlState;

    macro_rules! codes {
        ($($(#[$doc:meta])* $name:ident = $code:literal;)*) => {
            $($(#[$doc])* pub const $name: SqlState = SqlState::new($code);)*
        };
    }
    codes! {
        /// 00000
        SUCCESSFUL_COMPLETION = "00000";
        /// 01000
        WARNING = "01000";
        /// 08006
        CONNECTION_FAILURE = "08006";
        /// 08P01
        PROTOCOL_VIOLATION = "08P01";
        /// 0A000
        FEATURE_NOT_SUPPORTED = "0A000";
        /// 22021
        CHARACTER_NOT_IN_REPERTOIRE = "22021";
        /// 22023
        INVALID_PARAMETER_VALUE = "22023";
        /// 25001
        ACTIVE_SQL_TRANSACTION = "25001";
        /// 25P01
        NO_ACTIVE_SQL_TRANSACTION = "25P01";
        /// 25P02
        IN_FAILED_SQL_TRANSACTION = "25P02";
        /// 25P03
        IDLE_IN_TRANSACTION_SESSION_TIMEOUT = "25P03";
        /// 26000
        INVALID_SQL_STATEMENT_NAME = "26000";
        /// 28000
        INVALID_AUTHORIZATION_SPECIFICATION = "28000";
        /// 28P01
        INVALID_PASSWORD = "28P01";
        /// 34000
        INVALID_CURSOR_NAME = "34000";
        /// 3B001
        INVALID_SAVEPOINT_SPECIFICATION = "3B001";
        /// 3D000
        INVALID_CATALOG_NAME = "3D000";
        /// 42501
        INSUFFICIENT_PRIVILEGE = "42501";
        /// 42601
        SYNTAX_ERROR = "42601";
        /// 42703
        UNDEFINED_COLUMN = "42703";
        /// 42704
        UNDEFINED_OBJECT = "42704";
        /// 42712
        DUPLICATE_ALIAS = "42712";
        /// 42883
        UNDEFINED_FUNCTION = "42883";
        /// 3F000
        UNDEFINED_SCHEMA = "3F000";
        /// 42P01
        UNDEFINED_TABLE = "42P01";
        /// 42P02
        UNDEFINED_PARAMETER = "42P02";
        /// 42P03
        DUPLICATE_CURSOR = "42P03";
        /// 42P05
        DUPLICATE_PREPARED_STATEMENT = "42P05";
        /// 42P09
        AMBIGUOUS_ALIAS = "42P09";
        /// 53300
        TOO_MANY_CONNECTIONS = "53300";
        /// 54000
        PROGRAM_LIMIT_EXCEEDED = "54000";
        /// 54001
        STATEMENT_TOO_COMPLEX = "54001";
        /// 55000
        OBJECT_NOT_IN_PREREQUISITE_STATE = "55000";
        /// 55P02
        CANT_CHANGE_RUNTIME_PARAM = "55P02";
        /// 57014
        QUERY_CANCELED = "57014";
        /// 57P01
        ADMIN_SHUTDOWN = "57P01";
        /// 57P03
        CANNOT_CONNECT_NOW = "57P03";
        /// 58030
        IO_ERROR = "58030";
        /// XX000
        INTERNAL_ERROR = "XX000";
    }
}

/// How grave an error is for the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// The statement failed; the connection lives on.
    Error,
    /// The connection ends.
    Fatal,
}

/// Why an error arose, by who can do something about it. It is the label of the error metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// Policy says no.
    Denied,
    /// The client's statement or message is wrong.
    Client,
    /// A limit was reached.
    Limit,
    /// The person could not be authenticated.
    Authentication,
    /// The warehouse refused the statement.
    Warehouse,
    /// The warehouse cannot be reached.
    Unavailable,
    /// pgveil itself could not do its work.
    Internal,
}

impl ErrorKind {
    /// The metric label.
    pub fn label(self) -> &'static str {
        match self {
            Self::Denied => "denied",
            Self::Client => "client",
            Self::Limit => "limit",
            Self::Authentication => "authentication",
            Self::Warehouse => "warehouse",
            Self::Unavailable => "unavailable",
            Self::Internal => "internal",
        }
    }
}

/// An error as the client sees it: Postgres' fields, in Postgres' style (message lower-case and without a full stop,
/// detail and hint whole sentences).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{sqlstate}: {message}")]
pub struct ClientError {
    /// ERROR or FATAL.
    pub severity: Severity,
    /// Who can do something about it.
    pub kind: ErrorKind,
    /// The code that programs read.
    pub sqlstate: SqlState,
    /// What happened.
    pub message: String,
    /// More about it.
    pub detail: Option<String>,
    /// What the person can do.
    pub hint: Option<String>,
    /// Character position in the client's statement, from 1.
    pub position: Option<usize>,
}

impl ClientError {
    /// An `ERROR`; the connection lives on.
    pub fn new(kind: ErrorKind, sqlstate: SqlState, message: impl Into<String>) -> Self {
        Self {
            severity: Severity::Error,
            kind,
            sqlstate,
            message: message.into(),
            detail: None,
            hint: None,
            position: None,
        }
    }
    /// A `FATAL`; the connection ends after it.
    pub fn fatal(kind: ErrorKind, sqlstate: SqlState, message: impl Into<String>) -> Self {
        Self { severity: Severity::Fatal, ..Self::new(kind, sqlstate, message) }
    }
    /// Adds the DETAIL.
    #[must_use]
    pub fn with_detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = Some(detail.into());
        self
    }
    /// Adds the HINT.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
    /// Adds the position in the client's text (characters, from 1).
    #[must_use]
    pub fn at(mut self, position: usize) -> Self {
        self.position = Some(position);
        self
    }
}

/// A NOTICE or WARNING for the client; the statement goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// 01000 unless something more exact fits.
    pub sqlstate: SqlState,
    /// What happened.
    pub message: String,
    /// More about it.
    pub detail: Option<String>,
    /// What the person can do.
    pub hint: Option<String>,
    /// A word for what it is about: what was said of that is not said again. Not sent.
    pub topic: &'static str,
}

impl Notice {
    /// A notice with SQLSTATE 01000.
    pub fn new(message: impl Into<String>) -> Self {
        Self { sqlstate: sqlstate::WARNING, message: message.into(), detail: None, hint: None, topic: "" }
    }
    /// Says what it is about.
    #[must_use]
    pub fn about(mut self, topic: &'static str) -> Self {
        self.topic = topic;
        self
    }
    /// Adds the HINT.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}
