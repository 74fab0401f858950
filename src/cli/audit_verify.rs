//! `pgveil audit verify`: whether the audit log is what pgveil wrote.

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand};

use crate::audit::verify::{Expectations, Report, verify};

use super::check::Format;

/// Arguments of `pgveil audit`.
#[derive(Clone, Debug, Args)]
pub struct AuditArgs {
    #[command(subcommand)]
    command: AuditCommand,
}

#[derive(Clone, Debug, Subcommand)]
enum AuditCommand {
    /// Reads audit files and finds edited, dropped, reordered and inserted lines.
    ///
    /// Give all files of one log, oldest first; a shell's `audit-*.jsonl audit.jsonl` is that order. The exit code is 1 when
    /// anything is wrong. Lines cut off at the very end leave no trace in the log itself: keep the hash that this command
    /// prints in another place, and give it with --last-hash later.
    Verify(VerifyArgs),
}

#[derive(Clone, Debug, Args)]
struct VerifyArgs {
    /// The files of one log, oldest first
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// The number that the first record has, when older files are gone
    #[arg(long, value_name = "SEQ")]
    from: Option<u64>,
    /// The hash that the last record has
    #[arg(long, value_name = "HASH")]
    last_hash: Option<String>,
    /// How the result is printed
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// Runs the subcommand.
pub fn run(args: &AuditArgs) -> ExitCode {
    let AuditCommand::Verify(args) = &args.command;
    let expectations = Expectations { from: args.from, last_hash: args.last_hash.clone() };
    let report = match verify(&args.files, &expectations) {
        Ok(report) => report,
        Err(error) => {
            eprintln!("pgveil: {error}");
            return ExitCode::FAILURE;
        }
    };
    match print(&report, args.format, &mut io::stdout().lock()) {
        Ok(()) if report.is_sound() => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    }
}

fn print(report: &Report, format: Format, out: &mut impl Write) -> io::Result<()> {
    match format {
        Format::Json => {
            serde_json::to_writer_pretty(&mut *out, report).map_err(io::Error::from)?;
            writeln!(out)
        }
        Format::Text => print_text(report, out),
    }
}

fn print_text(report: &Report, out: &mut impl Write) -> io::Result<()> {
    /// More are counted.
    const SHOWN: usize = 20;
    for finding in &report.findings {
        match finding.line {
            0 => writeln!(out, "{}: {}", finding.file.display(), finding.message)?,
            line => writeln!(out, "{}:{line}: the line {}", finding.file.display(), finding.message)?,
        }
    }
    let unshown = report.finding_count - report.findings.len() as u64;
    if unshown > 0 {
        writeln!(out, "… and {unshown} more")?;
    }
    if report.torn_lines > 0 {
        writeln!(out, "{} left unfinished by a crash, and recovered from", counted(report.torn_lines, "line"))?;
    }
    if report.unfinished_bytes > 0 {
        let bytes = counted(report.unfinished_bytes, "byte");
        writeln!(
            out,
            "the last line is unfinished ({bytes}): pgveil is writing it, or crashed and was not started again"
        )?;
    }
    let open = report.without_outcome.len();
    if open > 0 {
        let shown: Vec<String> = report.without_outcome.iter().take(SHOWN).map(u64::to_string).collect();
        let more = if open > SHOWN { ", …" } else { "" };
        let which = shown.join(", ");
        writeln!(
            out,
            "{} without an outcome, running or cut off: seq {which}{more}",
            counted(open as u64, "statement")
        )?;
    }
    if report.records > 0 {
        writeln!(
            out,
            "{} in {} (seq {} to {}): {} allowed, {} denied; last hash {}",
            counted(report.records, "record"),
            counted(report.files as u64, "file"),
            report.first_seq,
            report.last_seq,
            counted(report.allowed, "statement"),
            report.denied,
            report.last_hash
        )?;
    }
    match (report.finding_count, report.records) {
        (0, 0) => writeln!(out, "ok: there is no record"),
        (0, _) => writeln!(out, "ok: every line is as pgveil wrote it"),
        (n, _) => writeln!(out, "NOT ok: {}", counted(n, "finding")),
    }
}

fn counted(n: u64, noun: &str) -> String {
    format!("{n} {noun}{}", if n == 1 { "" } else { "s" })
}
