//! `pgveil explain`: what would be decided about a statement, and why. Nothing runs.

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::Args;
use jiff::civil::Date;
use serde::Serialize;

use crate::catalog::Product;
use crate::error::ClientError;
use crate::govern::decide::{DecideInput, Decision, Plan, SearchPath, SessionValues, decide};
use crate::govern::fence::Fence;
use crate::govern::permit::{Denial, Permit, ProductUse};
use crate::govern::settings;
use crate::govern::snapshot::Snapshot;
use crate::govern::subject::Subject;
use crate::names::WarehouseName;
use crate::sql::{self, TextLimits};

use super::check::Format;

/// Arguments of `pgveil explain`.
#[derive(Clone, Debug, Args)]
pub struct ExplainArgs {
    /// The server's file
    #[arg(long, value_name = "FILE", default_value = "config/pgveil.toml")]
    pub config: PathBuf,
    /// The user of policy.toml that asks
    #[arg(long, value_name = "NAME")]
    pub user: String,
    /// The database that the user is connected to; may be left out where there is one
    #[arg(long, value_name = "NAME")]
    pub database: Option<String>,
    /// How the decision is printed
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
    /// The statement, or several with semicolons between them
    #[arg(value_name = "SQL")]
    pub sql: String,
}

/// Decides each statement and prints what was decided: exit code 0 when all are allowed, 1 when one is denied, 2 when
/// the question itself is wrong (an unknown user or database).
pub fn run(args: &ExplainArgs, snapshot: &Snapshot, today: Date, out: &mut dyn Write) -> io::Result<ExitCode> {
    let asked = match Question::new(args, snapshot) {
        Ok(asked) => asked,
        Err(message) => {
            writeln!(io::stderr(), "pgveil: {message}")?;
            return Ok(ExitCode::from(2));
        }
    };
    let statements = asked.explain(&args.sql, today);
    let denied = statements.iter().any(|statement| !statement.allowed);
    match args.format {
        Format::Json => {
            let document = serde_json::json!({
                "user": asked.subject.user,
                "roles": asked.subject.roles,
                "database": asked.warehouse,
                "statements": statements,
            });
            serde_json::to_writer_pretty(&mut *out, &document).map_err(io::Error::from)?;
            writeln!(out)?;
        }
        Format::Text => {
            for (n, statement) in statements.iter().enumerate() {
                if n > 0 {
                    writeln!(out)?;
                }
                print_statement(statement, &asked.subject, out)?;
            }
        }
    }
    Ok(if denied { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// Who asks, where.
struct Question<'a> {
    snapshot: &'a Snapshot,
    warehouse: &'a WarehouseName,
    subject: Subject,
}

/// One statement, decided.
#[derive(Debug, Serialize)]
struct Explained {
    statement: String,
    allowed: bool,
    /// Why; for an allowed statement what it is allowed to read.
    reasons: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sqlstate: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    forwarded: Option<String>,
    products: Vec<ExplainedProduct>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    limits: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    notices: Vec<String>,
}

/// A product that the statement names.
#[derive(Debug, Serialize)]
struct ExplainedProduct {
    id: String,
    roles: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    masks: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    filter: Option<String>,
    fenced: bool,
    /// Why the fence stands, or is left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    fence: Option<String>,
    /// Whether the warehouse's facts of it are stored.
    facts: bool,
}

impl<'a> Question<'a> {
    fn new(args: &ExplainArgs, snapshot: &'a Snapshot) -> Result<Self, String> {
        let subject = snapshot.subject(&args.user, None).ok_or_else(|| {
            format!("policy knows no user \"{}\"; it knows {}", args.user, list(snapshot.parts.policy.users.keys()))
        })?;
        let known = &snapshot.parts.warehouses;
        let warehouse = match &args.database {
            Some(name) => known.get_key_value(name.as_str()).map(|(name, _)| name),
            None if known.len() == 1 => known.keys().next(),
            None => None,
        };
        let warehouse =
            warehouse.ok_or_else(|| format!("name the database with --database; there is {}", list(known.keys())))?;
        Ok(Self { snapshot, warehouse, subject })
    }

    fn explain(&self, text: &str, today: Date) -> Vec<Explained> {
        let parsed = match sql::parse(text, &TextLimits::default()) {
            Ok(parsed) => parsed,
            Err(error) => return vec![denied(text, &ClientError::from(error), "the statement cannot be parsed")],
        };
        parsed
            .iter()
            .map(|parsed| {
                let decision = decide(&DecideInput {
                    snapshot: self.snapshot,
                    warehouse: self.warehouse,
                    subject: &self.subject,
                    search_path: &SearchPath::Domains,
                    session: &Defaults,
                    parsed,
                    param_types: &[],
                    today,
                });
                self.explained(&parsed.text, &decision)
            })
            .collect()
    }

    fn explained(&self, text: &str, decision: &Decision) -> Explained {
        let plain = |reason: &str| Explained { reasons: vec![reason.to_owned()], ..allowed(text) };
        match decision {
            Decision::Deny(denial) => self.denial(text, denial),
            Decision::Allow(plan) => match plan {
                Plan::Empty => plain("there is nothing to run"),
                Plan::Session(_) => plain("it concerns the session alone and reads nothing"),
                Plan::Signal(_) => plain("it reaches the user's own sessions alone"),
                Plan::Execute { name, .. } => {
                    plain(&format!("it runs the prepared statement \"{name}\", which was decided when it was prepared"))
                }
                Plan::Upstream(permit) | Plan::Prepare { permit, .. } | Plan::Declare { permit, .. } => {
                    self.permit(text, permit)
                }
            },
        }
    }

    fn denial(&self, text: &str, denial: &Denial) -> Explained {
        let mut explained = denied(text, &denial.error, denial.reason);
        explained.products = denial.products.iter().filter_map(|id| self.product(id)).collect();
        explained
    }

    fn permit(&self, text: &str, permit: &Permit) -> Explained {
        let mut reasons: Vec<String> = permit
            .products
            .iter()
            .filter_map(|used| {
                let product = self.snapshot.parts.catalog.get(&used.id)?;
                let roles = self.snapshot.granting_roles(&self.subject, product);
                Some(format!("{} is granted by {}", used.id, list(roles.iter().map(|role| format!("role {role}")))))
            })
            .collect();
        if reasons.is_empty() {
            reasons.push("it reads no data product".to_owned());
        }
        reasons.extend(permit.unmasked.iter().map(|column| format!("{column} is personal and is read raw")));
        reasons.extend(permit.masked.iter().map(|column| format!("{column} is personal and is read masked")));
        let mut limits = Vec::new();
        if let Some(cap) = &permit.row_cap {
            limits.push(format!("at most {} rows ({} of {})", cap.limit, cap.setting, cap.source));
        }
        if let Some(timeout) = permit.timeout {
            let shown = settings::show_milliseconds(u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX));
            limits.push(format!("at most {shown}"));
        }
        Explained {
            reasons,
            forwarded: Some(permit.sql.to_string()),
            products: permit.products.iter().filter_map(|used| self.used(used)).collect(),
            limits,
            notices: permit.notices.iter().map(|(_, notice)| notice.message.clone()).collect(),
            ..allowed(text)
        }
    }

    /// A product as the permit reads it.
    fn used(&self, used: &ProductUse) -> Option<ExplainedProduct> {
        let product = self.product(&used.id)?;
        let (fenced, fence) = match &used.fence {
            Fence::None => (false, None),
            Fence::LeftOut => (false, Some("left out: no condition can tell of a hidden row".to_owned())),
            Fence::Stands(reason) => (true, Some(format!("OFFSET 0: {reason}"))),
        };
        Some(ExplainedProduct { fenced, fence, ..product })
    }

    fn product(&self, id: &crate::names::ProductId) -> Option<ExplainedProduct> {
        let product: &Arc<Product> = self.snapshot.parts.catalog.get(id)?;
        let view = self.snapshot.view(&self.subject, product).ok();
        let masks = view.iter().flat_map(|view| &view.columns).filter_map(|column| {
            let equality = if column.lookup.is_some() { " (texts compared with it are hashed)" } else { "" };
            Some(format!("{}: {}{equality}", column.name, column.mask?))
        });
        Some(ExplainedProduct {
            id: id.to_string(),
            roles: self.snapshot.granting_roles(&self.subject, product).iter().map(ToString::to_string).collect(),
            masks: masks.collect(),
            filter: view.as_ref().and_then(|view| view.filter.clone()),
            fenced: view.as_ref().is_some_and(|view| view.fenced),
            fence: None,
            facts: self.snapshot.parts.facts.get(&product.warehouse, &product.relation).is_some(),
        })
    }
}

fn allowed(text: &str) -> Explained {
    Explained {
        statement: text.to_owned(),
        allowed: true,
        reasons: Vec::new(),
        sqlstate: None,
        hint: None,
        forwarded: None,
        products: Vec::new(),
        limits: Vec::new(),
        notices: Vec::new(),
    }
}

fn denied(text: &str, error: &ClientError, reason: &str) -> Explained {
    let reasons = std::iter::once(format!("{} ({reason})", error.message)).chain(error.detail.clone());
    Explained {
        allowed: false,
        reasons: reasons.collect(),
        sqlstate: Some(error.sqlstate.to_string()),
        hint: error.hint.clone(),
        ..allowed(text)
    }
}

fn print_statement(explained: &Explained, subject: &Subject, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "statement  {}", explained.statement)?;
    writeln!(out, "user       {} ({})", subject.user, list(&subject.roles))?;
    match &explained.sqlstate {
        None => writeln!(out, "decision   allow")?,
        Some(sqlstate) => writeln!(out, "decision   deny, {sqlstate}")?,
    }
    for reason in &explained.reasons {
        writeln!(out, "because    {reason}")?;
    }
    if let Some(hint) = &explained.hint {
        writeln!(out, "hint       {hint}")?;
    }
    for product in &explained.products {
        writeln!(out, "product    {}", product.id)?;
        for mask in &product.masks {
            writeln!(out, "  mask     {mask}")?;
        }
        if let Some(filter) = &product.filter {
            writeln!(out, "  filter   {filter}")?;
        }
        if let Some(fence) = &product.fence {
            writeln!(out, "  fence    {fence}")?;
        }
        if !product.facts {
            writeln!(out, "  facts    none are stored: start the server once")?;
        }
    }
    for limit in &explained.limits {
        writeln!(out, "limit      {limit}")?;
    }
    for notice in &explained.notices {
        writeln!(out, "notice     {notice}")?;
    }
    if let Some(forwarded) = &explained.forwarded {
        writeln!(out, "forwarded  {forwarded}")?;
    }
    Ok(())
}

fn list<T: std::fmt::Display>(names: impl IntoIterator<Item = T>) -> String {
    let names: Vec<String> = names.into_iter().map(|name| name.to_string()).collect();
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}

/// A session that has just begun.
struct Defaults;

impl SessionValues for Defaults {
    fn setting(&self, name: &str) -> Option<String> {
        settings::find(name).map(|setting| setting.default.to_owned())
    }
    fn backend_pid(&self) -> i32 {
        0
    }
}

#[cfg(test)]
mod tests;
