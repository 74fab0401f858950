//! Runs every product when it is due: on the one node that leads, never twice at once for a product, on a thread of its own.
//! What the runs find is kept, recorded, counted, and given to the engine.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval};

use crate::audit::{ContractOutcome, Event};
use crate::catalog::Product;
use crate::config::ServerConfig;
use crate::govern::breach::{Breach, Breaches};
use crate::metrics::METRICS;
use crate::names::ProductId;
use crate::state::Store;
use crate::statement::{Shared, Shutdown, today};

use super::custom::Domains;
use super::history;
use super::run::Validator;
use super::schedule::Rhythm;
use super::score::{self, product_score};
use super::standing;
use super::validation::Validation;
use super::webhook::{Message, Webhook};

/// How often it is looked at what is due …
const TICK: Duration = Duration::from_secs(1);
/// … who leads …
const LEAD: Duration = Duration::from_secs(5);
/// … and, where another node leads, what it has found.
const FOLLOW: Duration = Duration::from_secs(15);
/// How often old runs are forgotten.
const FORGET: Duration = Duration::from_secs(3_600);
/// When a product runs again whose warehouse could not be asked.
const RETRY: SignedDuration = SignedDuration::from_secs(60);

/// Keeps contracts for as long as pgveil serves.
pub struct Keeper {
    shared: Arc<Shared>,
    store: Store,
    config: watch::Receiver<Arc<ServerConfig>>,
    validator: Arc<Validator>,
    domains: Option<Arc<Domains>>,
    /// Of the snapshot that `due` was made of.
    generation: u64,
    due: BTreeMap<ProductId, Due>,
    running: BTreeSet<ProductId>,
    /// The last run of each product.
    latest: BTreeMap<ProductId, Validation>,
    leads: bool,
    webhook: Option<Webhook>,
}

/// When a product runs next.
struct Due {
    product: Arc<Product>,
    rhythm: Rhythm,
    at: Timestamp,
}

/// What has to be done, and when it was done last.
struct Chores {
    lead: Option<Instant>,
    follow: Option<Instant>,
    forget: Option<Instant>,
}

/// Whether it is time again.
fn is_time(last: &mut Option<Instant>, every: Duration) -> bool {
    let due = last.is_none_or(|last| last.elapsed() >= every);
    if due {
        *last = Some(Instant::now());
    }
    due
}

impl Keeper {
    /// Over what serves. `config` changes with each reload.
    pub fn new(shared: Arc<Shared>, store: Store, config: watch::Receiver<Arc<ServerConfig>>) -> Self {
        let validator = validator(&config.borrow());
        Self {
            shared,
            store,
            config,
            validator,
            domains: None,
            generation: 0,
            due: BTreeMap::new(),
            running: BTreeSet::new(),
            latest: BTreeMap::new(),
            leads: false,
            webhook: None,
        }
    }

    /// Runs until pgveil stops; what is unfinished then is given up.
    pub async fn run(mut self) {
        let mut shutdown = self.shared.shutdown.clone();
        let mut runs: JoinSet<(Arc<Product>, Validation)> = JoinSet::new();
        let mut tick = interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut chores = Chores { lead: None, follow: None, forget: None };
        self.webhook = Some(Webhook::begin(self.config.clone()));
        self.read_latest().await;
        loop {
            tokio::select! {
                _ = shutdown.wait_for(|state| *state >= Shutdown::Draining) => return,
                Some(ended) = runs.join_next() => {
                    match ended {
                        // One that ended while this node lost the lead is another node's business.
                        Ok((product, validation)) if self.running.contains(&product.id) => {
                            self.ended(&product, validation).await;
                        }
                        Ok(_) => {}
                        Err(error) if error.is_cancelled() => {}
                        // Nobody knows whose it was: all are looked at anew.
                        Err(error) => {
                            tracing::error!(%error, "a run of the checks was given up");
                            runs.abort_all();
                            self.running.clear();
                        }
                    }
                }
                _ = tick.tick() => self.look(&mut runs, &mut chores).await,
            }
        }
    }

    async fn look(&mut self, runs: &mut JoinSet<(Arc<Product>, Validation)>, chores: &mut Chores) {
        if self.config.has_changed().unwrap_or(false) {
            let config = Arc::clone(&self.config.borrow_and_update());
            self.validator = validator(&config);
            self.generation = 0;
        }
        if is_time(&mut chores.lead, LEAD) {
            self.ask_who_leads().await;
            if !self.leads && !self.running.is_empty() {
                // Another node may begin the same runs now.
                runs.abort_all();
                self.running.clear();
            }
        }
        self.plan();
        if !self.leads {
            if is_time(&mut chores.follow, FOLLOW) {
                self.read_latest().await;
            }
            return;
        }
        if is_time(&mut chores.forget, FORGET) {
            self.forget().await;
        }
        self.begin(runs);
    }

    async fn ask_who_leads(&mut self) {
        let leads = self.store.leads().await.unwrap_or_else(|error| {
            tracing::warn!(%error, "no checks run here while the state store does not say who leads");
            false
        });
        if leads && !self.leads {
            self.read_latest().await;
            // What another node has run in the meantime is not due here.
            self.generation = 0;
            self.due.clear();
            tracing::info!("this node runs the checks of data products");
        }
        self.leads = leads;
        METRICS.contract_leader.set(if leads { 1.0 } else { 0.0 });
    }

    /// Follows the snapshot that serves: new and changed products are due soon.
    fn plan(&mut self) {
        let snapshot = self.shared.snapshot();
        if snapshot.generation() == self.generation {
            return;
        }
        self.generation = snapshot.generation();
        self.domains = None;
        let (now, today, default) = (Timestamp::now(), today(), self.config.borrow().contracts.interval);
        let mut due = BTreeMap::new();
        for product in snapshot.parts.catalog.iter().filter(|product| product.is_current(today)) {
            let rhythm = Rhythm::of(product, default);
            let before = self.due.get(&product.id).filter(|due| due.product.digest == product.digest);
            let at = match before {
                Some(before) => before.at.min(rhythm.next(&product.id, now)),
                None => {
                    let last = self.latest.get(&product.id).filter(|run| run.digest == product.digest);
                    rhythm.first(&product.id, last.map(|run| run.started_at), now)
                }
            };
            due.insert(product.id.clone(), Due { product: Arc::clone(product), rhythm, at });
        }
        self.due = due;
        self.publish();
    }

    fn begin(&mut self, runs: &mut JoinSet<(Arc<Product>, Validation)>) {
        let now = Timestamp::now();
        let ready = self.due.values().filter(|due| due.at <= now && !self.running.contains(&due.product.id));
        let ready: Vec<Arc<Product>> = ready.map(|due| Arc::clone(&due.product)).collect();
        for product in ready {
            let domains = self.domains.get_or_insert_with(|| {
                let snapshot = self.shared.snapshot();
                Arc::new(Domains::new(snapshot.parts.clone()))
            });
            self.running.insert(product.id.clone());
            let (validator, domains) = (Arc::clone(&self.validator), Arc::clone(domains));
            runs.spawn(async move {
                let validation = validator.validate(&product, &domains).await;
                (product, validation)
            });
        }
    }

    async fn ended(&mut self, product: &Product, mut validation: Validation) {
        self.running.remove(&product.id);
        let now = Timestamp::now();
        if let Some(due) = self.due.get_mut(&product.id) {
            let soon = now.checked_add(RETRY).unwrap_or(Timestamp::MAX);
            let next = due.rhythm.next(&product.id, now);
            due.at = if validation.reached { next } else { next.min(soon) };
            if due.product.digest != product.digest {
                // What has run is not what serves any more.
                due.at = now;
            }
        }
        let before = self.latest.get(&product.id).and_then(|run| run.breach.clone());
        validation.breach = standing::of(product, &validation, before.as_ref());
        if let Err(error) = history::keep(&self.store, &validation).await {
            tracing::error!(product = %product.id, %error, "a run of the checks cannot be kept");
        }
        self.tell(product, &validation, before.as_ref());
        self.latest.insert(product.id.clone(), validation);
        self.publish();
        match history::last(&self.store, &product.id, score::RUNS).await {
            Ok(runs) => METRICS.product_score(&product.id.to_string(), product_score(&runs)),
            Err(error) => tracing::warn!(product = %product.id, %error, "the score of a product cannot be read"),
        }
    }

    /// Every run is recorded; a breach and its end are told once.
    fn tell(&self, product: &Product, validation: &Validation, before: Option<&Breach>) {
        let failed: Vec<String> = validation.broken().map(|check| check.name.clone()).collect();
        let outcome = match (before, &validation.breach) {
            (None, Some(_)) => ContractOutcome::Breached,
            (Some(_), None) => ContractOutcome::Recovered,
            _ if !validation.reached => ContractOutcome::Unreached,
            _ if validation.passed => ContractOutcome::Passed,
            _ => ContractOutcome::Failed,
        };
        let (id, generation) = (&product.id, self.generation);
        self.shared.audit.event(&Event::Contract { product: id, outcome, failed: &failed, generation });
        METRICS.contract_run(outcome.label(), Duration::from_millis(validation.duration_ms));
        METRICS.product_breached(&id.to_string(), validation.breach.is_some());
        let (team, contact) = (&product.owner.team, &product.owner.contact);
        if let (ContractOutcome::Breached | ContractOutcome::Recovered, Some(webhook)) = (outcome, &self.webhook) {
            webhook.send(Message::new(product, validation.breach.as_ref()));
        }
        match (outcome, &validation.breach) {
            (ContractOutcome::Breached, Some(breach)) => {
                tracing::warn!(product = %id, %team, %contact, "data product {id} {}", breach.told());
            }
            (ContractOutcome::Recovered, _) => {
                tracing::info!(product = %id, %team, %contact, "data product {id} keeps its contract again");
            }
            _ => tracing::debug!(product = %id, outcome = outcome.label(), "its checks have run"),
        }
    }

    /// What the engine decides with. A product that is not run any more is in no breach.
    fn publish(&self) {
        let breaches: Breaches = self
            .latest
            .values()
            .filter(|run| self.due.contains_key(&run.product))
            .filter_map(|run| Some((run.product.clone(), run.breach.clone()?)))
            .collect();
        if **self.shared.breaches.load() != breaches {
            self.shared.breaches.store(Arc::new(breaches));
            self.shared.breaches_changed.notify_one();
        }
    }

    async fn read_latest(&mut self) {
        match history::latest(&self.store).await {
            Ok(latest) => self.latest = latest.into_iter().map(|run| (run.product.clone(), run)).collect(),
            Err(error) => tracing::warn!(%error, "the last runs of the checks cannot be read"),
        }
        if !self.due.is_empty() {
            self.publish();
        }
    }

    async fn forget(&self) {
        let keep = SignedDuration::try_from(self.config.borrow().contracts.keep).unwrap_or(SignedDuration::MAX);
        let Ok(before) = Timestamp::now().checked_sub(keep) else { return };
        if let Err(error) = history::forget(&self.store, before).await {
            tracing::warn!(%error, "old runs of the checks cannot be forgotten");
        }
    }
}

fn validator(config: &ServerConfig) -> Arc<Validator> {
    Arc::new(Validator::new(&config.warehouses, config.contracts.connections, config.contracts.timeout))
}
