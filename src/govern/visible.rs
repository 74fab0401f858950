//! What a subject may query, as the system catalogs show it.

use std::collections::BTreeMap;
use std::sync::Arc;

use dashmap::DashMap;
use jiff::civil::Date;

use crate::catalog::{Product, Status};
use crate::introspect::{Maps, Oids, Session, ShownColumn, ShownKey, ShownProduct, ShownSchema, Visible};
use crate::names::WarehouseName;

use super::snapshot::{Snapshot, SnapshotParts};
use super::subject::Subject;

/// By who asks, where and when.
pub(in crate::govern) type SeenCache = DashMap<(WarehouseName, Subject, Date), Arc<Seen>>;

/// A flood of users must not fill the memory.
const MAX_SEEN: usize = 100;

/// The OIDs of everything that the catalogs may show.
pub(in crate::govern) fn oids(parts: &SnapshotParts) -> Oids {
    let of_products = parts.catalog.iter().map(|product| Oids::product(&product.id.to_string()));
    let schemas = parts.catalog.iter().map(|product| Oids::schema(product.client_schema()));
    let own = OWN_SCHEMAS.iter().map(|(name, _)| Oids::schema(name));
    let roles = parts.policy.users.keys().map(|user| Oids::role(user.as_str()));
    let databases = parts.catalog.iter().map(|product| &product.warehouse).chain(parts.warehouses.keys());
    let databases = databases.map(|warehouse| Oids::database(warehouse.as_str()));
    Oids::assign(of_products.chain(schemas).chain(own).chain(roles).chain(databases))
}

/// Schemas that are there whoever asks.
const OWN_SCHEMAS: [(&str, &str); 2] = [
    ("public", "empty: each data product lies in the schema of its domain"),
    ("pgveil", "the catalog of data products as relations"),
];

/// What a subject may see, with the maps that say it.
#[derive(Debug)]
pub struct Seen {
    /// What it is.
    pub visible: Visible,
    /// The maps.
    pub maps: Maps,
}

impl Snapshot {
    /// What the catalogs show the subject.
    pub fn seen(&self, subject: &Subject, warehouse: &WarehouseName, today: Date) -> Arc<Seen> {
        let key = (warehouse.clone(), subject.clone(), today);
        if let Some(seen) = self.seen.get(&key) {
            return Arc::clone(&seen);
        }
        let visible = self.shown_to(subject, warehouse, today);
        let seen = Arc::new(Seen { maps: visible.maps(), visible });
        if self.seen.len() >= MAX_SEEN {
            self.seen.clear();
        }
        self.seen.insert(key, Arc::clone(&seen));
        seen
    }

    fn shown_to(&self, subject: &Subject, warehouse: &WarehouseName, today: Date) -> Visible {
        let oid = |key: String| self.oids.of(&key).unwrap_or_default();
        let (mut products, mut types) = (Vec::new(), BTreeMap::new());
        for product in self.visible_products(subject, warehouse, today) {
            products.extend(self.shown(subject, product, &mut types));
        }
        let mut schemas: Vec<ShownSchema> = OWN_SCHEMAS
            .iter()
            .map(|(name, description)| ((*name).to_owned(), (*description).to_owned()))
            .chain(
                products
                    .iter()
                    .map(|product| (product.schema.clone(), format!("data products of the domain {}", product.schema))),
            )
            .map(|(name, description)| ShownSchema { oid: oid(Oids::schema(&name)), name, description })
            .collect();
        schemas.sort_by(|a, b| a.name.cmp(&b.name));
        schemas.dedup();
        let session = Session {
            user: subject.user.to_string(),
            user_oid: oid(Oids::role(subject.user.as_str())),
            database: warehouse.to_string(),
            database_oid: oid(Oids::database(warehouse.as_str())),
        };
        let own = super::own_catalog::maps(self, subject, warehouse, today);
        Visible { schemas, products, types, session, own }
    }

    /// The product as a relation; `None`: it cannot be served now.
    fn shown(&self, subject: &Subject, product: &Product, types: &mut BTreeMap<u32, String>) -> Option<ShownProduct> {
        let view = self.view(subject, product).ok()?;
        let facts = self.parts.facts.get(&product.warehouse, &product.relation)?;
        let mut columns = Vec::new();
        for (column, seen) in product.columns.iter().zip(&view.columns) {
            let fact = facts.column(&column.name)?;
            if fact.type_schema != "pg_catalog" {
                types.insert(fact.type_oid, fact.type_name.clone());
            }
            let masked = seen.mask.filter(|_| seen.masked).map(|mask| format!("masked ({mask})"));
            let said = (!column.description.is_empty()).then(|| column.description.clone());
            let description = said.into_iter().chain(masked).collect::<Vec<_>>().join(" · ");
            columns.push(ShownColumn {
                name: column.name.clone(),
                number: fact.number,
                masked: seen.masked,
                description,
            });
        }
        let primary = std::iter::once((true, &facts.primary_key)).filter(|(_, key)| !key.is_empty());
        let unique = facts.unique_keys.iter().map(|key| (false, key));
        let keys = primary.chain(unique).filter_map(|(primary, key)| {
            // A masked value is not unique any more.
            let place = |name: &String| columns.iter().position(|c| c.name == *name && !c.masked);
            Some(ShownKey { primary, columns: key.iter().map(place).collect::<Option<_>>()? })
        });
        let keys = keys.collect();
        Some(ShownProduct {
            oid: self.oids.of(&Oids::product(&product.id.to_string()))?,
            relid: view.relation_oid,
            schema_oid: self.oids.of(&Oids::schema(product.client_schema()))?,
            schema: product.client_schema().to_owned(),
            name: product.id.product().to_owned(),
            description: told(product),
            columns,
            keys,
        })
    }
}

pub(super) fn status(product: &Product) -> &'static str {
    match product.status {
        Status::Draft => "draft",
        Status::Published => "published",
        Status::Deprecated => "deprecated",
    }
}

/// What a BI tool shows of a product.
fn told(product: &Product) -> String {
    let mut facts = vec![format!("owner {} ({})", product.owner.team, product.owner.contact)];
    facts.push(format!("version {}, {}", product.version, status(product)));
    if let Some(replacement) = product.deprecation.as_ref().and_then(|deprecation| deprecation.replaced_by.as_ref()) {
        facts.push(format!("use {replacement} instead"));
    }
    if let Some(freshness) = product.sla.freshness {
        facts.push(format!("fresh within {}", span(freshness)));
    }
    format!("{}\n{}", product.description, facts.join(" · "))
}

/// A duration in its largest whole unit.
pub(super) fn span(duration: std::time::Duration) -> String {
    let seconds = duration.as_secs();
    for (unit, word) in [(86_400, "d"), (3_600, "h"), (60, "m")] {
        if seconds >= unit && seconds.is_multiple_of(unit) {
            return format!("{}{word}", seconds / unit);
        }
    }
    format!("{seconds}s")
}
