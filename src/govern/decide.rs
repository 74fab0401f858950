//! The decision: allow with a plan, or deny with a reason.

use std::sync::Arc;

use jiff::civil::Date;

use crate::error::sqlstate;
use crate::names::WarehouseName;
use crate::sql::statement::{Declare, Explain, ExplainFormat, Parsed, SessionStatement, Statement};
use crate::sql::{Origin, origin, render_expr, render_type, with_deep_stack};

use super::permit::{Denial, Permit, PermitKind};
use super::prepare::Draft;
use super::rewrite::{self, Walked, denial, refused};
use super::settings;
use super::signal::Signal;
use super::snapshot::Snapshot;
use super::subject::Subject;
use super::types;

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
    /// Cancel or end one of the user's own sessions.
    Signal(Signal),
}

impl Decision {
    /// What may be sent, if something may.
    pub fn permit(&self) -> Option<&Arc<Permit>> {
        match self {
            Self::Allow(Plan::Upstream(permit) | Plan::Prepare { permit, .. } | Plan::Declare { permit, .. }) => {
                Some(permit)
            }
            Self::Allow(Plan::Empty | Plan::Execute { .. } | Plan::Session(_) | Plan::Signal(_)) | Self::Deny(_) => {
                None
            }
        }
    }

    /// Whether it may be kept for the same text and surroundings: nothing of the session went into it.
    pub fn cacheable(&self) -> bool {
        match self {
            Self::Deny(denial) => denial.reason != "setting",
            Self::Allow(Plan::Empty | Plan::Session(_) | Plan::Signal(_)) => true,
            Self::Allow(Plan::Execute { .. }) => false,
            Self::Allow(Plan::Upstream(permit) | Plan::Prepare { permit, .. } | Plan::Declare { permit, .. }) => {
                permit.cacheable
            }
        }
    }
}

/// Decides one statement. Pure: the same input gives the same decision.
pub fn decide(input: &DecideInput<'_>) -> Decision {
    // Trees are walked, cloned and dropped in here.
    with_deep_stack(|| match plan(input) {
        Ok(plan) => Decision::Allow(plan),
        Err(denial) => Decision::Deny(*denial),
    })
}

/// Where in the client's text stands what the SQL that was sent has at `position`: for errors of the warehouse. The statement
/// is decided once more, because trees are not kept; if that gives another SQL by now, there is no answer.
pub fn origin_of(input: &DecideInput<'_>, sent: &str, position: usize) -> Option<Origin> {
    let (query, kind) = match &input.parsed.statement {
        Statement::Query(query) => (query, PermitKind::Query),
        Statement::Prepare { query, .. } => (query, PermitKind::Prepare),
        Statement::Explain(explain) => (&explain.query, PermitKind::Explain),
        Statement::CopyOut(copy) => (&copy.query, PermitKind::Copy),
        Statement::Declare(declare) => (&declare.query, PermitKind::Declare),
        Statement::Empty | Statement::Execute { .. } | Statement::Session(_) | Statement::Refused(_) => return None,
    };
    with_deep_stack(|| origin(&Draft::new(input, query).ok()?.bounded(kind), sent, position, &input.parsed.text))
}

fn plan(input: &DecideInput<'_>) -> Walked<Plan> {
    for oid in input.param_types {
        types::check_oid(*oid, input.snapshot, input.warehouse).map_err(refused)?;
    }
    if let Some(signal) = Signal::of(&input.parsed.statement) {
        return Ok(Plan::Signal(signal));
    }
    match &input.parsed.statement {
        Statement::Empty => Ok(Plan::Empty),
        Statement::Query(query) => {
            let draft = Draft::new(input, query)?;
            draft.seal(PermitKind::Query, Statement::Query).map(Plan::Upstream)
        }
        Statement::Explain(explain) => explained(input, explain),
        Statement::CopyOut(copy) => {
            if !input.snapshot.may_copy_out(input.subject) {
                return Err(not_for_roles(input, "COPY", "copy_out", "Use SELECT, or ask for a role with copy_out."));
            }
            let draft = Draft::new(input, &copy.query)?;
            let whole = |query| Statement::CopyOut(crate::sql::statement::CopyOut { query, ..copy.clone() });
            draft.seal(PermitKind::Copy, whole).map(Plan::Upstream)
        }
        Statement::Prepare { name, types, query } => {
            let qualified = rewrite::qualify_types(input, types)?;
            let permit = Draft::new(input, query)?.seal(PermitKind::Prepare, Statement::Query)?;
            let types = qualified.iter().map(render_type).collect();
            Ok(Plan::Prepare { name: name.clone(), types, permit })
        }
        Statement::Execute { name, arguments } => {
            let mut arguments = arguments.clone();
            rewrite::rewrite_arguments(input, &mut arguments)?;
            Ok(Plan::Execute { name: name.clone(), arguments: arguments.iter().map(render_expr).collect() })
        }
        Statement::Declare(declare) => {
            let draft = Draft::new(input, &declare.query)?;
            let whole = |query| Statement::Declare(Declare { query, ..declare.clone() });
            let permit = draft.seal(PermitKind::Declare, whole)?;
            Ok(Plan::Declare { name: declare.name.clone(), hold: declare.hold, permit })
        }
        Statement::Session(session) => {
            allowed_setting(session)?;
            Ok(Plan::Session(session.clone()))
        }
        Statement::Refused(refused) => {
            let message = format!("{} is not allowed", refused.what);
            let mut denied = denial(sqlstate::INSUFFICIENT_PRIVILEGE, "kind", message);
            let general = "Data products are read-only: SELECT, EXPLAIN, COPY … TO STDOUT, cursors and prepared \
                           statements can be used.";
            denied.error.hint = Some(refused.hint.clone().unwrap_or_else(|| general.to_owned()));
            Err(denied)
        }
    }
}

fn explained(input: &DecideInput<'_>, explain: &Explain) -> Walked<Plan> {
    if !input.snapshot.may_explain(input.subject) {
        return Err(not_for_roles(input, "EXPLAIN", "explain", "Ask for a role with explain."));
    }
    let draft = Draft::new(input, &explain.query)?;
    let shape = draft.shape(explain);
    // What is sent asks for no more than what may be shown.
    let costs = shape.costs;
    let whole = |query| Statement::Explain(Explain { costs, format: ExplainFormat::Json, query });
    draft.shown_as(shape).seal(PermitKind::Explain, whole).map(Plan::Upstream)
}

fn not_for_roles(input: &DecideInput<'_>, what: &str, key: &str, hint: &str) -> Box<Denial> {
    let roles: Vec<_> = input.subject.roles.iter().map(crate::names::RoleName::as_str).collect();
    let message = format!("permission denied for {what}");
    let mut denied = denial(sqlstate::INSUFFICIENT_PRIVILEGE, "kind", message);
    denied.error.detail = Some(match roles.as_slice() {
        [] => "You have no role.".to_owned(),
        roles => format!("{key} is switched off for your roles: {}.", roles.join(", ")),
    });
    denied.error.hint = Some(hint.to_owned());
    denied
}

/// Settings are an allow-list.
fn allowed_setting(session: &SessionStatement) -> Walked {
    let checked = match session {
        SessionStatement::Set { local: _, name, value } => settings::assign(name, &value.0, None).map(|_| ()),
        SessionStatement::Reset { local: _, name } | SessionStatement::Show(name) => {
            settings::readable(name).map(|_| ())
        }
        SessionStatement::Begin(_)
        | SessionStatement::StartTransaction(_)
        | SessionStatement::Commit { .. }
        | SessionStatement::Rollback { .. }
        | SessionStatement::Savepoint(_)
        | SessionStatement::Release(_)
        | SessionStatement::RollbackTo(_)
        | SessionStatement::SetTransaction(_)
        | SessionStatement::SetCharacteristics(_)
        | SessionStatement::ResetAll
        | SessionStatement::ResetAuthorization
        | SessionStatement::ShowAll
        | SessionStatement::Discard(_)
        | SessionStatement::Deallocate(_)
        | SessionStatement::Fetch { .. }
        | SessionStatement::Close(_)
        | SessionStatement::Unlisten => Ok(()),
    };
    checked.map_err(refused)
}
