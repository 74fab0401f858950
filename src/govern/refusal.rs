//! What a rule answers when it says no; a [`Denial`] once the products of the statement are known.

use crate::error::{ClientError, ErrorKind, SqlState, sqlstate};
use crate::names::ProductId;

use super::permit::Denial;

/// Why something in a statement is not allowed, and what to use instead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// 42501 unless Postgres has a more exact code.
    pub sqlstate: SqlState,
    /// A short, stable word for the audit record and the metric.
    pub reason: &'static str,
    /// Which thing is not allowed, in Postgres' style.
    pub message: String,
    /// What to use instead, where there is something.
    pub hint: Option<String>,
}

impl Refusal {
    /// A refusal with SQLSTATE 42501.
    pub fn new(reason: &'static str, message: impl Into<String>) -> Self {
        Self { sqlstate: sqlstate::INSUFFICIENT_PRIVILEGE, reason, message: message.into(), hint: None }
    }
    /// Another SQLSTATE.
    #[must_use]
    pub fn with_sqlstate(mut self, sqlstate: SqlState) -> Self {
        self.sqlstate = sqlstate;
        self
    }
    /// Adds what to use instead.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
    /// As the client is told.
    pub fn into_error(self) -> ClientError {
        let kind =
            if self.sqlstate == sqlstate::INSUFFICIENT_PRIVILEGE { ErrorKind::Denied } else { ErrorKind::Client };
        let mut error = ClientError::new(kind, self.sqlstate, self.message);
        error.hint = self.hint;
        error
    }
    /// As the decision that it leads to.
    pub fn into_denial(self, products: Vec<ProductId>) -> Denial {
        let reason = self.reason;
        Denial { error: self.into_error(), reason, products }
    }
}
