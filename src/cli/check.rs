//! `pgveil check`: every error of every file, with its place.
//!
//! Each step adds its findings to a [`Report`]; further steps (the snapshot, the warehouse) take the [`Sources`] that
//! [`read`] hands back.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, ValueEnum};
use serde::Serialize;

use crate::document::Unset;
use crate::error::{Diagnostic, Diagnostics, Level};
use crate::govern::breach::Breaches;
use crate::govern::facts::Facts;
use crate::reload::candidate;
use crate::session::tls::ServerTls;
use crate::sources::{self, Sources};

use super::check_warehouse::{self, Finding, Gravity, WarehouseCheck};
use super::offline;

/// How a command prints data.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people.
    #[default]
    Text,
    /// For programs.
    Json,
}

/// Arguments of `pgveil check`.
#[derive(Clone, Debug, Args)]
pub struct CheckArgs {
    /// The server's file
    #[arg(long, value_name = "FILE", default_value = "config/pgveil.toml")]
    pub config: PathBuf,
    /// Compare with the real tables as well, and look at what the service account may do
    #[arg(long)]
    pub warehouse: bool,
    /// Print the GRANTs that the service account lacks, and nothing else
    #[arg(long, requires = "warehouse")]
    pub grants: bool,
    /// How findings are printed
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
}

/// What was found, over all steps.
#[derive(Debug, Default)]
pub struct Report {
    findings: Diagnostics,
    summary: Option<Summary>,
    facts: Option<FactsFrom>,
    warehouse: Option<WarehouseCheck>,
}

/// What types, keys and relations were checked with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum FactsFrom {
    /// Nothing is known of the warehouse's tables.
    None,
    /// What pgveil knew when it last served.
    Stored,
    /// The warehouse was asked.
    Warehouse,
}

/// What was checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Summary {
    /// Products of the catalog.
    pub products: usize,
    /// Domains that have one.
    pub domains: usize,
    /// Roles of the policy.
    pub roles: usize,
    /// Users of the policy.
    pub users: usize,
}

impl Summary {
    fn of(sources: &Sources) -> Self {
        Self {
            products: sources.catalog.len(),
            domains: sources.catalog.domains().len(),
            roles: sources.policy.roles.len(),
            users: sources.policy.users.len(),
        }
    }
}

impl std::fmt::Display for Summary {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let counted = |n: usize, noun: &str| format!("{n} {noun}{}", if n == 1 { "" } else { "s" });
        write!(
            f,
            "{} in {}, {}, {}",
            counted(self.products, "product"),
            counted(self.domains, "domain"),
            counted(self.roles, "role"),
            counted(self.users, "user")
        )
    }
}

impl Report {
    /// Takes over the findings of a step.
    pub fn add(&mut self, findings: Diagnostics) {
        self.findings.extend(findings);
    }
    /// Whether any step failed.
    pub fn has_errors(&self) -> bool {
        self.findings.has_errors() || self.warehouse.as_ref().is_some_and(WarehouseCheck::has_errors)
    }
    /// Prints everything; the exit code says whether there was an error.
    pub fn print(self, format: Format, out: &mut impl Write) -> io::Result<ExitCode> {
        let failed = self.has_errors();
        let here = std::env::current_dir().unwrap_or_default();
        let mut findings = self.findings.sorted();
        findings.iter_mut().for_each(|f| f.file = from_here(&f.file, &here));
        match format {
            Format::Text => {
                let warehouse = self.warehouse.map(|warehouse| warehouse.findings).unwrap_or_default();
                print_text(&findings, &warehouse, self.summary.filter(|_| !failed), out)?;
            }
            Format::Json => {
                let warehouse = self.warehouse.as_ref();
                let (checked, facts) = (self.summary, self.facts);
                let document = Json { ok: !failed, checked, facts, findings: &findings, warehouse };
                serde_json::to_writer_pretty(&mut *out, &document).map_err(io::Error::from)?;
                writeln!(out)?;
            }
        }
        Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
    }
}

#[derive(Serialize)]
struct Json<'a> {
    ok: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    checked: Option<Summary>,
    #[serde(skip_serializing_if = "Option::is_none")]
    facts: Option<FactsFrom>,
    findings: &'a [Diagnostic],
    #[serde(skip_serializing_if = "Option::is_none")]
    warehouse: Option<&'a WarehouseCheck>,
}

/// Reads and compiles the files. `unset` is `Warning` for a check away from the server's secrets.
pub fn read(config: &Path, unset: Unset, report: &mut Report) -> Option<Sources> {
    match sources::load(config, unset) {
        Ok((sources, warnings)) => {
            report.add(warnings);
            report.summary = Some(Summary::of(&sources));
            Some(sources)
        }
        Err(findings) => {
            report.add(findings);
            None
        }
    }
}

/// Checks the files alone, or with `--warehouse` what they say against what is there.
pub async fn run(args: &CheckArgs) -> ExitCode {
    let mut report = Report::default();
    // Who talks to the warehouse needs the secrets.
    let unset = if args.warehouse { Unset::Error } else { Unset::Warning };
    if let Some(sources) = read(&args.config, unset, &mut report) {
        report.add(certificates(&sources, unset));
        let facts = if args.warehouse {
            candidate::ask(&sources.server, &sources, &Facts::default()).await.0
        } else {
            offline::stored_facts(&sources.server).await
        };
        report.facts = Some(match (facts.relations.is_empty(), args.warehouse) {
            (true, _) => FactsFrom::None,
            (false, true) => FactsFrom::Warehouse,
            (false, false) => FactsFrom::Stored,
        });
        match candidate::build(&sources, &facts, &Breaches::default(), 0).await {
            Ok((_, findings)) | Err(findings) => report.add(findings),
        }
        if args.warehouse {
            report.warehouse = Some(
                check_warehouse::check(&sources.server.warehouses, &sources.catalog, &sources.policy.functions).await,
            );
        }
    }
    let out = &mut io::stdout().lock();
    let printed = match &report.warehouse {
        // A warehouse that could not be asked must not look like an account that lacks nothing.
        Some(warehouse) if args.grants && !report.findings.has_errors() && !warehouse.is_partial() => {
            check_warehouse::print(warehouse, true, args.format == Format::Json, out).map(|()| ExitCode::SUCCESS)
        }
        _ => report.print(args.format, out),
    };
    printed.unwrap_or(ExitCode::FAILURE)
}

/// Whether the files of TLS are there and can be used. `unset` is `Warning` where the server's own files need not be.
fn certificates(sources: &Sources, unset: Unset) -> Diagnostics {
    let mut findings = Diagnostics::default();
    let http = sources.server.http.as_ref().and_then(|http| http.tls.as_ref());
    let tables = [("[server.tls]", sources.server.server.tls.as_ref()), ("[http.tls]", http)];
    for (table, files) in tables.into_iter().filter_map(|(table, files)| Some((table, files?))) {
        let Err(error) = ServerTls::load(files) else { continue };
        let finding = Diagnostic::whole_file(&sources.texts.server.path, format!("{table}: {error}"));
        let absent = [Some(&files.cert), Some(&files.key), files.client_ca.as_ref()].into_iter().flatten();
        let elsewhere = unset == Unset::Warning && absent.into_iter().any(|file| !file.exists());
        findings.push(if elsewhere { finding.warning() } else { finding });
    }
    findings
}

fn print_text(
    findings: &[Diagnostic],
    warehouse: &[Finding],
    summary: Option<Summary>,
    out: &mut impl Write,
) -> io::Result<()> {
    for finding in findings {
        writeln!(out, "{finding}\n")?;
    }
    for finding in warehouse {
        writeln!(out, "{finding}\n")?;
    }
    let count = |level, gravity| {
        findings.iter().filter(|f| f.level == level).count() + warehouse.iter().filter(|f| f.level == gravity).count()
    };
    let (errors, warnings) = (count(Level::Error, Gravity::Error), count(Level::Warning, Gravity::Warning));
    let warned = match warnings {
        0 => String::new(),
        1 => " (1 warning)".to_owned(),
        n => format!(" ({n} warnings)"),
    };
    match (errors, summary) {
        (0, Some(summary)) => writeln!(out, "{summary}: ok{warned}"),
        (0, None) => writeln!(out, "ok{warned}"),
        (1, _) => writeln!(out, "1 error{warned}"),
        (n, _) => writeln!(out, "{n} errors{warned}"),
    }
}

/// A path as a person in this directory would write it.
fn from_here(path: &Path, here: &Path) -> PathBuf {
    path.strip_prefix(here).unwrap_or(path).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(policy: &str) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        let server = "[warehouses.w]\ndsn = \"postgres://u@127.0.0.1/w\"\npassword = \"${PGVEIL_TEST_NOT_SET}\"\n";
        std::fs::write(dir.path().join("pgveil.toml"), server).unwrap();
        std::fs::write(dir.path().join("policy.toml"), policy).unwrap();
        std::fs::create_dir(dir.path().join("catalog")).unwrap();
        dir
    }

    fn check(dir: &tempfile::TempDir, format: Format) -> (String, bool) {
        let mut report = Report::default();
        read(&dir.path().join("pgveil.toml"), Unset::Warning, &mut report);
        let failed = report.has_errors();
        let mut out = Vec::new();
        let code = report.print(format, &mut out).unwrap();
        assert_eq!(code == ExitCode::FAILURE, failed);
        (String::from_utf8(out).unwrap(), failed)
    }

    #[test]
    fn a_good_configuration_says_what_was_checked() {
        let (out, failed) = check(&files("[roles.analyst]\n"), Format::Text);
        assert!(!failed, "{out}");
        assert!(out.contains("warning: the environment variable PGVEIL_TEST_NOT_SET is not set"), "{out}");
        assert!(out.ends_with("0 products in 0 domains, 1 role, 0 users: ok (2 warnings)\n"), "{out}");
    }

    #[test]
    fn a_bad_one_is_counted_and_fails() {
        let (out, failed) = check(&files("[roles.analyst]\nproduct = []\ncopy_out = 1\n"), Format::Text);
        assert!(failed);
        assert!(out.ends_with("2 errors (2 warnings)\n"), "{out}");
    }

    #[test]
    fn programs_get_json() {
        let (out, _) = check(&files("[roles.analyst]\nproduct = []\n"), Format::Json);
        let json: serde_json::Value = serde_json::from_str(&out).unwrap();
        assert_eq!(json["ok"], false);
        let finding = json["findings"].as_array().unwrap().iter().find(|f| f["level"] == "error").unwrap();
        assert_eq!((&finding["line"], &finding["column"]), (&2.into(), &1.into()));
        assert_eq!(finding["hint"], "did you mean \"products\"?");
    }
}
