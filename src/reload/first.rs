//! What pgveil starts with: the files as they are, or else the last good ones.

use std::path::Path;

use crate::audit::ReloadOutcome;
use crate::config::{self, ServerConfig};
use crate::contracts;
use crate::document::{Environment, Unset};
use crate::error::Diagnostics;
use crate::govern::breach::Breaches;
use crate::govern::facts::Facts;
use crate::govern::snapshot::Snapshot;
use crate::sources::{SourceTexts, Sources};
use crate::state::Store;

use super::candidate::{self, Unasked};

/// What serves from the start.
pub struct First {
    /// The files that serve.
    pub sources: Sources,
    /// Built from them.
    pub snapshot: Snapshot,
    /// The facts in it.
    pub facts: Facts,
    /// Whether they are the files as they are.
    pub outcome: ReloadOutcome,
    /// What was said about files that are good.
    pub warnings: Diagnostics,
    /// What is wrong with the files as they are.
    pub problems: Option<Diagnostics>,
    /// Warehouses that could not be asked.
    pub unasked: Unasked,
}

/// What is left of [`First`] when its snapshot serves.
pub struct Begun {
    /// The files that serve.
    pub sources: Sources,
    /// The facts in the snapshot.
    pub facts: Facts,
    /// Whether they are the files as they are.
    pub outcome: ReloadOutcome,
    /// What was said about files that are good.
    pub warnings: Diagnostics,
    /// What is wrong with the files as they are.
    pub problems: Option<Diagnostics>,
    /// Warehouses that could not be asked.
    pub unasked: Unasked,
}

impl First {
    /// Gives the snapshot away, to be served.
    pub fn begin(self) -> (Snapshot, Begun) {
        let Self { sources, snapshot, facts, outcome, warnings, problems, unasked } = self;
        (snapshot, Begun { sources, facts, outcome, warnings, problems, unasked })
    }
}

/// Reads `pgveil.toml` alone: without it nothing can be served, and nobody knows where the last good catalog lies.
pub async fn server(config: &Path) -> Result<ServerConfig, Diagnostics> {
    match candidate::read(config).await {
        Ok((sources, _)) => Ok(sources.server),
        // All errors of all files, when this one is among those that have some.
        Err(findings) => config::load_server(config).map(|(server, _)| server).map_err(|_| findings),
    }
}

/// Builds the first snapshot. The error holds every finding of the files as they are.
pub async fn build(config: &Path, server: &ServerConfig, store: &Store) -> Result<First, Diagnostics> {
    let known = store.facts().await.unwrap_or_else(|error| {
        tracing::warn!(%error, "what was known of the warehouses is lost");
        Facts::default()
    });
    let kept = store.last_good().await.unwrap_or_else(|error| {
        tracing::warn!(%error, "the last good catalog is lost");
        None
    });
    let generation = kept.as_ref().map_or(0, |kept| kept.generation) + 1;
    let breaches = contracts::kept(store).await.unwrap_or_else(|error| {
        tracing::warn!(%error, "what the checks have found before is lost");
        Breaches::default()
    });
    let problems = match candidate::read(config).await {
        Ok((sources, mut warnings)) => {
            let served = kept.as_ref().and_then(|kept| kept.texts.clone().compile(&Environment, Unset::Error).ok());
            let served = served.map(|(served, _)| served);
            let (facts, unasked) = candidate::ask(server, &sources, &known).await;
            match candidate::build_anew(&sources, &facts, &breaches, served.as_ref(), generation).await {
                Ok((snapshot, more)) => {
                    warnings.extend(more);
                    candidate::log_findings(&warnings);
                    let outcome = ReloadOutcome::Started;
                    return Ok(First { sources, snapshot, facts, outcome, warnings, problems: None, unasked });
                }
                Err(findings) => findings,
            }
        }
        Err(findings) => findings,
    };
    let Some(kept) = kept else { return Err(problems) };
    let Ok(now) = config::read_server(config) else { return Err(problems) };
    // Paths, secrets and warehouses are those of today.
    let texts = SourceTexts { server: now, ..kept.texts };
    let Some(mut first) = last_good(server, texts, &known, &breaches, generation).await else { return Err(problems) };
    candidate::log_findings(&problems);
    tracing::error!(
        saved_at = %kept.saved_at,
        errors = problems.iter().filter(|f| f.level == crate::error::Level::Error).count(),
        "the files have errors: the last good catalog and policy serve until they are mended"
    );
    first.problems = Some(problems);
    Ok(first)
}

async fn last_good(
    server: &ServerConfig,
    texts: SourceTexts,
    known: &Facts,
    breaches: &Breaches,
    generation: u64,
) -> Option<First> {
    let (sources, _) = texts.compile(&Environment, Unset::Error).ok()?;
    let (asked, unasked) = candidate::ask(server, &sources, known).await;
    let (snapshot, _) = candidate::build_what_fits(&sources, &asked, breaches, generation).await.ok()?;
    let outcome = ReloadOutcome::LastGood;
    let warnings = Diagnostics::default();
    Some(First { sources, snapshot, facts: asked, outcome, warnings, problems: None, unasked })
}
