//! From a checked and rewritten query to a permit: limits, print, proof, and the second parser's opinion.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::config::Limits;
use crate::error::{ErrorKind, sqlstate};
use crate::sql::ast::{Query, SetExpr};
use crate::sql::guard::{self, GuardError};
use crate::sql::statement::{Explain, Statement};
use crate::sql::{Proven, fingerprint, fingerprint_of_text, prove, render};

use super::decide::DecideInput;
use super::functions::{self, FunctionRule};
use super::permit::{Denial, ExplainShape, Permit, PermitBody, PermitKind, RowCap, Terms};
use super::requirements::Requirements;
use super::rewrite::{Walked, denial, rewrite_query};
use super::row_limit;

/// A query on its way to a permit.
pub(super) struct Draft<'a> {
    input: &'a DecideInput<'a>,
    query: Box<Query>,
    needs: Requirements,
    /// The print of the query before it was rewritten.
    print: Option<String>,
    shape: Option<ExplainShape>,
}

impl<'a> Draft<'a> {
    /// Checks and rewrites a query, and asks the second parser whether the client's text is the query that was checked.
    pub(super) fn new(input: &'a DecideInput<'a>, unchanged: &Query) -> Walked<Self> {
        let (query, needs) = rewrite_query(input, unchanged)?;
        let print = guard::check(input.parsed).map_err(|error| disagreement(&error, input))?;
        Ok(Self { input, query, needs, print, shape: None })
    }

    /// How the answer to EXPLAIN may be shown.
    pub(super) fn shape(&self, explain: &Explain) -> ExplainShape {
        let guarded = self.needs.products.iter().any(|need| need.view.guarded) || self.needs.introspects;
        let relation_of =
            |need: &super::requirements::ProductNeed| (need.view.relation.clone(), need.product.id.clone());
        let mut relations: Vec<_> = self.needs.products.iter().map(relation_of).collect();
        relations.sort();
        ExplainShape { format: explain.format, costs: explain.costs && !guarded, relations }
    }

    /// Notes how the answer is shown.
    pub(super) fn shown_as(mut self, shape: ExplainShape) -> Self {
        self.shape = Some(shape);
        self
    }

    /// Bounds, prints and proves the statement that `whole` makes of the query.
    pub(super) fn seal(mut self, kind: PermitKind, whole: impl FnOnce(Box<Query>) -> Statement) -> Walked<Arc<Permit>> {
        let input = self.input;
        let products = self.needs.products.iter().map(|need| &*need.product);
        let limits = input.snapshot.statement_limits(input.subject, products);
        let row_cap = self.row_cap(kind, &limits);
        let statement = whole(self.query);
        let sql = render(&statement);
        let Proven { redacted } = proven(&statement, &sql, &self.needs, input).map_err(|mut denied| {
            denied.products = self.needs.ids();
            denied
        })?;
        let (masked, unmasked) = self.needs.personal();
        let notices = self
            .needs
            .products
            .iter()
            .flat_map(|need| need.granted.notices.iter().map(|notice| (need.product.id.clone(), notice.clone())));
        let terms = Terms {
            kind,
            row_cap,
            timeout: limits.statement_timeout,
            products: self.needs.uses(),
            masked,
            unmasked,
            notices: notices.collect(),
            fingerprint: match (&input.parsed.statement, &self.print) {
                (Statement::Query(_), Some(print)) => fingerprint_of_text(print),
                (statement, _) => fingerprint(statement),
            },
            redacted_sql: Arc::from(redacted),
            explain: self.shape,
            generation: input.snapshot.generation(),
            cacheable: !self.needs.session_values,
            blind: !self.needs.literal_values,
            introspects: self.needs.introspects,
        };
        Ok(Arc::new(Permit::seal(PermitBody { sql: Arc::from(sql), terms: Arc::new(terms) })))
    }

    /// The query with its bounds, as it is printed.
    pub(super) fn bounded(mut self, kind: PermitKind) -> Box<Query> {
        let products = self.needs.products.iter().map(|need| &*need.product);
        let limits = self.input.snapshot.statement_limits(self.input.subject, products);
        self.row_cap(kind, &limits);
        self.query
    }

    /// Puts the cap into the query.
    fn row_cap(&mut self, kind: PermitKind, limits: &Limits) -> Option<RowCap> {
        if self.needs.introspects && self.needs.products.is_empty() {
            // A client that gets a part of the catalogs takes it for the whole.
            return None;
        }
        let (most, setting, source) = match kind {
            PermitKind::Copy => {
                let (setting, source) = &limits.copy_max_rows_source;
                (limits.copy_max_rows?, *setting, source)
            }
            PermitKind::Query
            | PermitKind::Explain
            | PermitKind::Prepare
            | PermitKind::Declare
            | PermitKind::Execute => (limits.max_rows?, "max_rows", &limits.max_rows_source),
        };
        // An own LIMIT is looked at; a query in parentheses may have one.
        let bare = self.query.limit_clause.is_none() && self.query.fetch.is_none();
        self.needs.literal_values |= !bare || matches!(*self.query.body, SetExpr::Query(_));
        let in_sql = row_limit::cap(&mut self.query, most);
        let cap = RowCap { limit: most, on_max_rows: limits.on_max_rows, setting, source: source.clone(), in_sql };
        // The plan that EXPLAIN shows is the plan that would run; its own answer is one row.
        (kind != PermitKind::Explain).then_some(cap)
    }
}

/// The print must be the tree, be one statement to Postgres' grammar, and read and call only what was decided.
fn proven(statement: &Statement, sql: &str, needs: &Requirements, input: &DecideInput<'_>) -> Walked<Proven> {
    let proven = prove(statement, sql).map_err(|_| parsers_disagree())?;
    let Some(summary) = guard::summary(sql).map_err(|_| parsers_disagree())? else { return Ok(proven) };
    let relations: BTreeSet<(&str, &str)> = needs
        .products
        .iter()
        .map(|need| (need.view.relation.schema.as_str(), need.view.relation.name.as_str()))
        .collect();
    let of_overlays = &needs.system.relations;
    let relation_known = |(schema, name): &(Option<String>, String)| match schema {
        Some(schema) if relations.contains(&(schema.as_str(), name.as_str())) => true,
        Some(schema) => of_overlays.contains(&(schema.clone(), name.clone())),
        None => needs.with_names.contains(name),
    };
    let function_known =
        |called: &(Option<String>, String)| needs.functions.contains(called) || is_grammar(called, input);
    if summary.statements == 1
        && summary.relations.iter().all(relation_known)
        && summary.functions.iter().all(function_known)
    {
        Ok(proven)
    } else {
        Err(parsers_disagree())
    }
}

/// Functions that Postgres' grammar makes of syntax (`AT TIME ZONE` is `pg_catalog.timezone`).
fn is_grammar((schema, name): &(Option<String>, String), input: &DecideInput<'_>) -> bool {
    const MADE: [&str; 16] = [
        "btrim",
        "extract",
        "is_normalized",
        "like_escape",
        "ltrim",
        "normalize",
        "overlaps",
        "overlay",
        "pg_collation_for",
        "position",
        "rtrim",
        "similar_escape",
        "similar_to_escape",
        "substring",
        "timezone",
        "xmlexists",
    ];
    if schema.as_deref() == Some("pg_catalog") && MADE.contains(&name.as_str()) {
        return true;
    }
    matches!(functions::lookup(schema.as_deref(), name, input.snapshot), FunctionRule::Grammar)
}

/// What the second parser says against the client's text.
fn disagreement(error: &GuardError, input: &DecideInput<'_>) -> Box<Denial> {
    match error {
        GuardError::Client(message) => {
            let message = message.strip_prefix("Invalid statement: ").unwrap_or(message);
            let mut denied = denial(sqlstate::SYNTAX_ERROR, "syntax", message);
            denied.error.kind = ErrorKind::Client;
            denied.error.position =
                guard::told_place(&input.parsed.text, message, 1).map(|place| place + input.parsed.offset);
            denied
        }
        GuardError::TooDeep => {
            let message = "the statement nests too deeply to be checked by Postgres' grammar";
            let mut denied = denial(sqlstate::STATEMENT_TOO_COMPLEX, "too_deep", message);
            denied.error.kind = ErrorKind::Limit;
            denied.error.hint = Some("Write it with less nesting, for example with a WITH query.".to_owned());
            denied
        }
        GuardError::Rendered(_) | GuardError::Disagree | GuardError::Lost => parsers_disagree(),
    }
}

fn parsers_disagree() -> Box<Denial> {
    let message = "the statement could not be checked: two parsers do not agree on what it means";
    let mut denied = denial(sqlstate::INSUFFICIENT_PRIVILEGE, "parsers_disagree", message);
    denied.error.hint = Some(
        "Write it in another form, for example with explicit casts and parentheses, and report it to those who run pgveil."
            .to_owned(),
    );
    denied
}
