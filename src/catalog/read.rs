//! One product file: document -> [`Product`].

use std::cell::RefCell;
use std::collections::BTreeMap;

use sha2::{Digest, Sha256};

use super::checks::{MOMENTS, suits};
use super::columns::Columns;
use super::parts::{availability, deprecation, freshness, read_owner, schedule, tags};
use super::product::{Check, CheckKind, FilterScope, OnBreach, Product, RowFilter, Sla, Status};
use super::relation;
use super::rules::CatalogRules;
use crate::document::{Document, Place, Table, Text, Value};
use crate::error::Diagnostic;
use crate::names::{DomainName, MAX_IDENTIFIER_BYTES, ProductId, RelationName, RoleName, WarehouseName};

/// Keys that FORMATS has and that nothing reads yet, over all files: how many have one, and where the first stands.
pub(super) type Later = RefCell<BTreeMap<&'static str, (usize, Diagnostic)>>;

/// Reads one file.
pub(super) struct Reader<'d, 'r> {
    pub(super) document: &'d Document<'d>,
    pub(super) rules: &'r CatalogRules,
    pub(super) later: &'r Later,
}

/// What was read of a file, with the places that rules over the whole catalog point at.
pub(super) struct Read<'d> {
    /// The id, when at least that is right.
    pub(super) id: Option<(ProductId, Place<'d>)>,
    /// The product, as far as it could be made out; whether it may be used, the document's findings say.
    pub(super) product: Option<Product>,
    /// Where its relation is named.
    pub(super) relation: Option<Place<'d>>,
    /// Where its replacement is named.
    pub(super) replaced_by: Option<(ProductId, Place<'d>)>,
    /// Where its columns are named.
    pub(super) columns: BTreeMap<String, Place<'d>>,
}

impl<'d> Reader<'d, '_> {
    pub(super) fn read(&self) -> Read<'d> {
        let mut root = self.document.root();
        let id = root.need("id").and_then(product_id);
        self.domain(&mut root, id.as_ref());
        let name = root.need("name").and_then(Value::filled_text);
        let description = self.description(&mut root);
        let version = root.need("version").and_then(|v| v.integer(1..=i32::MAX));
        let status = root.need("status").and_then(|v| v.choice(&STATUSES));
        let published_at = root.take("published_at").and_then(Value::timestamp);
        let tags = tags(root.take("tags"));
        let warehouse = self.warehouse(&mut root);
        let relation = self.relation(&mut root, id.as_ref(), warehouse.as_ref());
        let on_breach = root.take("on_breach").and_then(|v| v.choice(&BREACHES));
        let owner = root.table("owner");
        if owner.is_none() && !root.has("owner") {
            root.missing("[owner] is missing", Some("name the team and its contact".to_owned()));
        }
        let owner = owner.and_then(read_owner);
        let columns = self.columns(&mut root);
        let checks = self.checks(&mut root, &columns);
        let sla = self.sla(&mut root, &columns, &checks);
        let row_filters = self.row_filters(&mut root);
        let (deprecation, replaced_by) = deprecation(&mut root, status, id.as_ref());
        let schedule = root.take("contract").and_then(Value::table).and_then(schedule);
        for (key, name) in [("sources", "[[sources]]"), ("caveats", "[[caveats]]"), ("changelog", "[[changelog]]")] {
            self.later(&mut root, key, name);
        }
        let meta = root.take("meta").and_then(Value::table).map(Table::free).unwrap_or_default();
        root.finish();

        let (relation, relation_place) = relation.map_or((None, None), |(r, p)| (Some(r), Some(p)));
        let Columns { columns, names, mut places } = columns;
        places.text = self.document.text().into();
        let product = (|| {
            Some(Product {
                id: id.as_ref()?.0.clone(),
                name: name?.value,
                description,
                version: u32::try_from(version?).ok()?,
                status: status?,
                published_at,
                tags,
                relation: relation?,
                warehouse: warehouse?,
                on_breach: on_breach.unwrap_or_default(),
                owner: owner?,
                sla,
                columns,
                checks,
                row_filters,
                deprecation,
                schedule,
                meta,
                file: self.document.path().to_owned(),
                digest: digest(self.document.text()),
                places,
            })
        })();
        Read { id, product, relation: relation_place, replaced_by, columns: names }
    }

    /// The value of a key that is not yet in force; counted, so that one warning can speak of all files.
    pub(super) fn later(&self, table: &mut Table<'d>, key: &'static str, name: &'static str) -> Option<Value<'d>> {
        let value = table.take(key)?;
        let mut later = self.later.borrow_mut();
        later.entry(name).or_insert_with(|| (0, value.place().note())).0 += 1;
        Some(value)
    }

    fn domain(&self, root: &mut Table<'d>, id: Option<&(ProductId, Place<'d>)>) {
        let domain = root.need("domain").and_then(Value::text).filter(|t| t.known);
        if let (Some(domain), Some((id, _))) = (domain, id)
            && domain.value != id.domain().as_str()
        {
            domain.place.error_with_hint(
                format!("the domain \"{}\" is not that of the id {id}", domain.shown()),
                format!("write domain = \"{}\", or change the id", id.domain()),
            );
        }
    }

    fn description(&self, root: &mut Table<'d>) -> String {
        let description = root.take("description");
        if description.is_none()
            && let Some(place) = root.place()
        {
            place.warn("the product has no description", Some("say what it holds and what it is for".to_owned()));
        }
        description.and_then(Value::filled_text).map(|t| t.value).unwrap_or_default()
    }

    fn warehouse(&self, root: &mut Table<'d>) -> Option<WarehouseName> {
        let named = root.take("warehouse");
        let Some(warehouses) = &self.rules.warehouses else {
            // The server's file could not be read: any name will do to check the rest.
            return Some(WarehouseName::new(named.and_then(Value::text).map(|t| t.value).unwrap_or_default()));
        };
        if let Some(value) = named {
            let text = value.text().filter(|t| t.known)?;
            let found = warehouses.contains_key(text.value.as_str());
            if !found {
                let names = warehouses.keys().map(WarehouseName::as_str);
                let message = format!("there is no warehouse \"{}\"", text.shown());
                text.place.error_with_nearest(message, &text.value, names);
            }
            return found.then(|| WarehouseName::new(text.value));
        }
        let mut names = warehouses.keys();
        match (names.next(), names.next()) {
            (Some(only), None) => Some(only.clone()),
            _ => {
                let names: Vec<_> = warehouses.keys().map(|n| format!("\"{n}\"")).collect();
                root.missing("\"warehouse\" is missing", Some(format!("write one of {}", names.join(", "))));
                None
            }
        }
    }

    fn relation(
        &self,
        root: &mut Table<'d>,
        id: Option<&(ProductId, Place<'d>)>,
        warehouse: Option<&WarehouseName>,
    ) -> Option<(RelationName, Place<'d>)> {
        let default_schema = warehouse
            .and_then(|name| self.rules.warehouses.as_ref()?.get(name).cloned())
            .unwrap_or_else(|| "public".to_owned());
        let (relation, place) = match root.take("relation") {
            Some(value) => {
                let text = value.filled_text().filter(|t| t.known)?;
                let Some(relation) = relation::parse(&text.value, &default_schema) else {
                    text.place.error_with_hint(
                        format!("\"{}\" is not the name of a relation", text.shown()),
                        "write SCHEMA.TABLE; names with capitals or other characters in double quotes",
                    );
                    return None;
                };
                (relation, text.place)
            }
            None => {
                let (id, place) = id?;
                (RelationName { schema: default_schema, name: id.flat_name() }, place.clone())
            }
        };
        if relation.schema.starts_with("pg_") || relation.schema == "information_schema" {
            place.error(format!("relations of {} cannot be published", relation.schema));
        }
        if let Some((id, _)) = id
            && let Err(patterns) = self.rules.may_publish(id.domain(), &relation)
        {
            place.error_with_hint(
                format!("the domain \"{}\" may not publish the relation {relation}", id.domain()),
                format!("[domains.{}] relations of the policy is [{}]", id.domain(), quoted(patterns)),
            );
        }
        Some((relation, place))
    }

    fn sla(&self, root: &mut Table<'d>, columns: &Columns<'d>, checks: &[Check]) -> Sla {
        let mut sla = Sla::default();
        if let Some(mut table) = root.take("sla").and_then(Value::table) {
            sla.freshness = table.take("freshness").and_then(freshness);
            if let Some(text) = table.take("freshness_column").and_then(Value::filled_text) {
                let found = columns.find(&text);
                if let Some(column) = found {
                    suits(&text, column.contract_type, &MOMENTS, "freshness is told by a timestamp or a date");
                }
                sla.freshness_column = found.map(|c| c.name.clone());
            }
            sla.availability = self.later(&mut table, "availability", "[sla] availability").and_then(availability);
            sla.query_latency_p95_ms = self
                .later(&mut table, "query_latency_p95_ms", "[sla] query_latency_p95_ms")
                .and_then(|v| v.integer(1..=86_400_000_i64))
                .and_then(|n| u64::try_from(n).ok());
            table.finish();
        }
        if sla.freshness_column.is_none() {
            sla.freshness_column = checks.iter().find_map(|check| match &check.kind {
                CheckKind::Freshness { column, .. } => Some(column.clone()),
                CheckKind::NotNull { .. }
                | CheckKind::Unique { .. }
                | CheckKind::Range { .. }
                | CheckKind::RowCount { .. }
                | CheckKind::CustomSql { .. } => None,
            });
        }
        sla
    }

    fn row_filters(&self, root: &mut Table<'d>) -> Vec<RowFilter> {
        let tables = root.take("row_filters").and_then(Value::tables).unwrap_or_default();
        tables.into_iter().filter_map(|table| self.row_filter(table)).collect()
    }

    fn row_filter(&self, mut table: Table<'d>) -> Option<RowFilter> {
        let roles = table.take("roles").and_then(Value::texts);
        let except = table.take("except").and_then(Value::texts);
        let predicate = table.need("where").and_then(Value::filled_text);
        let one_of_them = table.has("roles") != table.has("except");
        if !one_of_them && let Some(place) = table.place() {
            place.error_with_hint(
                "a row filter has either roles or except",
                "roles names whom it binds; except binds everyone else",
            );
        }
        if let Some(roles) = &roles
            && roles.is_empty()
            && let Some(place) = table.place()
        {
            place.error_with_hint(
                "the row filter binds nobody: roles is empty",
                "name a role, or write except = [] to bind everyone",
            );
        }
        table.finish();
        let scope = match (roles, except) {
            (Some(roles), None) => FilterScope::Roles(self.known_roles(roles)),
            (None, Some(roles)) => FilterScope::Except(self.known_roles(roles)),
            (Some(_), Some(_)) | (None, None) => return None,
        };
        let predicate = predicate.filter(|t| t.known)?;
        Some(RowFilter { scope, predicate: predicate.value, span: predicate.place.span() })
    }

    fn known_roles(&self, texts: Vec<Text<'d>>) -> Vec<RoleName> {
        for text in texts.iter().filter(|t| t.known) {
            if let Some(roles) = &self.rules.roles
                && !roles.contains(text.value.as_str())
            {
                let names = roles.iter().map(RoleName::as_str);
                text.place.error_with_nearest(format!("there is no role \"{}\"", text.shown()), &text.value, names);
            }
        }
        texts.into_iter().map(|text| RoleName::new(text.value)).collect()
    }
}

const STATUSES: [(&str, Status); 3] =
    [("draft", Status::Draft), ("published", Status::Published), ("deprecated", Status::Deprecated)];
const BREACHES: [(&str, OnBreach); 3] =
    [("notice", OnBreach::Notice), ("deny", OnBreach::Deny), ("ignore", OnBreach::Ignore)];

fn product_id(value: Value<'_>) -> Option<(ProductId, Place<'_>)> {
    let text = value.text().filter(|t| t.known)?;
    let Some(id) = ProductId::parse(&text.value) else {
        text.place.error_with_hint(
            format!("\"{}\" is not a product id", text.shown()),
            "write DOMAIN.PRODUCT in lower case; the domain may have digits and dashes, the product digits and underscores",
        );
        return None;
    };
    if is_reserved(id.domain()) {
        let hint = "public, pgveil, information_schema and names that begin with pg_ are Postgres' and pgveil's own";
        text.place.error_with_hint(format!("the domain \"{}\" is reserved", id.domain()), hint);
    }
    for (what, name) in [("domain", id.domain().as_str()), ("product", id.product()), ("flat name", &id.flat_name())] {
        if name.len() > MAX_IDENTIFIER_BYTES {
            let length = name.len();
            text.place.error(format!("the {what} has {length} bytes; Postgres cuts names at {MAX_IDENTIFIER_BYTES}"));
            break;
        }
    }
    Some((id, text.place))
}

/// Dashes count as underscores: clients may write them so.
fn is_reserved(domain: &DomainName) -> bool {
    let name = domain.as_str().replace('-', "_");
    matches!(name.as_str(), "public" | "pgveil" | "information_schema") || name.starts_with("pg_")
}

fn quoted(patterns: &[String]) -> String {
    patterns.iter().map(|p| format!("\"{p}\"")).collect::<Vec<_>>().join(", ")
}

fn digest(text: &str) -> String {
    crate::hex::text(Sha256::digest(text.as_bytes()))
}
