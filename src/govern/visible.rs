//! What a subject may query, as the system catalogs show it.

use std::sync::Arc;

use dashmap::DashMap;
use jiff::civil::Date;

use crate::catalog::{Product, Status};
use crate::introspect::{Oids, Session, ShownColumn, ShownProduct, ShownSchema, Visible};
use crate::names::WarehouseName;

use super::snapshot::{Snapshot, SnapshotParts};
use super::subject::Subject;

/// By who asks, where and when.
pub(in crate::govern) type VisibleCache = DashMap<(WarehouseName, Subject, Date), Arc<Visible>>;

/// A flood of users must not fill the memory.
const MAX_VISIBLE: usize = 1_000;

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

impl Snapshot {
    /// What the catalogs show the subject.
    pub fn visible(&self, subject: &Subject, warehouse: &WarehouseName, today: Date) -> Arc<Visible> {
        let key = (warehouse.clone(), subject.clone(), today);
        if let Some(visible) = self.visible.get(&key) {
            return Arc::clone(&visible);
        }
        let visible = Arc::new(self.seen(subject, warehouse, today));
        if self.visible.len() < MAX_VISIBLE {
            self.visible.insert(key, Arc::clone(&visible));
        }
        visible
    }

    fn seen(&self, subject: &Subject, warehouse: &WarehouseName, today: Date) -> Visible {
        let oid = |key: String| self.oids.of(&key).unwrap_or_default();
        let products: Vec<Arc<ShownProduct>> = self
            .visible_products(subject, warehouse, today)
            .filter_map(|product| self.shown(subject, product).map(Arc::new))
            .collect();
        let mut schemas: Vec<ShownSchema> = OWN_SCHEMAS
            .iter()
            .map(|(name, description)| ((*name).to_owned(), (*description).to_owned()))
            .chain(products.iter().map(|product| (product.schema.clone(), format!("data products of {}", product.schema))))
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
        Visible { schemas, products, session }
    }

    /// The product as a relation; `None`: it cannot be served now.
    fn shown(&self, subject: &Subject, product: &Product) -> Option<ShownProduct> {
        let view = self.view(subject, product).ok()?;
        let facts = self.parts.facts.get(&product.warehouse, &product.relation)?;
        let columns = product.columns.iter().zip(&view.columns).map(|(column, seen)| {
            let number = facts.column(&column.name)?.number;
            let masked = seen.mask.filter(|_| seen.masked).map(|mask| format!("masked ({mask})"));
            let said = (!column.description.is_empty()).then(|| column.description.clone());
            let description = said.into_iter().chain(masked).collect::<Vec<_>>().join(" · ");
            Some(ShownColumn { name: column.name.clone(), number, masked: seen.masked, description })
        });
        Some(ShownProduct {
            id: product.id.to_string(),
            oid: self.oids.of(&Oids::product(&product.id.to_string()))?,
            relid: view.relation_oid,
            schema_oid: self.oids.of(&Oids::schema(product.client_schema()))?,
            schema: product.client_schema().to_owned(),
            name: product.id.product().to_owned(),
            description: told(product),
            columns: columns.collect::<Option<_>>()?,
        })
    }
}

/// What a BI tool shows of a product.
fn told(product: &Product) -> String {
    let status = match product.status {
        Status::Draft => "draft",
        Status::Published => "published",
        Status::Deprecated => "deprecated",
    };
    let mut facts = vec![format!("owner {} ({})", product.owner.team, product.owner.contact)];
    facts.push(format!("version {}, {status}", product.version));
    if let Some(replacement) = product.deprecation.as_ref().and_then(|deprecation| deprecation.replaced_by.as_ref()) {
        facts.push(format!("use {replacement} instead"));
    }
    if let Some(freshness) = product.sla.freshness {
        facts.push(format!("fresh within {}", span(freshness)));
    }
    format!("{}\n{}", product.description, facts.join(" · "))
}

/// A duration in its largest whole unit.
fn span(duration: std::time::Duration) -> String {
    let seconds = duration.as_secs();
    for (unit, word) in [(86_400, "d"), (3_600, "h"), (60, "m")] {
        if seconds >= unit && seconds.is_multiple_of(unit) {
            return format!("{}{word}", seconds / unit);
        }
    }
    format!("{seconds}s")
}
