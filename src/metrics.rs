//! Every metric: its name, its unit and its meaning, in one place.
//!
//! What is counted for each statement has a handle of its own in [`METRICS`], made once; what has a label that is known only
//! at run time (a warehouse, a denial's reason) is looked up by name through the functions below.

use std::sync::LazyLock;
use std::time::Duration;

use ::metrics::{
    Counter, Gauge, Histogram, Unit, counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram,
};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};

use crate::error::ErrorKind;

/// The metrics of this process.
pub static METRICS: LazyLock<Metrics> = LazyLock::new(Metrics::install);

/// Upper bounds, in seconds: from a cached decision (1 µs) to the longest statements.
const BUCKETS: &[f64] = &[
    0.000_001,
    0.000_002_5,
    0.000_005,
    0.000_01,
    0.000_025,
    0.000_05,
    0.000_1,
    0.000_25,
    0.000_5,
    0.001,
    0.002_5,
    0.005,
    0.01,
    0.025,
    0.05,
    0.1,
    0.25,
    0.5,
    1.0,
    2.5,
    5.0,
    10.0,
    30.0,
    60.0,
    300.0,
];

/// Handles of everything that has no label known only at run time.
pub struct Metrics {
    exporter: PrometheusHandle,
    /// Statements that were allowed.
    pub allowed: Counter,
    /// Rows sent to clients.
    pub rows: Counter,
    /// Bytes of those rows.
    pub bytes: Counter,
    /// Parse to permit.
    pub engine: Histogram,
    /// Waiting for `max_concurrent`, and for a connection to the warehouse.
    pub queue: Histogram,
    /// Sent to the warehouse until its last byte.
    pub warehouse: Histogram,
    /// The client's message until its answer is complete.
    pub statement: Histogram,
    /// Decisions found in the cache.
    pub cache_hits: Counter,
    /// Decisions made anew.
    pub cache_misses: Counter,
    /// Of the snapshot that serves.
    pub generation: Gauge,
    /// Products of the snapshot that serves.
    pub products: Gauge,
    /// Clients that are logged in.
    pub sessions: Gauge,
    /// Clients that have logged in.
    pub sessions_started: Counter,
    /// 1: this node runs the checks of data products.
    pub contract_leader: Gauge,
    /// Records written.
    pub audit_records: Counter,
    /// Batches that could not be written.
    pub audit_failures: Counter,
    /// Statements refused for that.
    pub audit_refused: Counter,
    /// Statements that ran unrecorded (`on_failure = "allow"`).
    pub audit_unrecorded: Counter,
    /// Outcomes and events that were given up because too many waited.
    pub audit_lost: Counter,
    /// Records that wait to be written.
    pub audit_pending: Gauge,
    /// How long the oldest of them has been waiting.
    pub audit_lag: Gauge,
}

impl Metrics {
    fn install() -> Self {
        let recorder = PrometheusBuilder::new()
            .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), BUCKETS)
            .unwrap_or_else(|_| PrometheusBuilder::new())
            .build_recorder();
        let exporter = recorder.handle();
        if ::metrics::set_global_recorder(recorder).is_err() {
            tracing::warn!("metrics are collected by another recorder; /metrics stays empty");
        }
        describe();
        gauge!("pgveil_build_info", "version" => env!("CARGO_PKG_VERSION")).set(1.0);
        Self {
            exporter,
            allowed: counter!("pgveil_statements_total", "decision" => "allow", "reason" => ""),
            rows: counter!("pgveil_rows_total"),
            bytes: counter!("pgveil_row_bytes_total"),
            engine: histogram!("pgveil_engine_seconds"),
            queue: histogram!("pgveil_queue_seconds"),
            warehouse: histogram!("pgveil_warehouse_seconds"),
            statement: histogram!("pgveil_statement_seconds"),
            cache_hits: counter!("pgveil_decision_cache_total", "result" => "hit"),
            cache_misses: counter!("pgveil_decision_cache_total", "result" => "miss"),
            generation: gauge!("pgveil_generation"),
            products: gauge!("pgveil_products"),
            sessions: gauge!("pgveil_sessions"),
            sessions_started: counter!("pgveil_sessions_started_total"),
            contract_leader: gauge!("pgveil_contract_leader"),
            audit_records: counter!("pgveil_audit_records_total"),
            audit_failures: counter!("pgveil_audit_failures_total"),
            audit_refused: counter!("pgveil_audit_refused_total"),
            audit_unrecorded: counter!("pgveil_audit_unrecorded_total"),
            audit_lost: counter!("pgveil_audit_lost_total"),
            audit_pending: gauge!("pgveil_audit_pending_records"),
            audit_lag: gauge!("pgveil_audit_lag_seconds"),
        }
    }

    /// A statement was denied, for this short, stable reason.
    pub fn denied(&self, reason: &'static str) {
        counter!("pgveil_statements_total", "decision" => "deny", "reason" => reason).increment(1);
    }

    /// A client was sent an error.
    pub fn error(&self, kind: ErrorKind) {
        counter!("pgveil_errors_total", "kind" => kind.label()).increment(1);
    }

    /// A client could not be authenticated.
    pub fn auth_failure(&self, reason: &'static str) {
        counter!("pgveil_auth_failures_total", "reason" => reason).increment(1);
    }

    /// The two parsers, or the tree and its print, did not agree; `check` is `fingerprint`, `summary` or `reparse`.
    pub fn parser_disagreement(&self, check: &'static str) {
        counter!("pgveil_parser_disagreements_total", "check" => check).increment(1);
    }

    /// Catalog and policy were read.
    pub fn reload(&self, outcome: &'static str) {
        counter!("pgveil_reloads_total", "outcome" => outcome).increment(1);
    }

    /// The checks of a product have run.
    pub fn contract_run(&self, outcome: &'static str, took: Duration) {
        counter!("pgveil_contract_runs_total", "outcome" => outcome).increment(1);
        histogram!("pgveil_contract_run_seconds").record(took.as_secs_f64());
    }

    /// A message to the webhook: delivered, an attempt that failed, or lost.
    pub fn webhook(&self, outcome: &'static str) {
        counter!("pgveil_webhook_messages_total", "outcome" => outcome).increment(1);
    }

    /// Whether a product breaks its contract.
    pub fn product_breached(&self, product: &str, breached: bool) {
        gauge!("pgveil_product_breached", "product" => product.to_owned()).set(if breached { 1.0 } else { 0.0 });
    }

    /// The quality score of a product, when it has one.
    pub fn product_score(&self, product: &str, score: Option<u8>) {
        if let Some(score) = score {
            gauge!("pgveil_product_quality_score", "product" => product.to_owned()).set(f64::from(score));
        }
    }

    /// The state of a warehouse's pool.
    pub fn pool(&self, warehouse: &str, idle: usize, leased: usize, waiting: usize, up: bool) {
        let warehouse = warehouse.to_owned();
        gauge!("pgveil_pool_connections", "warehouse" => warehouse.clone(), "state" => "idle").set(idle as f64);
        gauge!("pgveil_pool_connections", "warehouse" => warehouse.clone(), "state" => "leased").set(leased as f64);
        gauge!("pgveil_pool_waiting", "warehouse" => warehouse.clone()).set(waiting as f64);
        gauge!("pgveil_warehouse_up", "warehouse" => warehouse).set(if up { 1.0 } else { 0.0 });
    }

    /// The state of the audit log.
    pub fn audit(&self, pending: usize, lag: Duration) {
        self.audit_pending.set(pending as f64);
        self.audit_lag.set(lag.as_secs_f64());
    }

    /// Everything in Prometheus' text format.
    pub fn render(&self) -> String {
        self.exporter.render()
    }

    /// Folds the samples of histograms into their buckets; to be called every few seconds when nobody asks for `/metrics`.
    pub fn fold(&self) {
        self.exporter.run_upkeep();
    }
}

fn describe() {
    use Unit::{Bytes, Count, Seconds};
    for (name, unit, meaning) in [
        ("pgveil_statements_total", Count, "Statements by decision (allow, deny) and the reason of a denial"),
        ("pgveil_rows_total", Count, "Rows sent to clients"),
        ("pgveil_row_bytes_total", Bytes, "Bytes of the rows sent to clients"),
        ("pgveil_decision_cache_total", Count, "Decisions by result (hit: found in the cache, miss: made anew)"),
        ("pgveil_sessions_started_total", Count, "Clients that have logged in"),
        ("pgveil_auth_failures_total", Count, "Clients that could not be authenticated, by reason"),
        ("pgveil_errors_total", Count, "Errors sent to clients, by who can do something about them"),
        ("pgveil_parser_disagreements_total", Count, "Statements denied because two readings of them differ, by check"),
        (
            "pgveil_reloads_total",
            Count,
            "Readings of catalog and policy by outcome (started, applied, refused, last_good, facts_changed, contracts_judged)",
        ),
        (
            "pgveil_contract_runs_total",
            Count,
            "Runs of a product's checks by outcome (passed, failed, breached, recovered, unreached)",
        ),
        (
            "pgveil_webhook_messages_total",
            Count,
            "Messages to the webhook by outcome (delivered, failed: one attempt, lost)",
        ),
        ("pgveil_audit_records_total", Count, "Audit records written"),
        ("pgveil_audit_failures_total", Count, "Batches of audit records that could not be written"),
        ("pgveil_audit_refused_total", Count, "Statements refused because their record could not be written"),
        ("pgveil_audit_unrecorded_total", Count, "Statements that ran without a record (on_failure = \"allow\")"),
        ("pgveil_audit_lost_total", Count, "Outcomes and events given up because too many waited for the disk"),
    ] {
        describe_counter!(name, unit, meaning);
    }
    for (name, unit, meaning) in [
        ("pgveil_build_info", Count, "Always 1; the label is pgveil's version"),
        ("pgveil_generation", Count, "Generation of the catalog and policy that serve"),
        ("pgveil_products", Count, "Data products in the catalog that serves"),
        ("pgveil_sessions", Count, "Clients that are logged in"),
        ("pgveil_pool_connections", Count, "Connections to a warehouse by state (idle, leased)"),
        ("pgveil_pool_waiting", Count, "Statements that wait for a connection to a warehouse"),
        ("pgveil_warehouse_up", Count, "1: the warehouse answered when it was last asked"),
        ("pgveil_contract_leader", Count, "1: this node runs the checks of data products"),
        (
            "pgveil_product_breached",
            Count,
            "1: the product is staler than promised, or a check of severity error fails",
        ),
        ("pgveil_product_quality_score", Count, "Quality of a product by its last runs, 0 to 100"),
        ("pgveil_audit_pending_records", Count, "Audit records that wait to be written"),
        ("pgveil_audit_lag_seconds", Seconds, "How long the oldest of them has been waiting"),
    ] {
        describe_gauge!(name, unit, meaning);
    }
    for (name, meaning) in [
        ("pgveil_engine_seconds", "From a statement's text to its permit or denial, cached decisions included"),
        ("pgveil_queue_seconds", "Waiting for max_concurrent and for a connection to the warehouse"),
        ("pgveil_warehouse_seconds", "From sending a statement to the warehouse to its last byte"),
        ("pgveil_contract_run_seconds", "One run of a product's checks"),
        ("pgveil_statement_seconds", "From a client's message to the end of its answer"),
    ] {
        describe_histogram!(name, Seconds, meaning);
    }
}
