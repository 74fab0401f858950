//! Runs, kept and read back.

use jiff::Timestamp;

use crate::names::ProductId;
use crate::state::{KeptRun, StateError, Store};

use super::validation::Validation;

/// Keeps a run.
pub(super) async fn keep(store: &Store, validation: &Validation) -> Result<(), StateError> {
    let document = serde_json::to_string(validation).unwrap_or_default();
    store
        .save_run(KeptRun {
            product: validation.product.clone(),
            started_at: validation.started_at,
            passed: validation.passed,
            rows: validation.rows,
            stale_seconds: validation.stale_seconds,
            document,
        })
        .await
}

/// The last runs of a product, the latest first. What another version wrote in a form of its own is left out.
pub async fn last(store: &Store, product: &ProductId, most: usize) -> Result<Vec<Validation>, StateError> {
    Ok(store.runs(product, most).await?.iter().filter_map(read).collect())
}

/// The last run of every product.
pub async fn latest(store: &Store) -> Result<Vec<Validation>, StateError> {
    Ok(store.latest_runs().await?.iter().filter_map(read).collect())
}

pub(super) async fn forget(store: &Store, before: Timestamp) -> Result<(), StateError> {
    store.forget_runs(before).await
}

fn read(run: &KeptRun) -> Option<Validation> {
    serde_json::from_str(&run.document).ok()
}
