//! `pgveil check --warehouse [--grants]`: the contracts against the real relations, and the service account against what it
//! needs. Everything is a [`Finding`]; [`print()`] shows them.

mod account;
mod leak_proof;

use std::collections::BTreeMap;
use std::fmt;
use std::io::{self, Write};
use std::path::PathBuf;
use std::time::Duration;

use serde::Serialize;

use crate::catalog::{Catalog, Product};
use crate::config::WarehouseConfig;
use crate::contracts::schema::{self, Difference};
use crate::names::{ProductId, WarehouseName};
use crate::upstream::connect::Target;
use crate::upstream::{control_plane, facts};

pub use crate::contracts::schema::Gravity;

/// One thing that was found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// How grave it is.
    pub level: Gravity,
    /// In which warehouse.
    pub warehouse: WarehouseName,
    /// About which product; `None`: the account or the warehouse.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub product: Option<ProductId>,
    /// The product's file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<PathBuf>,
    /// About which column.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub column: Option<String>,
    /// A short, stable word: `column_missing`, `type`, `account_superuser` …
    pub code: &'static str,
    /// What is wrong, without a full stop.
    pub message: String,
    /// What to write or do instead.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

impl Finding {
    fn new(level: Gravity, warehouse: &WarehouseName, code: &'static str, message: impl Into<String>) -> Self {
        Self {
            level,
            warehouse: warehouse.clone(),
            product: None,
            file: None,
            column: None,
            code,
            message: message.into(),
            hint: None,
        }
    }
    fn of(product: &Product, difference: Difference) -> Self {
        let Difference { gravity, code, column, message, hint } = difference;
        Self {
            product: Some(product.id.clone()),
            file: Some(product.file.clone()),
            column,
            hint: Some(hint),
            ..Self::new(gravity, &product.warehouse, code, message)
        }
    }
    fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let level = match self.level {
            Gravity::Error => "error",
            Gravity::Warning => "warning",
            Gravity::Info => "info",
        };
        write!(f, "{level}: {}\n  --> warehouse {}", self.message, self.warehouse)?;
        if let Some(product) = &self.product {
            write!(f, ", product {product}")?;
        }
        if let Some(column) = &self.column {
            write!(f, ", column {column}")?;
        }
        if let Some(file) = &self.file {
            write!(f, " ({})", file.display())?;
        }
        if let Some(hint) = &self.hint {
            write!(f, "\n  help: {hint}")?;
        }
        Ok(())
    }
}

/// All that was found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct WarehouseCheck {
    /// Warehouse by warehouse; first the account, then the products in the order of ids.
    pub findings: Vec<Finding>,
    /// The GRANTs that the accounts lack, by warehouse.
    pub grants: BTreeMap<WarehouseName, Vec<String>>,
}

impl WarehouseCheck {
    /// Whether any finding means exit 1.
    pub fn has_errors(&self) -> bool {
        self.findings.iter().any(|finding| finding.level == Gravity::Error)
    }
    /// Whether a warehouse could not be looked at.
    pub fn is_partial(&self) -> bool {
        self.findings.iter().any(|finding| finding.code == UNREACHABLE)
    }
}

/// The code of a warehouse that could not be looked at.
const UNREACHABLE: &str = "unreachable";

/// How long one of the questions to a warehouse may take.
const LIMIT: Duration = Duration::from_secs(30);

/// Looks at every warehouse.
pub async fn check(warehouses: &BTreeMap<WarehouseName, WarehouseConfig>, catalog: &Catalog) -> WarehouseCheck {
    let mut check = WarehouseCheck::default();
    for (warehouse, config) in warehouses {
        if let Err(unreachable) = check_one(warehouse, config, catalog, &mut check).await {
            let finding = Finding::new(Gravity::Error, warehouse, UNREACHABLE, unreachable);
            check.findings.push(finding.hint("nothing of this warehouse was checked; mend the DSN or the warehouse"));
        }
    }
    check
}

async fn check_one(
    warehouse: &WarehouseName,
    config: &WarehouseConfig,
    catalog: &Catalog,
    check: &mut WarehouseCheck,
) -> Result<(), String> {
    let target = Target::new(config, Vec::new())?;
    let client = control_plane::connect(&target, LIMIT).await.map_err(|error| error.to_string())?;
    let relations = facts::relations_of(catalog, warehouse);
    let facts = facts::read_with(&client, &relations).await.map_err(|error| error.to_string())?;
    let account = account::Account { warehouse, client: &client, extension_schemas: &config.extension_schemas };
    let (findings, grants) =
        account.check(catalog).await.map_err(|error| facts::FactsError::from(error).to_string())?;
    check.findings.extend(findings);
    let leaky = leak_proof::check(warehouse, &client).await;
    check.findings.extend(leaky.map_err(|error| facts::FactsError::from(error).to_string())?);
    if !grants.is_empty() {
        check.grants.insert(warehouse.clone(), grants);
    }
    for product in catalog.iter().filter(|product| product.warehouse == *warehouse) {
        let found = facts.iter().find(|(name, _)| *name == product.relation).map(|(_, facts)| facts);
        let differences = schema::compare(product, found, &config.extension_schemas);
        check.findings.extend(differences.into_iter().map(|difference| Finding::of(product, difference)));
    }
    Ok(())
}

/// Prints the findings (as text or JSON), or with `grants` only the GRANTs, ready for psql.
pub fn print(check: &WarehouseCheck, grants: bool, json: bool, out: &mut dyn Write) -> io::Result<()> {
    if json {
        serde_json::to_writer_pretty(&mut *out, check)?;
        return writeln!(out);
    }
    if grants {
        for (warehouse, statements) in &check.grants {
            writeln!(out, "-- warehouse {warehouse}")?;
            for statement in statements {
                writeln!(out, "{statement}")?;
            }
        }
        return Ok(());
    }
    for finding in &check.findings {
        writeln!(out, "{finding}\n")?;
    }
    let count = |level| check.findings.iter().filter(|finding| finding.level == level).count();
    writeln!(out, "{} errors, {} warnings", count(Gravity::Error), count(Gravity::Warning))
}

#[cfg(test)]
mod tests;
