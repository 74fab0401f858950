//! A candidate: the files as they are now, with what the warehouses say, built and validated whole.

use std::path::Path;

use crate::catalog::Product;
use crate::config::{OnCatalogError, ServerConfig, StateUrl};
use crate::document::Unset;
use crate::error::{Diagnostic, Diagnostics, Level};
use crate::govern::breach::Breaches;
use crate::govern::facts::Facts;
use crate::govern::snapshot::{Snapshot, SnapshotParts, WarehouseRules};
use crate::names::WarehouseName;
use crate::sources::{self, Sources};
use crate::upstream::facts;

/// Reads and compiles all files. On success the findings are warnings.
pub async fn read(config: &Path) -> Result<(Sources, Diagnostics), Diagnostics> {
    let path = config.to_owned();
    blocking(config, move || sources::load(&path, Unset::Error)).await
}

/// Builds the snapshot. On success the findings are warnings.
pub async fn build(
    sources: &Sources,
    facts: &Facts,
    breaches: &Breaches,
    generation: u64,
) -> Result<(Snapshot, Diagnostics), Diagnostics> {
    let rules = |config: &crate::config::WarehouseConfig| WarehouseRules {
        extension_schemas: config.extension_schemas.clone(),
    };
    let warehouses = sources.server.warehouses.iter();
    let parts = SnapshotParts {
        generation,
        catalog: sources.catalog.clone(),
        policy: sources.policy.clone(),
        facts: facts.clone(),
        breaches: breaches.clone(),
        warehouses: warehouses.map(|(name, config)| (name.clone(), rules(config))).collect(),
        has_hash_key: sources.server.hash_key.is_some(),
        quarantine: sources.server.catalog.on_error == OnCatalogError::Quarantine,
    };
    blocking(&sources.texts.server.path, move || Snapshot::build(parts)).await
}

/// As [`build`], for files that may be new, after `served`, which were good. A product that was in them as it is now and does
/// not fit its relation has not gone wrong: the warehouse has changed. It is withheld, as at any other time, and the others are
/// served. One that is new, or that the change of another file concerns, makes the files wrong.
pub async fn build_anew(
    sources: &Sources,
    facts: &Facts,
    breaches: &Breaches,
    served: Option<&Sources>,
    generation: u64,
) -> Result<(Snapshot, Diagnostics), Diagnostics> {
    let findings = match build(sources, facts, breaches, generation).await {
        Ok(built) => return Ok(built),
        Err(findings) => findings,
    };
    let same_surroundings = |served: &&Sources| {
        served.server.warehouses == sources.server.warehouses
            && served.server.hash_key.is_some() == sources.server.hash_key.is_some()
            && served.policy.functions == sources.policy.functions
    };
    let Some(served) = served.filter(same_surroundings) else { return Err(findings) };
    let is_new = |product: &Product| served.catalog.iter().all(|other| **other != *product);
    if sources.catalog.iter().any(|product| is_at_fault(product, &findings) && is_new(product)) {
        return Err(findings);
    }
    build_what_fits(sources, facts, breaches, generation).await
}

/// As [`build`], but products that do not fit their relations are withheld, with errors among the findings: of these relations
/// nothing counts as known.
pub async fn build_what_fits(
    sources: &Sources,
    facts: &Facts,
    breaches: &Breaches,
    generation: u64,
) -> Result<(Snapshot, Diagnostics), Diagnostics> {
    let mut known = facts.clone();
    let mut withheld = Diagnostics::default();
    loop {
        let findings = match build(sources, &known, breaches, generation).await {
            Ok((snapshot, mut findings)) => {
                findings.extend(withheld);
                return Ok((snapshot, findings));
            }
            Err(findings) => findings,
        };
        let mut forgotten = false;
        for product in sources.catalog.iter().filter(|product| is_at_fault(product, &findings)) {
            if let Some(relations) = known.relations.get_mut(&product.warehouse) {
                let before = relations.len();
                relations.retain(|(name, _)| *name != product.relation);
                forgotten |= relations.len() < before;
            }
        }
        if !forgotten {
            return Err(findings);
        }
        withheld.extend(findings);
    }
}

fn is_at_fault(product: &Product, findings: &Diagnostics) -> bool {
    findings.iter().any(|finding| finding.level == Level::Error && finding.file == product.file)
}

/// Runs what takes a while away from the threads that serve clients.
async fn blocking<T: Send + 'static>(
    file: &Path,
    work: impl FnOnce() -> Result<T, Diagnostics> + Send + 'static,
) -> Result<T, Diagnostics> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|error| {
        let mut findings = Diagnostics::default();
        findings.push(Diagnostic::whole_file(file, format!("the files cannot be compiled: {error}")));
        Err(findings)
    })
}

/// A warehouse that could not be asked, and why.
pub type Unasked = Vec<(WarehouseName, String)>;

/// What the warehouses say now of the relations of every product. Of one that cannot be asked, what was known is kept.
pub async fn ask(server: &ServerConfig, sources: &Sources, known: &Facts) -> (Facts, Unasked) {
    let (mut now, failures) = facts::read_all(&server.warehouses, &sources.catalog).await;
    // Equal facts are equal whatever order they came in.
    for relations in now.relations.values_mut() {
        relations.sort_by(|(a, _), (b, _)| a.cmp(b));
    }
    for (warehouse, relations) in &known.relations {
        if failures.iter().any(|(failed, _)| failed == warehouse) {
            now.relations.insert(warehouse.clone(), relations.clone());
            let system = known.system.get(warehouse).cloned().unwrap_or_default();
            now.system.insert(warehouse.clone(), system);
        }
    }
    (now, failures.into_iter().map(|(warehouse, error)| (warehouse, error.to_string())).collect())
}

/// What changed in `pgveil.toml` since the start that only a restart brings into force.
pub fn waits_for_restart(started: &ServerConfig, now: &ServerConfig) -> Vec<&'static str> {
    let http = |config: &ServerConfig| config.http.as_ref().map(|http| (http.listen, http.tls.clone()));
    [
        ("[server] listen", started.server.listen != now.server.listen),
        ("[server] max_message", started.server.max_message != now.server.max_message),
        ("[http] listen and [http.tls]", http(started) != http(now)),
        ("[audit] path", started.audit.path != now.audit.path),
        ("[state] url", started.state != now.state),
    ]
    .into_iter()
    .filter_map(|(key, changed)| changed.then_some(key))
    .collect()
}

/// Where the files lie, and what pgveil writes itself: audit log and state stay where they were at the start.
pub fn places(config: &Path, server: &ServerConfig, started: &ServerConfig) -> super::Places {
    let mut places = super::Places::default();
    places.files.insert(config.to_owned());
    places.trees.insert(server.catalog.path.clone());
    let policy = server.policy_path.clone();
    if policy.is_dir() {
        places.trees.insert(policy)
    } else {
        places.files.insert(policy)
    };
    let http_tls = server.http.as_ref().and_then(|http| http.tls.as_ref());
    for tls in server.server.tls.iter().chain(http_tls) {
        places.files.extend([tls.cert.clone(), tls.key.clone()]);
        places.files.extend(tls.client_ca.clone());
    }
    places.own.insert(started.audit.path.clone());
    if let Some(stem) = started.audit.path.file_stem() {
        let rotated = format!("{}-", stem.to_string_lossy());
        places.own.insert(started.audit.path.with_file_name(rotated));
    }
    if let StateUrl::Sqlite(path) = &started.state {
        places.own.insert(path.clone());
    }
    places
}

/// The findings, written out for the log. Each names its file and line itself. Keys that are not yet in force are told in
/// one line: `pgveil check` says where they stand.
pub fn log_findings(findings: &Diagnostics) {
    let mut not_yet: Vec<&str> = findings.iter().filter_map(Diagnostic::not_yet_in_force).collect();
    not_yet.sort_unstable();
    not_yet.dedup();
    for finding in findings.clone().sorted() {
        match finding.level {
            Level::Error => tracing::error!("{}", told(&finding)),
            Level::Warning if finding.not_yet_in_force().is_some() => {}
            Level::Warning => tracing::warn!("{}", told(&finding)),
        }
    }
    if !not_yet.is_empty() {
        let keys = not_yet.join(", ");
        tracing::warn!("accepted, but not yet in force in this version: {keys} (pgveil check says where)");
    }
}

/// A finding without its level, which the log has itself.
fn told(finding: &Diagnostic) -> String {
    let text = finding.to_string();
    text.split_once(": ").map_or(text.clone(), |(_, rest)| rest.to_owned())
}
