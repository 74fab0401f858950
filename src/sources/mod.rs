//! All files of a server, read and held against each other: `pgveil.toml`, the policy and the catalog. Errors of all of
//! them come at once, also where one of them is wrong.

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::catalog::{Catalog, CatalogRules};
use crate::config::{self, OnCatalogError, Pattern, PatternUse, Policy, ServerConfig};
use crate::document::{Environment, Examined, SourceFile, Substitution, Unset, Variables, nearest};
use crate::error::Diagnostics;

/// The text of every file: what the state store keeps of a good load. Secrets stand in it as the files have them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceTexts {
    /// pgveil.toml
    pub server: SourceFile,
    /// policy.toml, or the files of the policy's directory
    pub policy: Vec<SourceFile>,
    /// The product files.
    pub catalog: Vec<SourceFile>,
}

/// Everything compiled.
#[derive(Clone, Debug)]
pub struct Sources {
    /// pgveil.toml
    pub server: ServerConfig,
    /// The policy.
    pub policy: Policy,
    /// The products.
    pub catalog: Catalog,
    /// What it was compiled from.
    pub texts: SourceTexts,
}

/// Reads and compiles all files that `pgveil.toml` names. On success the findings are warnings.
pub fn load(server: &Path, unset: Unset) -> Result<(Sources, Diagnostics), Diagnostics> {
    load_with(server, &Environment, unset)
}

/// As [`load`], with variables from elsewhere.
pub fn load_with(
    server: &Path,
    variables: &dyn Variables,
    unset: Unset,
) -> Result<(Sources, Diagnostics), Diagnostics> {
    let file = config::read_server(server)?;
    let examined = config::examine_server(&file, Substitution { variables, unset, allowed: None });
    let mut unread = Diagnostics::default();
    // Where the server's file is broken, the paths in it are a guess: a guess that leads nowhere is no second error.
    let trusted = !examined.broken;
    let policy = match config::read_policy(&examined.value.policy_path) {
        Ok(files) => Some(files),
        Err(findings) => {
            if trusted {
                unread.extend(findings);
            }
            None
        }
    };
    let (catalog, findings) = crate::catalog::read_files(&examined.value.catalog.path);
    let quarantine = examined.value.catalog.on_error == OnCatalogError::Quarantine && !catalog.is_empty();
    for finding in findings.iter().filter(|_| trusted) {
        unread.push(if quarantine { finding.clone().warning() } else { finding.clone() });
    }
    compile(Parts { server: file, examined, policy, catalog, unread }, variables, unset)
}

impl SourceTexts {
    /// Compiles texts that were kept. On success the findings are warnings.
    pub fn compile(self, variables: &dyn Variables, unset: Unset) -> Result<(Sources, Diagnostics), Diagnostics> {
        let examined = config::examine_server(&self.server, Substitution { variables, unset, allowed: None });
        let parts = Parts {
            server: self.server,
            examined,
            policy: Some(self.policy),
            catalog: self.catalog,
            unread: Diagnostics::default(),
        };
        compile(parts, variables, unset)
    }
}

/// What was read, before it is held against each other.
struct Parts {
    server: SourceFile,
    examined: Examined<ServerConfig>,
    policy: Option<Vec<SourceFile>>,
    catalog: Vec<SourceFile>,
    unread: Diagnostics,
}

fn compile(parts: Parts, variables: &dyn Variables, unset: Unset) -> Result<(Sources, Diagnostics), Diagnostics> {
    let Parts { server: server_text, examined: server, policy: policy_texts, catalog: catalog_texts, unread } = parts;
    let policy = config::examine_policy(
        policy_texts.as_deref().unwrap_or_default(),
        Substitution { variables, unset, allowed: None },
    );
    // What a broken file may say without our being able to read it is no reason to call another one wrong.
    let mut rules = catalog_rules(&server.value, &policy.value.policy);
    rules.has_hash_key |= server.findings.has_errors();
    if server.broken {
        rules.warehouses = None;
    }
    if policy_texts.is_none() || policy.broken {
        rules.roles = None;
    }
    let catalog = crate::catalog::compile(&catalog_texts, &rules, variables, unset);

    let mut findings = server.findings;
    findings.extend(policy.findings);
    findings.extend(unread);
    let catalog = match catalog {
        Ok((catalog, warnings)) => {
            findings.extend(warnings);
            catalog
        }
        Err(errors) => {
            findings.extend(errors);
            return Err(findings);
        }
    };
    if findings.has_errors() {
        return Err(findings);
    }
    findings.extend(unmatched(&policy.value.patterns, &catalog));
    let texts = SourceTexts { server: server_text, policy: policy_texts.unwrap_or_default(), catalog: catalog_texts };
    Ok((Sources { server: server.value, policy: policy.value.policy, catalog, texts }, findings))
}

/// What product files are held against, for a server and a policy that are valid.
pub fn catalog_rules(server: &ServerConfig, policy: &Policy) -> CatalogRules {
    let warehouses = server.warehouses.iter();
    CatalogRules {
        warehouses: Some(warehouses.map(|(name, config)| (name.clone(), config.default_schema.clone())).collect()),
        roles: Some(policy.roles.keys().cloned().collect()),
        env: server.catalog.env.clone(),
        quarantine: server.catalog.on_error == OnCatalogError::Quarantine,
        require_pii: policy.governance.require_pii.clone(),
        column_names: policy.governance.column_names.clone(),
        domains: policy.domains.iter().map(|(name, domain)| (name.clone(), domain.relations.clone())).collect(),
        has_hash_key: server.hash_key.is_some(),
    }
}

/// Warnings for patterns that no product or column fits: most often a typing mistake.
fn unmatched(patterns: &[PatternUse], catalog: &Catalog) -> Diagnostics {
    let mut warnings = Diagnostics::default();
    let ids: Vec<String> = catalog.iter().map(|p| p.id.to_string()).collect();
    let ids = || ids.iter().map(String::as_str);
    for PatternUse { pattern, place } in patterns {
        let products = match pattern {
            Pattern::Products(products) => products,
            Pattern::Columns(columns) => columns.product(),
        };
        let mut fitting = catalog.iter().filter(|p| products.matches(&p.id)).peekable();
        let mut warning = place.clone();
        if fitting.peek().is_none() {
            match (products.exact(), products.domain()) {
                (Some(id), _) => {
                    warning.message = format!("the catalog has no product {id}");
                    warning.hint = nearest(&id.to_string(), ids()).map(|n| format!("did you mean \"{n}\"?"));
                }
                (None, Some(domain)) => {
                    warning.message = format!("the catalog has no product in the domain \"{domain}\"");
                    let domains = catalog.domains();
                    let near = nearest(domain, domains.iter().map(|d| d.as_str()));
                    warning.hint = near.map(|n| format!("did you mean \"{n}\"?"));
                }
                // `*` over an empty catalog is meant for what will come.
                (None, None) => continue,
            }
            warnings.push(warning);
        } else if let Pattern::Columns(columns) = pattern
            && let Some(column) = columns.column()
            && !fitting.any(|p| p.column(column).is_some())
        {
            warning.message = format!("no product that this pattern covers has a column \"{column}\"");
            let covered = catalog.iter().filter(|p| products.matches(&p.id));
            let names = covered.flat_map(|p| p.columns.iter().map(|c| c.name.as_str()));
            warning.hint = nearest(column, names).map(|n| format!("did you mean \"{n}\"?"));
            warnings.push(warning);
        }
    }
    warnings
}

#[cfg(test)]
mod tests;
