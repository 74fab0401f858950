//! The compiled `policy.toml`: roles, users, groups, tokens, limits, global standards.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::civil::Date;

use crate::names::{ColumnPattern, DomainName, ProductPattern, RoleName, UserName};

use super::server::SecretString;

/// What happens at `max_rows`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum OnMaxRows {
    /// The result is cut, with a notice.
    #[default]
    Cut,
    /// 54000.
    Error,
}

/// Limits as one table sets them; `None`: not set there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RoleLimits {
    /// 0: unlimited
    pub max_rows: Option<u64>,
    /// 0: unlimited; default: `max_rows`
    pub copy_max_rows: Option<u64>,
    /// cut or error
    pub on_max_rows: Option<OnMaxRows>,
    /// zero: unlimited
    pub statement_timeout: Option<Duration>,
    /// zero: unlimited
    pub idle_in_transaction_timeout: Option<Duration>,
    /// statements of one user at once; 0: unlimited
    pub max_concurrent: Option<usize>,
    /// how long a further one waits
    pub queue_timeout: Option<Duration>,
}

/// Limits in force for a subject: every value decided, with where the row cap comes from.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Limits {
    /// `None`: unlimited
    pub max_rows: Option<u64>,
    /// `None`: unlimited
    pub copy_max_rows: Option<u64>,
    /// cut or error
    pub on_max_rows: OnMaxRows,
    /// `None`: unlimited
    pub statement_timeout: Option<Duration>,
    /// `None`: unlimited
    pub idle_in_transaction_timeout: Option<Duration>,
    /// `None`: unlimited
    pub max_concurrent: Option<usize>,
    /// how long a further statement waits
    pub queue_timeout: Duration,
    /// What the row cap's notice names: `role analyst`, `user ana` or `defaults`.
    pub max_rows_source: String,
    /// The same of COPY's cap: which setting it is, `copy_max_rows` or `max_rows`, and whose.
    pub copy_max_rows_source: (&'static str, String),
}

/// `[governance]`: global standards.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Governance {
    /// Glob patterns (`*` alone is special): columns so named need `pii = true` or `pii_exempt`.
    pub require_pii: Vec<String>,
    /// A regular expression that every column name must match.
    pub column_names: Option<String>,
}

/// `[domains.NAME]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Domain {
    /// Glob patterns on `SCHEMA.TABLE` that its files may publish.
    pub relations: Vec<String>,
}

/// `[roles.NAME]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Role {
    /// Products that it may query.
    pub products: Vec<ProductPattern>,
    /// Columns that it sees raw.
    pub unmask: Vec<ColumnPattern>,
    /// Products whose metadata it sees.
    pub discover: Vec<ProductPattern>,
    /// Products that it may query while they are drafts.
    pub drafts: Vec<ProductPattern>,
    /// COPY (…) TO STDOUT
    pub copy_out: bool,
    /// EXPLAIN without ANALYZE
    pub explain: bool,
    /// Its own limits.
    pub limits: RoleLimits,
}

/// `[groups.NAME]`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Group {
    /// Roles of every member.
    pub roles: Vec<RoleName>,
}

/// A verifier in Postgres' own format: `SCRAM-SHA-256$ITERATIONS:SALT$STOREDKEY:SERVERKEY`, decoded.
#[derive(Clone, PartialEq, Eq)]
pub struct ScramVerifier {
    /// 4096 or more
    pub iterations: u32,
    /// the salt
    pub salt: Vec<u8>,
    /// 32 bytes
    pub stored_key: [u8; 32],
    /// 32 bytes
    pub server_key: [u8; 32],
}

impl std::fmt::Debug for ScramVerifier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ScramVerifier(***)")
    }
}

/// `[users.NAME]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// For password authentication.
    pub password: Option<ScramVerifier>,
    /// An RFC 4514 subject for certificate authentication.
    pub certificate: Option<String>,
    /// Its own roles and those of its groups, without repeats, sorted.
    pub roles: Vec<RoleName>,
    /// Read by row filters; a single string is an array of one with `scalar` set.
    pub attributes: BTreeMap<String, Attribute>,
    /// Roles in which it may act for another user.
    pub on_behalf_of: Vec<RoleName>,
    /// Its own limits, which win over those of roles.
    pub limits: RoleLimits,
}

/// The value of a user's attribute.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Attribute {
    /// A string.
    One(String),
    /// An array of strings.
    Many(Vec<String>),
}

/// `[tokens.NAME]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    /// Whose token it is.
    pub user: UserName,
    /// SHA-256 of the bearer token, hex.
    pub sha256: SecretString,
    /// From the day after this one (UTC) it is refused.
    pub expires: Option<Date>,
}

/// The whole of the policy, compiled: every name it uses exists.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Policy {
    /// `[defaults]`
    pub defaults: RoleLimits,
    /// `[governance]`
    pub governance: Governance,
    /// `[domains.*]`
    pub domains: BTreeMap<DomainName, Domain>,
    /// `[functions] allow`: schema-qualified names
    pub functions: Vec<String>,
    /// `[roles.*]`
    pub roles: BTreeMap<RoleName, Role>,
    /// `[users.*]`
    pub users: BTreeMap<UserName, User>,
    /// `[tokens.*]`
    pub tokens: BTreeMap<String, Token>,
}
