//! What is recorded, and how its fields follow each other. The head of a line (`v`, `seq`, `time`, `prev`, `hash`) is added
//! when the line is chained; what is written here is the rest.

use std::net::SocketAddr;
use std::time::Duration;

use crate::error::SqlState;
use crate::names::{ProductId, RoleName, UserName};

use super::json;

/// Whose session a record is about.
#[derive(Clone, Copy, Debug)]
pub struct SessionFields<'a> {
    /// The session's own name, the same as in the logs.
    pub session: &'a str,
    /// Whose policy holds.
    pub user: &'a UserName,
    /// The end user for whom a service asks.
    pub on_behalf_of: Option<&'a str>,
    /// Roles in force.
    pub roles: &'a [RoleName],
    /// Where the client is.
    pub client: SocketAddr,
    /// `application_name`; empty: left out.
    pub application: &'a str,
    /// The database that the client named.
    pub database: &'a str,
    /// Protocol version, `TLSv1.3`; `None`: plaintext.
    pub tls: Option<&'a str>,
}

/// The fields of a session, written out once and put into each of its records. Made anew when one of them changes.
#[derive(Clone, Debug, Default)]
pub struct Stamp(Box<[u8]>);

impl Stamp {
    /// Writes the fields out.
    pub fn new(fields: &SessionFields<'_>) -> Self {
        let mut out = Vec::with_capacity(256);
        json::text_field(&mut out, "session", fields.session);
        json::text_field(&mut out, "user", fields.user.as_str());
        json::optional_text_field(&mut out, "on_behalf_of", fields.on_behalf_of);
        json::list_field(&mut out, "roles", fields.roles.iter().map(RoleName::as_str));
        json::text_field(&mut out, "client", &fields.client.to_string());
        json::optional_text_field(&mut out, "application", Some(fields.application).filter(|a| !a.is_empty()));
        json::text_field(&mut out, "database", fields.database);
        json::optional_text_field(&mut out, "tls", fields.tls);
        Self(out.into())
    }
}

/// What was decided about a statement.
#[derive(Clone, Copy, Debug)]
pub enum Verdict<'a> {
    /// It runs as soon as the record is written.
    Allow {
        /// The SQL that goes upstream; `None` for what pgveil answers itself (SET, SHOW).
        forwarded: Option<&'a str>,
        /// `DOMAIN.PRODUCT.COLUMN` of each PII column that is read masked.
        masked: &'a [String],
        /// `DOMAIN.PRODUCT.COLUMN` of each PII column that is read raw.
        unmasked: &'a [String],
    },
    /// It does not run.
    Deny {
        /// A short, stable word.
        reason: &'a str,
        /// What the client is told.
        sqlstate: SqlState,
    },
}

/// A statement and the decision about it. `sql` and `forwarded` are the full texts; how much of them is recorded is
/// `[audit] sql`'s business, and decided by the audit log.
#[derive(Clone, Copy, Debug)]
pub struct StatementRecord<'a> {
    /// Whose statement.
    pub stamp: &'a Stamp,
    /// The client's text.
    pub sql: &'a str,
    /// Equal for statements that differ in literals alone; `None` when it could not be parsed.
    pub fingerprint: Option<&'a str>,
    /// Allow or deny.
    pub verdict: Verdict<'a>,
    /// Every product that it names.
    pub products: &'a [ProductId],
    /// Of the snapshot that decided.
    pub generation: u64,
}

/// How a statement ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Rows that the client was sent.
    pub rows: u64,
    /// Bytes of those rows, as they were sent.
    pub bytes: u64,
    /// From the decision to the last byte.
    pub duration: Duration,
    /// Whether the row cap cut it.
    pub truncated: bool,
    /// `None`: it succeeded.
    pub sqlstate: Option<SqlState>,
}

/// Why a set of files was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReloadOutcome {
    /// pgveil started with it.
    Started,
    /// It was swapped in.
    Applied,
    /// It has errors; the former goes on serving.
    Refused,
    /// pgveil started with errors in the files and serves the last good ones.
    LastGood,
    /// The files are the same, but relations of a warehouse have changed.
    FactsChanged,
    /// The files are the same, but a product breaks its contract, or keeps it again.
    ContractsJudged,
}

/// What came of a run of a product's checks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ContractOutcome {
    /// Every check of severity `error` has passed.
    Passed,
    /// One has failed, as before.
    Failed,
    /// The product does not keep its contract any more.
    Breached,
    /// It keeps it again.
    Recovered,
    /// The warehouse could not be asked.
    Unreached,
}

impl ContractOutcome {
    /// The word in the record and the label of the metric.
    pub fn label(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed => "failed",
            Self::Breached => "breached",
            Self::Recovered => "recovered",
            Self::Unreached => "unreached",
        }
    }
}

impl ReloadOutcome {
    /// The word in the record and the label of the metric.
    pub fn label(self) -> &'static str {
        match self {
            Self::Started => "started",
            Self::Applied => "applied",
            Self::Refused => "refused",
            Self::LastGood => "last_good",
            Self::FactsChanged => "facts_changed",
            Self::ContractsJudged => "contracts_judged",
        }
    }
}

/// What is recorded besides statements.
#[derive(Clone, Copy, Debug)]
pub enum Event<'a> {
    /// A client is authenticated.
    SessionStart(&'a Stamp),
    /// A client is gone.
    SessionEnd {
        /// Whose session.
        stamp: &'a Stamp,
        /// What ended it, when that was an error.
        sqlstate: Option<SqlState>,
    },
    /// A client could not be authenticated.
    AuthFailure {
        /// The name that it gave, which need not exist.
        user: &'a str,
        /// Where it is.
        client: SocketAddr,
        /// The database that it named.
        database: &'a str,
        /// `TLSv1.3`; `None`: plaintext.
        tls: Option<&'a str>,
        /// A short, stable word: `password`, `unknown_user`, `certificate`…
        reason: &'a str,
        /// What the client was told.
        sqlstate: SqlState,
    },
    /// Catalog and policy were read.
    Reload {
        /// What came of it.
        outcome: ReloadOutcome,
        /// The generation that serves now.
        generation: u64,
        /// How many errors the files have.
        errors: usize,
    },
    /// The checks of a product have run.
    Contract {
        /// Whose.
        product: &'a ProductId,
        /// What came of it.
        outcome: ContractOutcome,
        /// The checks of severity `error` that failed.
        failed: &'a [String],
        /// The generation that serves.
        generation: u64,
    },
}

/// How the texts of a statement are recorded.
pub(super) struct Texts<'a> {
    pub sql: Option<std::borrow::Cow<'a, str>>,
    pub forwarded: Option<std::borrow::Cow<'a, str>>,
}

pub(super) fn write_statement(out: &mut Vec<u8>, record: &StatementRecord<'_>, texts: &Texts<'_>) {
    event(out, "statement");
    out.extend_from_slice(&record.stamp.0);
    json::optional_text_field(out, "sql", texts.sql.as_deref());
    json::optional_text_field(out, "fingerprint", record.fingerprint);
    json::optional_text_field(out, "forwarded", texts.forwarded.as_deref());
    match record.verdict {
        Verdict::Allow { .. } => json::text_field(out, "decision", "allow"),
        Verdict::Deny { reason, sqlstate } => {
            json::text_field(out, "decision", "deny");
            json::text_field(out, "reason", reason);
            json::text_field(out, "sqlstate", sqlstate.as_str());
        }
    }
    product_list(out, record.products);
    if let Verdict::Allow { masked, unmasked, .. } = record.verdict {
        json::list_field(out, "masked", masked);
        json::list_field(out, "unmasked", unmasked);
    }
    json::number_field(out, "generation", record.generation);
}

pub(super) fn write_outcome(out: &mut Vec<u8>, of: u64, outcome: &Outcome) {
    event(out, "outcome");
    json::number_field(out, "of", of);
    json::number_field(out, "rows", outcome.rows);
    json::number_field(out, "bytes", outcome.bytes);
    json::key(out, "duration_ms");
    json::milliseconds(out, outcome.duration);
    json::key(out, "truncated");
    out.extend_from_slice(if outcome.truncated { b"true" } else { b"false" });
    json::optional_text_field(out, "sqlstate", outcome.sqlstate.as_ref().map(SqlState::as_str));
}

/// How many rows went out is not known of a statement that was cut off.
pub(super) fn write_cut_off(out: &mut Vec<u8>, of: u64, duration: Duration, sqlstate: SqlState) {
    event(out, "outcome");
    json::number_field(out, "of", of);
    json::key(out, "duration_ms");
    json::milliseconds(out, duration);
    json::text_field(out, "sqlstate", sqlstate.as_str());
}

pub(super) fn write_event(out: &mut Vec<u8>, what: &Event<'_>) {
    match what {
        Event::SessionStart(stamp) => {
            event(out, "session_start");
            out.extend_from_slice(&stamp.0);
        }
        Event::SessionEnd { stamp, sqlstate } => {
            event(out, "session_end");
            out.extend_from_slice(&stamp.0);
            json::optional_text_field(out, "sqlstate", sqlstate.as_ref().map(SqlState::as_str));
        }
        Event::AuthFailure { user, client, database, tls, reason, sqlstate } => {
            event(out, "auth_failure");
            json::text_field(out, "user", user);
            json::text_field(out, "client", &client.to_string());
            json::text_field(out, "database", database);
            json::optional_text_field(out, "tls", *tls);
            json::text_field(out, "reason", reason);
            json::text_field(out, "sqlstate", sqlstate.as_str());
        }
        Event::Reload { outcome, generation, errors } => {
            event(out, "reload");
            json::text_field(out, "reason", outcome.label());
            json::number_field(out, "generation", *generation);
            json::number_field(out, "errors", *errors as u64);
        }
        Event::Contract { product, outcome, failed, generation } => {
            event(out, "contract");
            json::text_field(out, "reason", outcome.label());
            product_list(out, std::slice::from_ref(*product));
            json::list_field(out, "failed", *failed);
            json::number_field(out, "generation", *generation);
        }
    }
}

/// What the log says of itself.
pub(super) enum Recovered<'a> {
    /// A crash left an unfinished line, which stands before this record.
    TornLine { bytes: u64, sha256: &'a str },
    /// Records could not be written for a while.
    WriteFailed { refused: u64, unrecorded: u64, lost: u64 },
    /// Files older than `keep` were deleted; the chain now begins behind `through`.
    Expired { files: &'a [String], through: u64 },
}

pub(super) fn write_recovered(out: &mut Vec<u8>, what: &Recovered<'_>) {
    event(out, "recovered");
    match what {
        Recovered::TornLine { bytes, sha256 } => {
            json::text_field(out, "reason", "torn_line");
            json::number_field(out, "torn_bytes", *bytes);
            json::text_field(out, "torn_sha256", sha256);
        }
        Recovered::WriteFailed { refused, unrecorded, lost } => {
            json::text_field(out, "reason", "write_failed");
            json::number_field(out, "refused", *refused);
            json::number_field(out, "unrecorded", *unrecorded);
            json::number_field(out, "lost", *lost);
        }
        Recovered::Expired { files, through } => {
            json::text_field(out, "reason", "expired");
            json::list_field(out, "removed", *files);
            json::number_field(out, "removed_through", *through);
        }
    }
}

fn event(out: &mut Vec<u8>, name: &str) {
    out.extend_from_slice(b"\"event\":\"");
    out.extend_from_slice(name.as_bytes());
    out.push(b'"');
}

fn product_list(out: &mut Vec<u8>, products: &[ProductId]) {
    if products.is_empty() {
        return;
    }
    json::key(out, "products");
    for (n, id) in products.iter().enumerate() {
        // A product's id needs no escaping: letters, digits, dashes, underscores and one dot.
        out.extend_from_slice(if n == 0 { b"[\"" } else { b",\"" });
        out.extend_from_slice(id.domain().as_str().as_bytes());
        out.push(b'.');
        out.extend_from_slice(id.product().as_bytes());
        out.push(b'"');
    }
    out.push(b']');
}
