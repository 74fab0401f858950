//! Everything that a decision depends on besides the statement and the subject: catalog, policy, warehouse facts, with
//! masks and filters parsed. Built and validated whole, then swapped.

use std::collections::{BTreeMap, BTreeSet};

use crate::catalog::{Catalog, withhold};
use crate::config::Policy;
use crate::error::{ClientError, Diagnostics};
use crate::names::{ProductId, WarehouseName};

use super::breach::Breaches;
use super::cache::DecisionCache;
use crate::introspect::{Oids, Overlays};

use super::facts::{Facts, TypeKind};
use super::view::{Compiled, ViewCache};
use super::visible::SeenCache;

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
    /// Products that do not keep their contracts.
    pub breaches: Breaches,
    /// `[catalog] on_error = "quarantine"`: an invalid product is withheld, and no error.
    pub quarantine: bool,
}

/// The parts, validated against each other, with everything compiled that a decision needs.
#[derive(Debug)]
pub struct Snapshot {
    /// What it was built from.
    pub parts: SnapshotParts,
    compiled: BTreeMap<ProductId, Compiled>,
    exposed: BTreeMap<WarehouseName, Vec<ExposedType>>,
    functions: BTreeSet<String>,
    overlays: BTreeMap<WarehouseName, Overlays>,
    pub(in crate::govern) oids: Oids,
    pub(in crate::govern) views: ViewCache,
    pub(in crate::govern) seen: SeenCache,
    decisions: DecisionCache,
}

/// A type outside `pg_catalog` that a column of some contract has: an enum, or the base type of an extension.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ExposedType {
    /// Its schema.
    pub schema: String,
    /// `typname`.
    pub name: String,
    /// Its OID.
    pub oid: u32,
}

impl Snapshot {
    /// Builds and validates the whole. All errors come at once; facts that are missing are none: their products answer
    /// 57P03 until they are known.
    pub fn build(mut parts: SnapshotParts) -> Result<(Self, Diagnostics), Diagnostics> {
        let mut findings = Diagnostics::default();
        let mut compiled: BTreeMap<ProductId, Compiled> = BTreeMap::new();
        for product in parts.catalog.iter() {
            let mut found = Diagnostics::default();
            let product_compiled = Compiled::new(product, &parts, &mut found);
            if parts.quarantine && found.has_errors() {
                withhold(&product.file, &format!("the product {}", product.id), found, &mut findings);
                continue;
            }
            findings.extend(found);
            compiled.insert(product.id.clone(), product_compiled);
        }
        if compiled.len() < parts.catalog.len() {
            let valid = parts.catalog.iter().filter(|product| compiled.contains_key(&product.id)).cloned();
            parts.catalog = Catalog::new(valid.collect::<Vec<_>>());
        }
        if findings.has_errors() {
            return Err(findings);
        }
        let exposed = exposed_types(&parts);
        let functions = parts.policy.functions.iter().cloned().collect();
        let system = parts.facts.system.iter();
        let overlays = system.map(|(warehouse, relations)| (warehouse.clone(), Overlays::build(relations))).collect();
        let oids = super::visible::oids(&parts);
        let snapshot = Self {
            overlays,
            oids,
            seen: SeenCache::default(),
            parts,
            compiled,
            exposed,
            functions,
            views: ViewCache::default(),
            decisions: DecisionCache::default(),
        };
        Ok((snapshot, findings))
    }

    /// Rises with every swap.
    pub fn generation(&self) -> u64 {
        self.parts.generation
    }
    /// What is configured of the warehouse.
    pub fn warehouse_rules(&self, warehouse: &WarehouseName) -> &WarehouseRules {
        const PLAIN: &WarehouseRules = &WarehouseRules { extension_schemas: Vec::new() };
        self.parts.warehouses.get(warehouse).unwrap_or(PLAIN)
    }
    /// Types outside `pg_catalog` that a statement for this warehouse may name.
    pub fn exposed_types(&self, warehouse: &WarehouseName) -> impl Iterator<Item = &ExposedType> {
        self.exposed.get(warehouse).into_iter().flatten()
    }
    /// `SCHEMA.FUNCTION` of the warehouse's own functions that policy allows.
    pub fn allowed_functions(&self) -> &BTreeSet<String> {
        &self.functions
    }
    /// Decisions of this generation.
    pub fn decisions(&self) -> &DecisionCache {
        &self.decisions
    }
    /// Products that cannot be served as their relations are, and why.
    pub fn unavailable(&self) -> impl Iterator<Item = (&ProductId, &ClientError)> {
        self.compiled.iter().filter_map(|(id, compiled)| match compiled {
            Compiled::Ready(_) => None,
            Compiled::Unavailable(error) => Some((id, error)),
        })
    }
    /// The system relations that are governed; `None`: nothing is known of the warehouse's catalogs.
    pub fn overlays(&self, warehouse: &WarehouseName) -> Option<&Overlays> {
        self.overlays.get(warehouse).filter(|overlays| !overlays.is_empty())
    }
    pub(in crate::govern) fn compiled(&self, id: &ProductId) -> Option<&Compiled> {
        self.compiled.get(id)
    }
}

fn exposed_types(parts: &SnapshotParts) -> BTreeMap<WarehouseName, Vec<ExposedType>> {
    let mut exposed: BTreeMap<WarehouseName, BTreeSet<ExposedType>> = BTreeMap::new();
    for product in parts.catalog.iter() {
        let Some(relation) = parts.facts.get(&product.warehouse, &product.relation) else { continue };
        for column in product.columns.iter().filter_map(|column| relation.column(&column.name)) {
            // A domain's checks are code of the warehouse; an array's element has no name in the facts.
            let nameable = matches!(column.type_kind, TypeKind::Enum | TypeKind::Base);
            if nameable && column.type_schema != "pg_catalog" {
                exposed.entry(product.warehouse.clone()).or_default().insert(ExposedType {
                    schema: column.type_schema.clone(),
                    name: column.type_name.clone(),
                    oid: column.type_oid,
                });
            }
        }
    }
    exposed.into_iter().map(|(warehouse, types)| (warehouse, types.into_iter().collect())).collect()
}
