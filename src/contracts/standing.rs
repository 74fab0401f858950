//! Whether a product keeps its contract, by its last run.

use std::time::Duration;

use crate::catalog::Product;
use crate::govern::breach::{Breach, Breaches, Staleness};
use crate::state::{StateError, Store};

use super::validation::Validation;

/// What the run says of the product; `before` is what was known, for a run that did not reach the warehouse.
pub(super) fn of(product: &Product, validation: &Validation, before: Option<&Breach>) -> Option<Breach> {
    if !validation.reached {
        return before.cloned();
    }
    let promised = product.sla.freshness;
    let age = validation.stale_seconds.map(Duration::from_secs);
    let stale = promised.zip(age).filter(|(most, age)| age > most).map(|(most, age)| Staleness::new(age, most));
    let failed = validation.broken().map(|check| check.name.clone()).collect();
    Some(Breach { stale, failed }).filter(|breach| !breach.is_none())
}

/// What is known from before a start.
pub async fn kept(store: &Store) -> Result<Breaches, StateError> {
    let latest = super::history::latest(store).await?;
    Ok(latest.into_iter().filter_map(|run| Some((run.product, run.breach?))).collect())
}
