//! Small products, roles and facts for the tests of this room.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use crate::catalog::{
    Catalog, Column, ContractType, FilterScope, Mask, OnBreach, Owner, Pii, Product, RowFilter, Sla, Status,
};
use crate::config::{Attribute, Role, RoleLimits, User};
use crate::error::Diagnostics;
use crate::names::{ColumnPattern, ProductId, ProductPattern, RelationName, RoleName, UserName, WarehouseName};

use super::facts::{ColumnFacts, RelationFacts, RelationKind, TypeKind};
use super::snapshot::{Snapshot, SnapshotParts};

pub fn warehouse() -> WarehouseName {
    WarehouseName::new("w")
}

/// Columns: id int4, email text (pii), region text, amount numeric, at timestamp, seen timestamptz, day date, score float8.
pub fn product(id: &str) -> Product {
    let column = |name: &str, contract_type, pii| Column {
        name: name.to_owned(),
        contract_type,
        description: String::new(),
        pii: if pii { Pii::Yes } else { Pii::No },
        nullable: true,
        mask: None,
        equality: false,
    };
    let id = ProductId::parse(id).unwrap();
    Product {
        relation: RelationName { schema: "public".to_owned(), name: id.flat_name() },
        id,
        name: "People".to_owned(),
        description: "Everyone.".to_owned(),
        version: 1,
        status: Status::Published,
        published_at: None,
        tags: Vec::new(),
        warehouse: warehouse(),
        on_breach: OnBreach::Notice,
        owner: Owner {
            team: "CRM".to_owned(),
            contact: "crm@example.com".to_owned(),
            slack_channel: Some("#crm".to_owned()),
        },
        sla: Sla::default(),
        columns: vec![
            column("id", ContractType::Integer, false),
            column("email", ContractType::String, true),
            column("region", ContractType::String, false),
            column("amount", ContractType::Decimal, false),
            column("at", ContractType::Timestamp, false),
            column("seen", ContractType::Timestamp, false),
            column("day", ContractType::Date, false),
            column("score", ContractType::Float, false),
        ],
        checks: Vec::new(),
        row_filters: Vec::new(),
        deprecation: None,
        schedule: None,
        meta: toml::Table::new(),
        file: PathBuf::from("people.toml"),
        digest: String::new(),
        places: crate::catalog::Places::default(),
    }
}

pub fn filter(scope: FilterScope, predicate: &str) -> RowFilter {
    RowFilter { scope, predicate: predicate.to_owned(), span: 0..0 }
}

pub fn binding(roles: &[&str]) -> FilterScope {
    FilterScope::Roles(roles.iter().map(RoleName::new).collect())
}

pub fn mask(product: &mut Product, column: &str, mask: Mask) {
    product.columns.iter_mut().find(|c| c.name == column).unwrap().mask = Some(mask);
}

pub fn facts() -> RelationFacts {
    let column = |name: &str, number, type_oid, type_name: &str, sql_type: &str| ColumnFacts {
        name: name.to_owned(),
        number,
        type_oid,
        type_schema: "pg_catalog".to_owned(),
        type_name: type_name.to_owned(),
        sql_type: sql_type.to_owned(),
        type_kind: TypeKind::Base,
        base_type_name: type_name.to_owned(),
        base_sql_type: sql_type.to_owned(),
        typmod: -1,
        collation: None,
        not_null: false,
    };
    RelationFacts {
        oid: 1,
        kind: RelationKind::Table,
        columns: vec![
            column("id", 1, 23, "int4", "integer"),
            column("email", 2, 25, "text", "text"),
            column("region", 3, 25, "text", "text"),
            column("amount", 4, 1700, "numeric", "numeric"),
            column("at", 5, 1114, "timestamp", "timestamp without time zone"),
            column("seen", 6, 1184, "timestamptz", "timestamp with time zone"),
            column("day", 7, 1082, "date", "date"),
            column("score", 8, 701, "float8", "double precision"),
        ],
        primary_key: vec!["id".to_owned()],
        unique_keys: Vec::new(),
        barrier: true,
        parents: Vec::new(),
        has_children: false,
        tableoid: false,
    }
}

/// A role over `products` that unmasks `unmask` and discovers everything.
pub fn role(products: &[&str], unmask: &[&str]) -> Role {
    Role {
        products: products.iter().map(|p| ProductPattern::parse(p).unwrap()).collect(),
        unmask: unmask.iter().map(|p| ColumnPattern::parse(p).unwrap()).collect(),
        discover: vec![ProductPattern::parse("*").unwrap()],
        drafts: Vec::new(),
        copy_out: true,
        explain: true,
        limits: RoleLimits::default(),
    }
}

pub fn user(roles: &[&str], attributes: &[(&str, &str)]) -> User {
    User {
        password: None,
        certificate: None,
        roles: roles.iter().map(RoleName::new).collect(),
        attributes: attributes
            .iter()
            .map(|(name, value)| {
                let value = match value.split_once(',') {
                    Some(_) => Attribute::Many(value.split(',').map(str::to_owned).collect()),
                    None => Attribute::One((*value).to_owned()),
                };
                ((*name).to_owned(), value)
            })
            .collect::<BTreeMap<_, _>>(),
        on_behalf_of: Vec::new(),
        limits: RoleLimits::default(),
    }
}

/// What the builder of a snapshot is given in most tests: products with facts, roles `analyst` (masked), `support` (sees
/// e-mail addresses) and `admin` (sees all), and users.
pub fn parts(products: Vec<Product>, users: Vec<(&str, User)>) -> SnapshotParts {
    let mut parts = SnapshotParts { has_hash_key: true, ..SnapshotParts::default() };
    let known = parts.facts.relations.entry(warehouse()).or_default();
    known.extend(products.iter().map(|product| (product.relation.clone(), facts())));
    parts.catalog = Catalog::new(products.into_iter().map(Arc::new));
    for (name, role) in
        [("admin", role(&["*"], &["*"])), ("analyst", role(&["*"], &[])), ("support", role(&["*"], &["*.*.email"]))]
    {
        parts.policy.roles.insert(RoleName::new(name), role);
    }
    parts.policy.users.extend(users.into_iter().map(|(name, user)| (UserName::new(name), user)));
    parts
}

pub fn build(parts: SnapshotParts) -> Result<Snapshot, Diagnostics> {
    Snapshot::build(parts).map(|(snapshot, _)| snapshot)
}

/// The SQL that the first product becomes for the user.
pub fn view_sql(snapshot: &Snapshot, user: &str) -> String {
    let product = Arc::clone(snapshot.parts.catalog.iter().next().unwrap());
    let view = snapshot.view(&snapshot.subject(user, None).unwrap(), &product).unwrap();
    crate::sql::render_query(&view.query())
}
