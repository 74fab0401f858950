//! The decision: allow with a plan, or deny with a reason.

use std::sync::Arc;

use jiff::civil::Date;

use crate::names::WarehouseName;
use crate::sql::statement::{Parsed, SessionStatement};

use super::permit::{Denial, Permit};
use super::snapshot::Snapshot;
use super::subject::Subject;

/// Along which schemas an unqualified name is looked up.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub enum SearchPath {
    /// Every domain of which the subject sees a product; a name that fits several products is refused.
    #[default]
    Domains,
    /// What the client set: exact names, the first that fits wins.
    Explicit(Vec<String>),
}

/// Values of the session that a statement may read. A permit into which one went is not cached.
pub trait SessionValues {
    /// The value of a setting as SHOW would give it; `None`: not known here.
    fn setting(&self, name: &str) -> Option<String>;
    /// pgveil's own process number of the session.
    fn backend_pid(&self) -> i32;
}

/// Everything that a decision depends on.
#[derive(Clone, Copy)]
pub struct DecideInput<'a> {
    /// Catalog, policy and facts.
    pub snapshot: &'a Snapshot,
    /// The database that the client is connected to.
    pub warehouse: &'a WarehouseName,
    /// Who asks.
    pub subject: &'a Subject,
    /// Along which schemas names are looked up.
    pub search_path: &'a SearchPath,
    /// Values that `current_setting` and `pg_backend_pid` read.
    pub session: &'a dyn SessionValues,
    /// What is asked.
    pub parsed: &'a Parsed,
    /// Type OIDs of the parameters that the client named in Parse; 0: not named.
    pub param_types: &'a [u32],
    /// For sunsets (UTC).
    pub today: Date,
}

/// What was decided.
#[derive(Clone, Debug)]
pub enum Decision {
    /// It may run.
    Allow(Plan),
    /// It may not.
    Deny(Denial),
}

/// What to do with an allowed statement.
#[derive(Clone, Debug)]
pub enum Plan {
    /// Answer with EmptyQueryResponse.
    Empty,
    /// Send it: a query, EXPLAIN or COPY.
    Upstream(Arc<Permit>),
    /// Keep it as a prepared statement. `types` are rendered type names for the upstream PREPARE.
    Prepare { name: String, types: Vec<String>, permit: Arc<Permit> },
    /// Run a prepared statement with these checked and rendered arguments.
    Execute { name: String, arguments: Arc<[String]> },
    /// Open a cursor: the permit's SQL is the whole DECLARE.
    Declare { name: String, hold: bool, permit: Arc<Permit> },
    /// Something that concerns the session alone.
    Session(SessionStatement),
}
