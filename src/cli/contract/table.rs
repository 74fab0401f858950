//! A run as a table for people.

use std::io::{self, Write};

use crate::contracts::{CheckOutcome, CheckSeverity, Validation, count, span};

/// One block for each product: a line with what it is, then a line for each check.
pub(super) fn print(validations: &[Validation], out: &mut dyn Write) -> io::Result<()> {
    let checks = || validations.iter().flat_map(|validation| &validation.checks);
    let width = |text: fn(&CheckOutcome) -> usize| checks().map(text).max().unwrap_or(0);
    let (name, kind) = (width(|check| check.name.chars().count()), width(|check| check.kind.label().len()));
    for (n, validation) in validations.iter().enumerate() {
        if n > 0 {
            writeln!(out)?;
        }
        writeln!(out, "{}", headline(validation))?;
        for check in &validation.checks {
            writeln!(
                out,
                "  {:4}  {:name$}  {:kind$}  {}",
                mark(check),
                check.name,
                check.kind.label(),
                check.message
            )?;
        }
        for warning in &validation.warnings {
            writeln!(out, "  note  {warning}")?;
        }
    }
    if !validations.is_empty() {
        writeln!(out)?;
    }
    let broken = validations.iter().filter(|validation| !validation.passed).count();
    let failed = |severity| checks().filter(|check| !check.passed && check.severity == severity).count();
    writeln!(
        out,
        "{}, {}: {} failed, with {} and {}",
        counted(validations.len(), "product"),
        counted(checks().count(), "check"),
        counted(broken, "product"),
        counted(failed(CheckSeverity::Error), "error"),
        counted(failed(CheckSeverity::Warning), "warning")
    )
}

fn counted(n: usize, noun: &str) -> String {
    format!("{n} {noun}{}", if n == 1 { "" } else { "s" })
}

fn headline(validation: &Validation) -> String {
    let Validation { product, version, duration_ms, .. } = validation;
    let mut facts = vec![format!("version {version}")];
    facts.extend(validation.rows.map(|rows| format!("{} rows", count(rows))));
    facts.extend(validation.stale_seconds.map(|age| format!("newest {} ago", span(age as f64))));
    facts.push(format!("{duration_ms} ms"));
    format!("{product} ({})", facts.join(", "))
}

fn mark(check: &CheckOutcome) -> &'static str {
    match (check.passed, check.severity) {
        (true, _) => "ok",
        (false, CheckSeverity::Error) => "FAIL",
        (false, CheckSeverity::Warning) => "warn",
    }
}
