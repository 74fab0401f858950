//! What a statement's text may be, and the errors of this room.

use crate::error::{ClientError, ErrorKind, sqlstate};

/// Caps on a client's text, checked before anything is parsed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TextLimits {
    /// Of the whole text.
    pub max_bytes: usize,
    /// Tokens that are neither white space nor comments.
    pub max_tokens: usize,
    /// Nesting of parentheses, and of expressions and queries in one another.
    pub max_depth: usize,
}

impl Default for TextLimits {
    fn default() -> Self {
        Self { max_bytes: 1024 * 1024, max_tokens: 200_000, max_depth: 1_000 }
    }
}

/// Why a text is no statement for pgveil. Positions count characters of the client's text, from 1.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SqlError {
    /// 42601
    #[error("{message}")]
    Syntax { message: String, hint: Option<String>, position: Option<usize> },
    /// 54000
    #[error("{message}")]
    TooLarge { message: String, hint: String },
    /// 54001
    #[error("{message}")]
    TooDeep { message: String, hint: String },
    /// 22021
    #[error("{message}")]
    Encoding { message: String },
}

impl SqlError {
    /// The text exceeds a cap.
    pub(super) fn too_large(unit: &str, found: usize, allowed: usize) -> Self {
        Self::TooLarge {
            message: format!("statement is too large: {found} {unit}, at most {allowed} are allowed"),
            hint: "Send long lists of values as an array parameter, or in several statements.".to_owned(),
        }
    }
    /// The text nests too deeply.
    pub(super) fn too_deep(allowed: usize) -> Self {
        Self::TooDeep {
            message: format!("statement is too complex: it nests more than {allowed} levels deep"),
            hint: "Write deeply nested expressions and sub-selects as common table expressions (WITH).".to_owned(),
        }
    }
    /// A syntax error at a character position.
    pub fn syntax(message: impl Into<String>, position: usize) -> Self {
        Self::Syntax { message: message.into(), hint: None, position: Some(position) }
    }
    /// Adds what to do about a syntax error.
    pub(super) fn with_hint(self, hint: Option<String>) -> Self {
        match self {
            Self::Syntax { message, position, .. } => Self::Syntax { message, hint, position },
            other => other,
        }
    }
}

impl From<SqlError> for ClientError {
    fn from(error: SqlError) -> Self {
        match error {
            SqlError::Syntax { message, hint, position } => {
                let mut error = Self::new(ErrorKind::Client, sqlstate::SYNTAX_ERROR, message);
                error.hint = hint;
                error.position = position;
                error
            }
            SqlError::TooLarge { message, hint } => {
                Self::new(ErrorKind::Limit, sqlstate::PROGRAM_LIMIT_EXCEEDED, message).with_hint(hint)
            }
            SqlError::TooDeep { message, hint } => {
                Self::new(ErrorKind::Limit, sqlstate::STATEMENT_TOO_COMPLEX, message).with_hint(hint)
            }
            SqlError::Encoding { message } => {
                Self::new(ErrorKind::Client, sqlstate::CHARACTER_NOT_IN_REPERTOIRE, message)
            }
        }
    }
}
