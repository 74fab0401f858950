//! `pgveil.toml` and `policy.toml`: raw -> compiled, all errors at once.
//!
//! [`load_server`] and [`load_policy`] read files; [`parse_server`] and [`parse_policy`] take text and are pure but for the
//! variables that they are given.

mod dsn;
mod policy;
mod read_policy;
mod read_server;
mod server;
mod verifier;

#[cfg(test)]
mod tests;

use std::path::Path;

use crate::document::{Environment, SourceFile, Substitution, read_file, toml_files};
use crate::error::{Diagnostic, Diagnostics};

pub use policy::{
    Attribute, Domain, Governance, Group, Limits, OnMaxRows, Policy, Role, RoleLimits, ScramVerifier, Token, User,
};
pub use read_policy::{ParsedPolicy, Pattern, PatternUse, examine_policy, parse_policy};
pub use read_server::{examine_server, parse_server};
pub use server::{
    AuditConfig, AuditFailure, CatalogConfig, ContractsConfig, Durability, HttpConfig, OnCatalogError, SecretString,
    ServerConfig, ServerSection, SqlRecording, StateUrl, TlsConfig, TlsMode, Unvalidated, WarehouseConfig,
};
pub use verifier::VerifierError;

/// Reads and compiles `pgveil.toml` with this process' environment. On success the findings are warnings.
pub fn load_server(path: &Path) -> Result<(ServerConfig, Diagnostics), Diagnostics> {
    parse_server(&read_server(path)?, Substitution::any(&Environment))
}

/// Reads and compiles the policy with this process' environment. On success the findings are warnings.
pub fn load_policy(path: &Path) -> Result<(Policy, Diagnostics), Diagnostics> {
    let (parsed, warnings) = parse_policy(&read_policy(path)?, Substitution::any(&Environment))?;
    Ok((parsed.policy, warnings))
}

/// Reads `pgveil.toml`.
pub fn read_server(path: &Path) -> Result<SourceFile, Diagnostics> {
    read_file(path)
}

/// Reads the policy: a file, or every `*.toml` below a directory.
pub fn read_policy(path: &Path) -> Result<Vec<SourceFile>, Diagnostics> {
    if !path.is_dir() {
        return read_file(path).map(|file| vec![file]);
    }
    let (paths, mut findings) = toml_files(path);
    if paths.is_empty() && findings.is_empty() {
        findings.push(Diagnostic::whole_file(path, "the policy directory holds no *.toml file"));
    }
    let mut files = Vec::with_capacity(paths.len());
    for path in paths {
        match read_file(&path) {
            Ok(file) => files.push(file),
            Err(unread) => findings.extend(unread),
        }
    }
    if findings.is_empty() { Ok(files) } else { Err(findings) }
}
