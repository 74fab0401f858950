//! What lives in a session by name: prepared statements, portals, cursors.

use std::sync::{Arc, OnceLock};

use crate::govern::cache::{Decided, DecidedText};
use crate::govern::decide::{Decision, Plan};
use crate::govern::permit::Permit;
use crate::upstream::UpstreamSettings;

/// A prepared statement, of the protocol or of SQL's PREPARE: they share their names.
#[derive(Debug)]
pub(super) struct Prepared {
    /// As the client wrote it.
    pub text: Arc<str>,
    /// Type OIDs that the client named.
    pub types: Vec<u32>,
    /// SQL's PREPARE has made it: its plan is the PREPARE, and it runs its query.
    pub by_sql: bool,
    /// One statement, allowed.
    pub decided: DecidedText,
    /// When it was decided.
    pub epoch: u64,
    /// The settings under which the warehouse has read it first, which literals depend on.
    pub read_under: OnceLock<Arc<UpstreamSettings>>,
}

impl Prepared {
    fn first(&self) -> Option<&Decided> {
        self.decided.first()
    }

    /// What to do with it.
    pub(super) fn plan(&self) -> Option<&Plan> {
        match &self.first()?.decision {
            Decision::Allow(plan) => Some(plan),
            Decision::Deny(_) => None,
        }
    }

    /// What goes upstream when it runs as a portal; `None`: pgveil does something of its own.
    pub(super) fn permit(&self) -> Option<&Arc<Permit>> {
        match self.plan()? {
            Plan::Upstream(permit) | Plan::Declare { permit, .. } => Some(permit),
            Plan::Prepare { permit, .. } => self.by_sql.then_some(permit),
            Plan::Empty | Plan::Execute { .. } | Plan::Session(_) | Plan::Signal(_) => None,
        }
    }

    /// Rendered type names of SQL's PREPARE.
    pub(super) fn type_names(&self) -> &[String] {
        match self.plan() {
            Some(Plan::Prepare { types, .. }) => types,
            _ => &[],
        }
    }

    /// Whether a COPY's first message is its header.
    pub(super) fn copy_header(&self) -> bool {
        self.first().is_some_and(|decided| decided.copy_header)
    }
}

/// A portal.
#[derive(Debug)]
pub(super) struct Portal {
    pub prepared: Arc<Prepared>,
    /// It lies in the warehouse, and is gone with the lease.
    pub on_lease: bool,
    /// Rows that the client has got of it.
    pub sent: u64,
    /// The row cap has ended it, or pgveil has answered it.
    pub ended: bool,
    /// The client wants binary results.
    pub binary: bool,
    /// The result formats as Bind had them, for what pgveil binds itself.
    pub formats: Box<[u8]>,
}

/// A cursor of SQL.
#[derive(Debug)]
pub(super) struct Cursor {
    /// Its DECLARE.
    pub prepared: Arc<Prepared>,
    /// Rows that the client has got of it.
    pub sent: u64,
    /// WITH HOLD: it outlives its transaction, and the lease with it.
    pub hold: bool,
    /// Its transaction is still open.
    pub young: bool,
}
