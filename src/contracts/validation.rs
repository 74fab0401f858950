//! What came of a run. These are records: they are kept, and printed as JSON.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::catalog::Severity;
use crate::names::ProductId;

/// One run of a product's contract.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Validation {
    /// Whose contract.
    pub product: ProductId,
    /// Of this version.
    pub version: u32,
    /// When it began.
    pub started_at: Timestamp,
    /// How long it took.
    pub duration_ms: u64,
    /// No check of severity `error` has failed.
    pub passed: bool,
    /// The schema check first, then in the order of the file.
    pub checks: Vec<CheckOutcome>,
    /// What somebody should look at, though no check has failed for it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
    /// How many rows there were; `None`: they could not be counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rows: Option<u64>,
    /// The age of the newest row, by the column that tells how fresh the product is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stale_seconds: Option<u64>,
}

/// What came of one check.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CheckOutcome {
    /// As the file names it; `schema` for the check that every product has.
    pub name: String,
    /// What it looked at.
    #[serde(rename = "type")]
    pub kind: CheckType,
    /// How grave a failure is.
    pub severity: CheckSeverity,
    /// Whether the data is as promised.
    pub passed: bool,
    /// Whether it could be looked at; one that could not has failed.
    pub ran: bool,
    /// For people.
    pub message: String,
    /// Nulls, duplicate keys, values out of range, hours of staleness, rows, violations.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<f64>,
    /// Of the statement that told; several checks may share one.
    pub duration_ms: u64,
}

/// What a check looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CheckType {
    /// Columns, types and nullability.
    Schema,
    /// No NULL.
    NotNull,
    /// No two equal keys.
    Unique,
    /// Values within bounds.
    Range,
    /// The age of the newest row.
    Freshness,
    /// How many rows.
    RowCount,
    /// A statement that counts violations.
    CustomSql,
}

impl CheckType {
    /// The word in files and records.
    pub fn label(self) -> &'static str {
        match self {
            Self::Schema => "schema",
            Self::NotNull => "not_null",
            Self::Unique => "unique",
            Self::Range => "range",
            Self::Freshness => "freshness",
            Self::RowCount => "row_count",
            Self::CustomSql => "custom_sql",
        }
    }
}

/// How grave a failure is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CheckSeverity {
    /// The contract is broken.
    Error,
    /// Somebody should look.
    Warning,
}

impl CheckSeverity {
    /// The word in files and records.
    pub fn label(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
        }
    }
}

impl From<Severity> for CheckSeverity {
    fn from(severity: Severity) -> Self {
        match severity {
            Severity::Error => Self::Error,
            Severity::Warning => Self::Warning,
        }
    }
}

impl Validation {
    /// The checks of severity `error` that failed: what breaks the contract.
    pub fn broken(&self) -> impl Iterator<Item = &CheckOutcome> {
        self.checks.iter().filter(|check| !check.passed && check.severity == CheckSeverity::Error)
    }
}
