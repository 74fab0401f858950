//! `pgveil contract`: the checks of data products, run once from a shell or from CI. Nothing is kept.

mod junit;
mod table;

use std::collections::BTreeSet;
use std::io::{self, IsTerminal, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::{Args, Subcommand, ValueEnum};
use jiff::civil::Date;
use tokio::task::JoinSet;

use crate::catalog::{Catalog, Product, Status};
use crate::contracts::{Domains, Validation, Validator};
use crate::document::{Unset, nearest};
use crate::govern::facts::Facts;
use crate::names::{ProductId, ProductPattern};
use crate::reload::candidate;
use crate::sources::{self, Sources};

/// Arguments of `pgveil contract`.
#[derive(Clone, Debug, Args)]
pub struct ContractArgs {
    #[command(subcommand)]
    command: ContractCommand,
}

#[derive(Clone, Debug, Subcommand)]
enum ContractCommand {
    /// Runs every check against the warehouse and says what came of it: exit 1 when one of severity error has failed.
    Run(RunArgs),
}

/// Arguments of `pgveil contract run`.
#[derive(Clone, Debug, Args)]
pub struct RunArgs {
    /// The server's file
    #[arg(long, value_name = "FILE", env = "PGVEIL_CONFIG", default_value = "config/pgveil.toml")]
    pub config: PathBuf,
    /// How the outcome is printed
    #[arg(long, value_enum, default_value_t)]
    pub format: RunFormat,
    /// Products, or patterns such as `marketing.*`; none: every product that is published and not past its sunset
    #[arg(value_name = "PRODUCT")]
    pub products: Vec<String>,
}

/// How a run is printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum RunFormat {
    /// A table, for people.
    #[default]
    Text,
    /// For programs.
    Json,
    /// JUnit's XML, for CI.
    Junit,
}

/// Runs the command.
pub async fn run(args: &ContractArgs) -> ExitCode {
    match &args.command {
        ContractCommand::Run(args) => run_contracts(args).await,
    }
}

/// What a person did wrong: exit 2.
fn bad_usage(message: &str) -> ExitCode {
    eprintln!("pgveil: {message}");
    ExitCode::from(2)
}

async fn run_contracts(args: &RunArgs) -> ExitCode {
    let sources = match sources::load(&args.config, Unset::Error) {
        Ok((sources, _)) => sources,
        Err(findings) => {
            eprintln!("{findings}");
            return ExitCode::from(2);
        }
    };
    let today = crate::statement::today();
    let products = match chosen(&sources.catalog, &args.products, today) {
        Ok(products) => products,
        Err(message) => return bad_usage(&message),
    };
    let validations = match validate_all(&sources, products, args.format).await {
        Ok(validations) => validations,
        Err(code) => return code,
    };
    let out = &mut io::stdout().lock();
    let printed = match args.format {
        RunFormat::Text => table::print(&validations, out),
        RunFormat::Json => json(&validations, out),
        RunFormat::Junit => junit::print(&validations, out),
    };
    match printed {
        Ok(()) if validations.iter().all(|validation| validation.passed) => ExitCode::SUCCESS,
        Ok(()) | Err(_) => ExitCode::FAILURE,
    }
}

/// The products that are meant. Nobody asked for drafts by naming none; whoever names one means it.
fn chosen(catalog: &Catalog, named: &[String], today: Date) -> Result<Vec<Arc<Product>>, String> {
    if named.is_empty() {
        let current = catalog.iter().filter(|product| is_current(product, today));
        return Ok(current.cloned().collect());
    }
    let mut ids: BTreeSet<ProductId> = BTreeSet::new();
    for name in named {
        let pattern = ProductPattern::parse(name).ok_or_else(|| format!("\"{name}\" is not a product's id"))?;
        let before = ids.len();
        let fitting = catalog.iter().filter(|product| pattern.matches(&product.id)).map(|product| product.id.clone());
        let known = ids.clone();
        ids.extend(fitting);
        let again = catalog.iter().any(|product| pattern.matches(&product.id) && known.contains(&product.id));
        if ids.len() == before && !again {
            let all: Vec<String> = catalog.iter().map(|product| product.id.to_string()).collect();
            let near = nearest(name, all.iter().map(String::as_str));
            let hint = near.map(|near| format!("; did you mean \"{near}\"?")).unwrap_or_default();
            return Err(format!("there is no product \"{name}\"{hint}"));
        }
    }
    Ok(catalog.iter().filter(|product| ids.contains(&product.id)).cloned().collect())
}

fn is_current(product: &Product, today: Date) -> bool {
    match product.status {
        Status::Draft => false,
        Status::Published => true,
        Status::Deprecated => {
            product.deprecation.as_ref().and_then(|deprecation| deprecation.sunset).is_none_or(|sunset| today < sunset)
        }
    }
}

async fn validate_all(
    sources: &Sources,
    products: Vec<Arc<Product>>,
    format: RunFormat,
) -> Result<Vec<Validation>, ExitCode> {
    // A warehouse that cannot be asked is an outcome of its products' checks.
    let (facts, _) = candidate::ask(&sources.server, sources, &Facts::default()).await;
    let (snapshot, _) = candidate::build_what_fits(sources, &facts, 0).await.map_err(|findings| {
        eprintln!("{findings}");
        ExitCode::from(2)
    })?;
    let config = &sources.server.contracts;
    let validator = Arc::new(Validator::new(&sources.server.warehouses, config.connections, config.timeout));
    let domains = Arc::new(Domains::new(snapshot.parts));
    let mut progress = Progress::new(products.len(), format);
    let mut running = JoinSet::new();
    for product in products {
        let (validator, domains) = (Arc::clone(&validator), Arc::clone(&domains));
        running.spawn(async move { validator.validate(&product, &domains).await });
    }
    let mut validations = Vec::new();
    while let Some(validated) = running.join_next().await {
        let validation = validated.map_err(|error| {
            eprintln!("pgveil: a run was given up: {error}");
            ExitCode::FAILURE
        })?;
        progress.done(&validation);
        validations.push(validation);
    }
    progress.end();
    validations.sort_by(|a, b| a.product.cmp(&b.product));
    Ok(validations)
}

/// One line on a terminal's standard error that is written over.
struct Progress {
    all: usize,
    done: usize,
    shown: bool,
}

impl Progress {
    fn new(all: usize, format: RunFormat) -> Self {
        Self { all, done: 0, shown: format == RunFormat::Text && io::stderr().is_terminal() }
    }
    fn done(&mut self, validation: &Validation) {
        self.done += 1;
        if self.shown {
            let Validation { product, .. } = validation;
            let _ = write!(io::stderr(), "\r\x1b[K{} of {}: {product}", self.done, self.all);
        }
    }
    fn end(&self) {
        if self.shown {
            let _ = write!(io::stderr(), "\r\x1b[K");
        }
    }
}

fn json(validations: &[Validation], out: &mut dyn Write) -> io::Result<()> {
    let passed = validations.iter().all(|validation| validation.passed);
    let document = serde_json::json!({ "passed": passed, "validations": validations });
    serde_json::to_writer_pretty(&mut *out, &document)?;
    writeln!(out)
}

#[cfg(test)]
mod tests;
