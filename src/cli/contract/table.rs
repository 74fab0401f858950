//! A run as a table for people.

use std::io::{self, Write};

use crate::contracts::{CheckOutcome, CheckSeverity, Validation, count, span};

/// One block for each product: a line with what it is, then a line for each check.
pub(super) fn print(validations: &[Validation], out: &mut dyn Write) -> io::Result<()> {
    let checks = || validations.iter().flat_map(|validation| &validation.checks);
    let widths = Widths::of(checks());
    for (n, validation) in validations.iter().enumerate() {
        if n > 0 {
            writeln!(out)?;
        }
        widths.block(validation, out)?;
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

/// The block of one product.
pub(super) fn block(validation: &Validation, out: &mut dyn Write) -> io::Result<()> {
    Widths::of(validation.checks.iter()).block(validation, out)
}

/// How wide the columns are.
struct Widths {
    name: usize,
    kind: usize,
}

impl Widths {
    fn of<'c>(checks: impl Iterator<Item = &'c CheckOutcome>) -> Self {
        checks.fold(Self { name: 0, kind: 0 }, |widths, check| Self {
            name: widths.name.max(check.name.chars().count()),
            kind: widths.kind.max(check.kind.label().len()),
        })
    }

    fn block(&self, validation: &Validation, out: &mut dyn Write) -> io::Result<()> {
        let Self { name, kind } = self;
        writeln!(out, "{}", headline(validation))?;
        for check in &validation.checks {
            let (mark, label) = (mark(check), check.kind.label());
            writeln!(out, "  {mark:4}  {:name$}  {label:kind$}  {}", check.name, check.message)?;
        }
        for warning in &validation.warnings {
            writeln!(out, "  note  {warning}")?;
        }
        Ok(())
    }
}

fn counted(n: usize, noun: &str) -> String {
    format!("{n} {noun}{}", if n == 1 { "" } else { "s" })
}

fn headline(validation: &Validation) -> String {
    let Validation { product, version, duration_ms, .. } = validation;
    let mut facts = vec![format!("version {version}")];
    facts.extend(validation.rows.map(|rows| format!("{} row{}", count(rows), if rows == 1 { "" } else { "s" })));
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
