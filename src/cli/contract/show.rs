//! `pgveil contract show`: what a server's runs have found of one product.

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use jiff::Timestamp;

use crate::catalog::Product;
use crate::contracts::score::{RUNS, product_score};
use crate::contracts::{Validation, count, history, span};
use crate::document::{Unset, nearest};
use crate::names::ProductId;
use crate::sources;
use crate::state::Store;

use super::super::check::Format;
use super::{bad_usage, table};

/// Arguments of `pgveil contract show`.
#[derive(Clone, Debug, Args)]
pub struct ShowArgs {
    /// The server's file
    #[arg(long, value_name = "FILE", env = "PGVEIL_CONFIG", default_value = "config/pgveil.toml")]
    pub config: PathBuf,
    /// How it is printed
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
    /// The product's id
    #[arg(value_name = "PRODUCT")]
    pub product: String,
}

/// Prints what is kept.
pub(super) async fn run(args: &ShowArgs) -> ExitCode {
    let sources = match sources::load(&args.config, Unset::Warning) {
        Ok((sources, _)) => sources,
        Err(findings) => return bad_usage(&format!("the files have errors\n\n{findings}")),
    };
    let found = ProductId::parse(&args.product).and_then(|id| sources.catalog.get(&id).cloned());
    let Some(product) = found else {
        let all: Vec<String> = sources.catalog.iter().map(|product| product.id.to_string()).collect();
        let near = nearest(&args.product, all.iter().map(String::as_str));
        let hint = near.map(|near| format!("; did you mean \"{near}\"?")).unwrap_or_default();
        return bad_usage(&format!("there is no product \"{}\"{hint}", args.product));
    };
    let runs = match Store::peek_url(&sources.server.state).await {
        Ok(Some(store)) => history::last(&store, &product.id, RUNS).await,
        Ok(None) => Ok(Vec::new()),
        Err(error) => Err(error),
    };
    let runs = match runs {
        Ok(runs) => runs,
        Err(error) => {
            eprintln!("pgveil: {error}");
            return ExitCode::FAILURE;
        }
    };
    let out = &mut io::stdout().lock();
    let printed = match args.format {
        Format::Json => json(&product, &runs, out),
        Format::Text => text(&product, &runs, out),
    };
    if printed.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn json(product: &Product, runs: &[Validation], out: &mut dyn Write) -> io::Result<()> {
    let document = serde_json::json!({
        "id": product.id,
        "version": product.version,
        "owner": { "team": product.owner.team, "contact": product.owner.contact },
        "quality_score": product_score(runs),
        "last_validated": runs.first().map(|run| run.started_at.to_string()),
        "breach": runs.first().and_then(|run| run.breach.as_ref()),
        "validations": runs,
    });
    serde_json::to_writer_pretty(&mut *out, &document)?;
    writeln!(out)
}

fn text(product: &Product, runs: &[Validation], out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "{} · {} · version {}", product.id, product.name, product.version)?;
    writeln!(out, "owner      {} ({})", product.owner.team, product.owner.contact)?;
    for (name, promise) in promises(product) {
        writeln!(out, "{name:10} {promise}")?;
    }
    let (Some(last), Some(score)) = (runs.first(), product_score(runs)) else {
        return writeln!(out, "\nno run is kept yet: pgveil serve runs the checks, pgveil contract run runs them now");
    };
    writeln!(out, "quality    {score} of 100, by the last {}", plural(runs.len(), "run"))?;
    match &last.breach {
        Some(breach) => writeln!(out, "stands     {}", breach.told())?,
        None => writeln!(out, "stands     it keeps its contract")?,
    }
    // The oldest first, as one reads.
    let course = |value: fn(&Validation) -> Option<u64>| runs.iter().rev().map(value).collect::<Vec<_>>();
    let rows = course(|run| run.rows);
    writeln!(
        out,
        "rows       {}{}",
        sparkline(&rows),
        last.rows.map(|n| format!("  {}", count(n))).unwrap_or_default()
    )?;
    let ages = course(|run| run.stale_seconds);
    if ages.iter().any(Option::is_some) {
        let age = last.stale_seconds.map(|age| format!("  {}", span(age as f64))).unwrap_or_default();
        writeln!(out, "staleness  {}{age}", sparkline(&ages))?;
    }
    let verdicts: String = runs.iter().rev().map(|run| if run.passed { '·' } else { 'x' }).collect();
    writeln!(out, "runs       {verdicts}  (x: a check of severity error has failed)")?;
    writeln!(out, "\nlast run, {}:", ago(last.started_at))?;
    table::block(last, out)
}

fn promises(product: &Product) -> Vec<(&'static str, String)> {
    let sla = &product.sla;
    let freshness = sla.freshness.map(|most| ("freshness", format!("at most {}", span(most.as_secs_f64()))));
    let availability = sla.availability.map(|least| ("available", format!("{least} %")));
    let latency =
        sla.query_latency_p95_ms.map(|most| ("latency", format!("95 % of statements within {} ms", count(most))));
    freshness.into_iter().chain(availability).chain(latency).collect()
}

fn plural(n: usize, noun: &str) -> String {
    if n == 1 { noun.to_owned() } else { format!("{n} {noun}s") }
}

fn ago(at: Timestamp) -> String {
    let age = Duration::try_from(Timestamp::now().duration_since(at)).unwrap_or_default();
    format!("{} ago ({})", span(age.as_secs_f64()), at.strftime("%Y-%m-%d %H:%M:%S UTC"))
}

/// The course of a number in one line: from the lowest bar at the least value to the highest at the greatest. A gap is a run
/// that could not tell.
fn sparkline(values: &[Option<u64>]) -> String {
    const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let known = || values.iter().flatten().copied();
    let (low, high) = (known().min().unwrap_or(0), known().max().unwrap_or(0));
    let bar = |value: u64| {
        let place = (u128::from(value - low) * 7).checked_div(u128::from(high - low)).unwrap_or(3);
        BARS.get(usize::try_from(place).unwrap_or(0)).copied().unwrap_or(' ')
    };
    values.iter().map(|value| value.map_or(' ', bar)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_course_is_drawn_between_its_ends() {
        assert_eq!(sparkline(&[Some(0), Some(50), None, Some(100)]), "▁▄ █");
        assert_eq!(sparkline(&[Some(5), Some(5)]), "▄▄");
        assert_eq!(sparkline(&[Some(0), Some(u64::MAX)]), "▁█");
        assert_eq!(sparkline(&[]), "");
    }
}
