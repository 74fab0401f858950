//! Whether statements can be served, and the gauges.

use std::sync::Arc;

use arc_swap::ArcSwap;

use crate::http::{Probe, Readiness};
use crate::metrics::METRICS;
use crate::reload::Standing;
use crate::statement::Shared;
use crate::upstream::Health as PoolHealth;

/// Looks at what all sessions share.
pub(super) struct Health {
    shared: Arc<Shared>,
    standing: Arc<ArcSwap<Standing>>,
}

impl Health {
    pub(super) fn new(shared: Arc<Shared>, standing: Arc<ArcSwap<Standing>>) -> Self {
        Self { shared, standing }
    }
}

impl Probe for Health {
    fn readiness(&self) -> Readiness {
        let snapshot = self.shared.snapshot();
        let standing = self.standing.load();
        let mut reasons = Vec::new();
        for (warehouse, pool) in self.shared.pools.load().iter() {
            let unasked = standing.unasked.iter().find(|(name, _)| name == warehouse);
            match (pool.health(), unasked) {
                (PoolHealth::Down(outage), _) => reasons.push(format!(
                    "the warehouse \"{warehouse}\" cannot be reached since {}: {}",
                    outage.since, outage.reason
                )),
                (PoolHealth::Unknown | PoolHealth::Up, Some((_, reason))) => {
                    reasons.push(format!("the warehouse \"{warehouse}\" does not answer: {reason}"));
                }
                (PoolHealth::Unknown | PoolHealth::Up, None) => {}
            }
        }
        if self.shared.audit.health().is_err() {
            reasons.push("the audit log cannot be written; pgveil's log says why".to_owned());
        }
        let mut warnings = Vec::new();
        if standing.errors > 0 {
            let errors = match standing.errors {
                1 => "1 error".to_owned(),
                n => format!("{n} errors"),
            };
            warnings.push(format!("the configuration files have {errors}; what was good before serves"));
        }
        warnings.extend(snapshot.unavailable().map(|(_, error)| error.message.clone()));
        Readiness {
            ready: reasons.is_empty(),
            reasons,
            warnings,
            generation: snapshot.generation(),
            products: snapshot.parts.catalog.len(),
        }
    }

    fn sample(&self) {
        let (pending, lag) = self.shared.audit.lag();
        METRICS.audit(pending, lag);
        for (warehouse, pool) in self.shared.pools.load().iter() {
            let stats = pool.stats();
            let up = !matches!(pool.health(), PoolHealth::Down(_));
            METRICS.pool(warehouse.as_str(), stats.idle, stats.leased, stats.waiting, up);
        }
    }
}
