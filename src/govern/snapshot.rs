//! Everything that a decision depends on besides the statement and the subject: catalog, policy, warehouse facts, with
//! masks and filters parsed. Built and validated whole, then swapped.

use std::collections::BTreeMap;

use crate::catalog::Catalog;
use crate::config::Policy;
use crate::names::WarehouseName;

use super::facts::Facts;

/// What the engine needs to know of a warehouse's configuration.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WarehouseRules {
    /// Schemas of extensions that are on the upstream search_path behind pg_catalog.
    pub extension_schemas: Vec<String>,
}

/// The parts that a snapshot is built from.
#[derive(Clone, Debug, Default)]
pub struct SnapshotParts {
    /// Rises with every swap.
    pub generation: u64,
    /// The products.
    pub catalog: Catalog,
    /// The policy.
    pub policy: Policy,
    /// What the real relations look like.
    pub facts: Facts,
    /// By warehouse.
    pub warehouses: BTreeMap<WarehouseName, WarehouseRules>,
    /// Whether `[masking] hash_key` is set.
    pub has_hash_key: bool,
}

/// The parts, validated against each other, with everything compiled that a decision needs.
#[derive(Debug)]
pub struct Snapshot {
    /// What it was built from.
    pub parts: SnapshotParts,
}
