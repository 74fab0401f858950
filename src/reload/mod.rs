//! Catalog and policy while pgveil runs: watch -> build -> validate -> swap, else keep.
//!
//! [`first`] is what pgveil starts with; [`Reloader`] looks at the files when something may have changed, at SIGHUP, and asks
//! the warehouses every minute. A candidate with errors changes nothing; each error is logged once.

pub mod candidate;
mod changes;
pub mod first;
mod watch;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::audit::{Event, ReloadOutcome};
use crate::config::ServerConfig;
use crate::error::{Diagnostic, Diagnostics, Level};
use crate::govern::facts::Facts;
use crate::govern::masks::hash_key_options;
use crate::metrics::METRICS;
use crate::names::WarehouseName;
use crate::sources::Sources;
use crate::state::Store;
use crate::statement::Shared;
use crate::upstream::Pool;

use candidate::Unasked;
use first::Begun;

pub use watch::{Places, Watch};

/// How often the warehouses are asked what their relations look like …
const ASK: Duration = Duration::from_secs(60);
/// … how soon after a statement failed as if a relation had changed …
const ASK_IN_DOUBT: Duration = Duration::from_secs(2);
/// … and how often one is asked that did not answer.
const ASK_AGAIN: Duration = Duration::from_secs(5);

/// What is left of a former pool is closed this long after nobody can wait in it any more.
const RETIREMENT: Duration = Duration::from_secs(5);

/// The pools of all warehouses.
pub type Pools = BTreeMap<WarehouseName, Pool>;

/// How catalog, policy and warehouses stand; for readiness.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// Errors in the files as they are; 0: they serve.
    pub errors: usize,
    /// Warehouses that could not be asked, and why.
    pub unasked: Unasked,
}

/// What else follows from a changed `pgveil.toml`, and from a look at the files.
pub trait Effects: Send + Sync {
    /// The new file is in force.
    fn applied(&self, server: &ServerConfig);
    /// Something may have changed: certificates are read again when they have.
    fn looked(&self);
}

/// Opens pools for the warehouses; those of `former` that did not change go on.
pub fn open_pools(server: &ServerConfig, former: Option<(&ServerConfig, &Pools)>) -> Result<Pools, Diagnostics> {
    let mut pools = Pools::new();
    let mut findings = Diagnostics::default();
    for (name, config) in &server.warehouses {
        let unchanged = former
            .filter(|(before, _)| before.warehouses.get(name) == Some(config) && before.hash_key == server.hash_key)
            .and_then(|(_, pools)| pools.get(name));
        if let Some(pool) = unchanged {
            pools.insert(name.clone(), pool.clone());
            continue;
        }
        let key = server.hash_key.as_ref().map(|key| hash_key_options(key.expose().as_bytes()));
        let options = key.into_iter().flatten().map(|(name, value)| (name.to_owned(), value)).collect();
        match Pool::new(name.clone(), config, options) {
            Ok(pool) => drop(pools.insert(name.clone(), pool)),
            Err(reason) => {
                let message = format!("the warehouse \"{name}\" cannot be connected to: {reason}");
                findings.push(Diagnostic::whole_file(&PathBuf::from("pgveil.toml"), message));
            }
        }
    }
    if findings.is_empty() { Ok(pools) } else { Err(findings) }
}

/// Keeps catalog and policy up to date for as long as pgveil runs.
pub struct Reloader {
    config: PathBuf,
    shared: Arc<Shared>,
    store: Store,
    effects: Arc<dyn Effects>,
    standing: Arc<ArcSwap<Standing>>,
    /// `pgveil.toml` as it was at the start, for what needs a restart.
    started: ServerConfig,
    sources: Sources,
    facts: Facts,
    /// What was said about files that are good, so that it is said once.
    warnings: Diagnostics,
    /// What was said about files that are not.
    problems: Option<Diagnostics>,
    /// What was said of facts that no snapshot can be built with.
    misfits: Option<Diagnostics>,
}

impl Reloader {
    /// Takes over from the start. What serves is recorded, and kept when it is good.
    pub async fn new(
        config: PathBuf,
        first: Begun,
        shared: Arc<Shared>,
        store: Store,
        effects: Arc<dyn Effects>,
    ) -> Self {
        let reloader = Self {
            config,
            shared,
            store,
            effects,
            standing: Arc::default(),
            started: first.sources.server.clone(),
            sources: first.sources,
            facts: first.facts,
            warnings: first.warnings,
            problems: first.problems,
            misfits: None,
        };
        reloader.record(first.outcome);
        reloader.stand(first.unasked);
        if reloader.problems.is_none() {
            reloader.keep().await;
        }
        reloader
    }

    /// How things stand, for readiness.
    pub fn standing(&self) -> Arc<ArcSwap<Standing>> {
        Arc::clone(&self.standing)
    }

    /// Looks at files and warehouses for ever. `hangup` is notified at SIGHUP.
    pub async fn run(mut self, hangup: Arc<Notify>) {
        let mut watch = Watch::begin(self.places());
        let mut ask_at = Instant::now() + self.ask_interval();
        let mut asked_at = Instant::now() - ASK_IN_DOUBT;
        let shared = Arc::clone(&self.shared);
        loop {
            tokio::select! {
                biased;
                () = hangup.notified() => {
                    tracing::info!("SIGHUP: catalog and policy are read again");
                    self.look(true).await;
                    watch.follow(self.places());
                }
                () = watch.changed() => {
                    if self.look(false).await {
                        watch.follow(self.places());
                    }
                }
                // At once, but for one who asks again and again.
                () = shared.doubts.notified() => ask_at = ask_at.min(asked_at + ASK_IN_DOUBT),
                () = shared.breaches_changed.notified() => self.judge_anew().await,
                () = tokio::time::sleep_until(ask_at) => {
                    self.ask().await;
                    asked_at = Instant::now();
                    ask_at = Instant::now() + self.ask_interval();
                }
            }
        }
    }

    fn places(&self) -> Places {
        candidate::places(&self.config, &self.sources.server, &self.started)
    }

    fn ask_interval(&self) -> Duration {
        if self.standing.load().unasked.is_empty() { ASK } else { ASK_AGAIN }
    }

    /// Reads the files, and swaps them in when they changed and are good. Returns whether they changed.
    async fn look(&mut self, asked_for: bool) -> bool {
        self.effects.looked();
        let result = candidate::read(&self.config).await;
        match result {
            Ok((sources, warnings)) => {
                let same = sources.texts == self.sources.texts
                    && sources.server == self.sources.server
                    && sources.policy == self.sources.policy;
                if same && !asked_for {
                    if self.problems.take().is_some() {
                        tracing::info!("the files are again as they serve");
                        self.stand(self.standing.load().unasked.clone());
                    }
                    return false;
                }
                self.try_swap(sources, warnings).await;
                true
            }
            Err(findings) => self.refuse(findings, asked_for),
        }
    }

    async fn try_swap(&mut self, sources: Sources, mut warnings: Diagnostics) {
        let (facts, unasked) = candidate::ask(&sources.server, &sources, &self.facts).await;
        let generation = self.shared.snapshot().generation() + 1;
        let breaches = self.shared.breaches.load_full();
        let built = candidate::build_anew(&sources, &facts, &breaches, Some(&self.sources), generation).await.and_then(
            |(snapshot, more)| {
                warnings.extend(more);
                let former = self.shared.pools.load();
                Ok((snapshot, open_pools(&sources.server, Some((&self.sources.server, &former)))?))
            },
        );
        let (snapshot, pools) = match built {
            Ok(built) => built,
            Err(findings) => {
                self.refuse(findings, true);
                return;
            }
        };
        if warnings != self.warnings {
            candidate::log_findings(&warnings);
            self.warnings = warnings;
        }
        // A product of the new catalog may lie in a warehouse that is new: pools first.
        let former = self.shared.pools.swap(Arc::new(pools));
        self.shared.snapshot.store(Arc::new(snapshot));
        let pools = self.shared.pools.load();
        for (name, pool) in former.iter() {
            let goes_on = self.sources.server.warehouses.get(name) == sources.server.warehouses.get(name)
                && self.sources.server.hash_key == sources.server.hash_key
                && pools.contains_key(name);
            if !goes_on {
                retire(pool.clone());
            }
        }
        drop(pools);
        self.shared.audit.reconfigure(&sources.server.audit);
        self.effects.applied(&sources.server);
        let waiting = candidate::waits_for_restart(&self.started, &sources.server);
        if !waiting.is_empty() {
            tracing::warn!(keys = waiting.join(", "), "changed in pgveil.toml, and in force only after a restart");
        }
        self.sources = sources;
        self.facts = facts;
        self.problems = None;
        self.misfits = None;
        self.stand(unasked);
        self.record(ReloadOutcome::Applied);
        tracing::info!(generation, products = self.sources.catalog.len(), "catalog and policy are reloaded");
        self.keep().await;
    }

    /// The former ones serve on. Returns whether this is news.
    fn refuse(&mut self, findings: Diagnostics, asked_for: bool) -> bool {
        if self.problems.as_ref() == Some(&findings) && !asked_for {
            return false;
        }
        candidate::log_findings(&findings);
        let errors = errors(&findings);
        let generation = self.shared.snapshot().generation();
        tracing::error!(errors, generation, "the files have errors: catalog and policy stay as they were");
        self.problems = Some(findings);
        self.record(ReloadOutcome::Refused);
        self.stand(self.standing.load().unasked.clone());
        true
    }

    /// Asks the warehouses; a changed relation makes a new snapshot. A product that no longer fits its relation is withheld:
    /// what was decided of it before may be wrong by now, and what the others need (a fence, say) cannot wait for it.
    async fn ask(&mut self) {
        let (facts, unasked) = candidate::ask(&self.sources.server, &self.sources, &self.facts).await;
        self.stand(unasked);
        if facts == self.facts {
            return;
        }
        for change in changes::between(&self.facts, &facts) {
            tracing::warn!("changed in the warehouse: {change}");
        }
        let generation = self.shared.snapshot().generation() + 1;
        match candidate::build_what_fits(&self.sources, &facts, &self.shared.breaches.load_full(), generation).await {
            Ok((snapshot, findings)) => {
                candidate::log_findings(&findings);
                self.shared.snapshot.store(Arc::new(snapshot));
                self.facts = facts;
                self.misfits = None;
                self.record(ReloadOutcome::FactsChanged);
                tracing::info!(generation, "relations of the warehouse have changed: statements are decided anew");
                self.keep().await;
            }
            Err(findings) if self.misfits.as_ref() == Some(&findings) => {}
            Err(findings) => {
                candidate::log_findings(&findings);
                let errors = errors(&findings);
                tracing::error!(errors, "relations of the warehouse have changed, and no catalog can be made of them");
                self.misfits = Some(findings);
            }
        }
    }

    /// A product has broken its contract, or keeps it again: statements over it are decided anew.
    async fn judge_anew(&mut self) {
        let generation = self.shared.snapshot().generation() + 1;
        let breaches = self.shared.breaches.load_full();
        match candidate::build_what_fits(&self.sources, &self.facts, &breaches, generation).await {
            Ok((snapshot, _)) => {
                self.shared.snapshot.store(Arc::new(snapshot));
                self.record(ReloadOutcome::ContractsJudged);
                self.keep().await;
            }
            // What was built of the same files and facts before is built again: only a change in between can prevent that.
            Err(findings) => candidate::log_findings(&findings),
        }
    }

    fn stand(&self, unasked: Unasked) {
        let before = self.standing.load();
        for (warehouse, reason) in &unasked {
            if !before.unasked.iter().any(|(name, _)| name == warehouse) {
                tracing::error!(%warehouse, %reason, "the warehouse cannot be asked what its relations look like");
            }
        }
        for (warehouse, _) in &before.unasked {
            if !unasked.iter().any(|(name, _)| name == warehouse) {
                tracing::info!(%warehouse, "the warehouse answers again");
            }
        }
        let errors = self.problems.as_ref().map_or(0, errors);
        self.standing.store(Arc::new(Standing { errors, unasked }));
    }

    fn record(&self, outcome: ReloadOutcome) {
        let snapshot = self.shared.snapshot();
        let errors = self.problems.as_ref().map_or(0, errors);
        self.shared.audit.event(&Event::Reload { outcome, generation: snapshot.generation(), errors });
        METRICS.reload(outcome.label());
        METRICS.generation.set(snapshot.generation() as f64);
        METRICS.products.set(snapshot.parts.catalog.len() as f64);
    }

    /// Keeps what serves for the next start.
    async fn keep(&self) {
        let generation = self.shared.snapshot().generation();
        let kept = async {
            self.store.save_last_good(generation, self.sources.texts.clone()).await?;
            self.store.save_facts(&self.facts).await
        };
        if let Err(error) = kept.await {
            tracing::error!(%error, "what serves cannot be kept for the next start");
        }
    }
}

/// Sessions go over to the new pool with their next message. What waits in the former one may go on.
fn retire(pool: Pool) {
    tokio::spawn(async move {
        tokio::time::sleep(pool.acquire_timeout() + RETIREMENT).await;
        pool.close();
    });
}

fn errors(findings: &Diagnostics) -> usize {
    findings.iter().filter(|finding| finding.level == Level::Error).count()
}

#[cfg(test)]
mod tests;
