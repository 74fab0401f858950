//! Statements that are prepared on one connection.

/// The name of a prepared statement on one connection, `pv_7`; of no meaning on another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatementName(pub(super) String);

impl StatementName {
    /// The unnamed statement.
    pub fn unnamed() -> Self {
        Self(String::new())
    }
    /// As it is sent.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}
