//! What a subject may see of a warehouse, and the maps that say it.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::names::quote_identifier;

use super::map::{Map, Maps, array};
use super::oids::{ARRAY_TYPE, ROW_TYPE};

/// What a subject may see of a warehouse.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Visible {
    /// Each domain with a visible product, and the schemas that are always there, in the order of names.
    pub schemas: Vec<ShownSchema>,
    /// In the order of ids.
    pub products: Vec<ShownProduct>,
    /// Types outside of `pg_catalog` that visible columns have: OID and name.
    pub types: BTreeMap<u32, String>,
    /// Who asks, and where.
    pub session: Session,
    /// What the relations of the schema `pgveil` show.
    pub own: Vec<(&'static str, Map)>,
}

/// A schema.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShownSchema {
    /// Its OID.
    pub oid: u32,
    /// Its name.
    pub name: String,
    /// For people.
    pub description: String,
}

/// A product as a relation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShownProduct {
    /// The first OID of its block.
    pub oid: u32,
    /// `pg_class.oid` of the physical relation.
    pub relid: u32,
    /// Its schema.
    pub schema_oid: u32,
    /// The name of its schema.
    pub schema: String,
    /// Its name.
    pub name: String,
    /// For people.
    pub description: String,
    /// In the contract's order.
    pub columns: Vec<ShownColumn>,
    /// Its visible keys.
    pub keys: Vec<ShownKey>,
}

/// A column of a product.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShownColumn {
    /// Its name.
    pub name: String,
    /// `attnum` in the warehouse.
    pub number: i16,
    /// Whether the subject sees a mask in some rows at least.
    pub masked: bool,
    /// For people.
    pub description: String,
}

/// A primary or unique key whose columns are all visible as they are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShownKey {
    /// Whether it is the primary key.
    pub primary: bool,
    /// Places of its columns among the product's.
    pub columns: Vec<usize>,
}

/// Who asks, and where.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Session {
    /// The user's name.
    pub user: String,
    /// The user's OID.
    pub user_oid: u32,
    /// The database's name.
    pub database: String,
    /// Its OID.
    pub database_oid: u32,
}

/// A visible key with its names and OIDs.
pub(super) struct Key<'a> {
    pub(super) product: &'a ShownProduct,
    pub(super) primary: bool,
    pub(super) places: &'a [usize],
    pub(super) name: String,
    pub(super) index: u32,
    pub(super) constraint: u32,
}

/// Place of the first key's index in a product's block; its constraint follows.
const FIRST_KEY: u32 = 4;
/// A block has room for so many keys.
const MOST_KEYS: usize = 30;

impl ShownProduct {
    pub(super) fn keys(&self) -> Vec<Key<'_>> {
        let mut names: Vec<String> = Vec::new();
        let keys = self.keys.iter().take(MOST_KEYS).zip(0_u32..);
        keys.map(|(key, number)| {
            let bare = match key.primary {
                true => format!("{}_pkey", self.name),
                false => {
                    let columns = key.columns.iter().filter_map(|place| Some(self.columns.get(*place)?.name.as_str()));
                    format!("{}_{}_key", self.name, columns.collect::<Vec<_>>().join("_"))
                }
            };
            let bare = crate::names::fold_identifier(&bare, true);
            let same = names.iter().filter(|name| **name == bare).count();
            names.push(bare.clone());
            let name = if same == 0 { bare } else { format!("{bare}{same}") };
            let index = self.oid + FIRST_KEY + 2 * number;
            Key { product: self, primary: key.primary, places: &key.columns, name, index, constraint: index + 1 }
        })
        .collect()
    }
    /// As Postgres writes the name with its schema.
    pub(super) fn written(&self) -> String {
        format!("{}.{}", quoted(&self.schema), quoted(&self.name))
    }
}

impl Key<'_> {
    pub(super) fn columns(&self) -> impl Iterator<Item = &ShownColumn> {
        self.places.iter().filter_map(|place| self.product.columns.get(*place))
    }
    /// As `pg_get_constraintdef` writes it.
    pub(super) fn definition(&self) -> String {
        let kind = if self.primary { "PRIMARY KEY" } else { "UNIQUE" };
        format!("{kind} ({})", self.column_list())
    }
    /// As `pg_get_indexdef` writes it.
    pub(super) fn index_definition(&self) -> String {
        let (name, columns) = (quoted(&self.name), self.column_list());
        format!("CREATE UNIQUE INDEX {name} ON {} USING btree ({columns})", self.product.written())
    }
    fn column_list(&self) -> String {
        self.columns().map(|column| quoted(&column.name)).collect::<Vec<_>>().join(", ")
    }
    fn numbers(&self) -> impl Iterator<Item = String> {
        self.places.iter().map(|place| (place + 1).to_string())
    }
}

/// A name with quotes where Postgres writes them.
pub(super) fn quoted(name: &str) -> String {
    let plain = name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
        && name.bytes().next().is_some_and(|b| !b.is_ascii_digit());
    if plain { name.to_owned() } else { quote_identifier(name) }
}

type Row = Vec<Option<String>>;

fn map(columns: &'static [(&'static str, &'static str)], rows: Vec<Row>) -> Map {
    Map { columns, rows: Arc::new(rows) }
}

impl Visible {
    /// The maps.
    pub fn maps(&self) -> Maps {
        let text = |value: &str| Some(value.to_owned());
        let number = |value: u32| Some(value.to_string());
        let session = &self.session;
        let schemas = self.schemas.iter().map(|s| vec![number(s.oid), text(&s.name), text(&s.description)]);
        let types = self.types.keys().map(|oid| vec![number(*oid)]);
        let descriptions = self.products.iter().flat_map(|product| {
            let numbered = product.columns.iter().zip(1_i16..).filter(|(column, _)| !column.description.is_empty());
            numbered.map(move |(column, place)| {
                vec![number(product.oid), Some(place.to_string()), text(&column.description)]
            })
        });
        let keys = self.products.iter().flat_map(ShownProduct::keys);
        let index_columns = self.products.iter().flat_map(ShownProduct::keys).flat_map(|key| {
            let relid = key.product.relid;
            let columns: Vec<i16> = key.columns().map(|column| column.number).collect();
            columns.into_iter().zip(1_i16..).map(move |(real, place)| {
                vec![number(key.index), Some(place.to_string()), number(relid), Some(real.to_string())]
            })
        });
        Maps::new(vec![
            ("products", map(&PRODUCTS, self.products.iter().map(product_row).collect())),
            ("columns", map(&COLUMNS, self.products.iter().map(columns_row).collect())),
            ("schemas", map(&[("oid", "oid"), ("nspname", "name"), ("description", "text")], schemas.collect())),
            (
                "session",
                map(
                    &[("usename", "name"), ("useroid", "oid"), ("datname", "name"), ("datoid", "oid")],
                    vec![vec![
                        text(&session.user),
                        number(session.user_oid),
                        text(&session.database),
                        number(session.database_oid),
                    ]],
                ),
            ),
            ("types", map(&[("oid", "oid")], types.collect())),
            (
                "column_descriptions",
                map(&[("oid", "oid"), ("attnum", "int2"), ("description", "text")], descriptions.collect()),
            ),
            ("keys", map(&KEYS, keys.map(|key| key_row(&key)).collect())),
            (
                "index_columns",
                map(
                    &[("oid", "oid"), ("attnum", "int2"), ("relid", "oid"), ("real_attnum", "int2")],
                    index_columns.collect(),
                ),
            ),
        ])
        .and(&self.own)
    }
}

const PRODUCTS: [(&str, &str); 11] = [
    ("relid", "oid"),
    ("oid", "oid"),
    ("type_oid", "oid"),
    ("array_oid", "oid"),
    ("schema_oid", "oid"),
    ("schema_name", "name"),
    ("relname", "name"),
    ("natts", "int2"),
    ("has_index", "bool"),
    ("has_foreign_key", "bool"),
    ("description", "text"),
];

fn product_row(product: &ShownProduct) -> Row {
    let truth = |value: bool| Some(if value { "t" } else { "f" }.to_owned());
    vec![
        Some(product.relid.to_string()),
        Some(product.oid.to_string()),
        Some((product.oid + ROW_TYPE).to_string()),
        Some((product.oid + ARRAY_TYPE).to_string()),
        Some(product.schema_oid.to_string()),
        Some(product.schema.clone()),
        Some(product.name.clone()),
        Some(product.columns.len().to_string()),
        truth(!product.keys.is_empty()),
        truth(false),
        Some(product.description.clone()),
    ]
}

const COLUMNS: [(&str, &str); 5] =
    [("relid", "oid"), ("oid", "oid"), ("numbers", "int2[]"), ("retyped", "oid[]"), ("retypmods", "int4[]")];

/// Indexed by the number in the warehouse; below zero where a mask is seen.
fn columns_row(product: &ShownProduct) -> Row {
    let last = product.columns.iter().map(|column| column.number).max().unwrap_or_default();
    let of_real: BTreeMap<i16, String> = product
        .columns
        .iter()
        .zip(1_i32..)
        .map(|(column, place)| (column.number, if column.masked { -place } else { place }.to_string()))
        .collect();
    let numbers: Vec<String> =
        (1..=last).map(|real| of_real.get(&real).cloned().unwrap_or_else(|| "NULL".to_owned())).collect();
    vec![
        Some(product.relid.to_string()),
        Some(product.oid.to_string()),
        Some(format!("{{{}}}", numbers.join(","))),
        None,
        None,
    ]
}

const KEYS: [(&str, &str); 20] = [
    ("oid", "oid"),
    ("schema_oid", "oid"),
    ("schema_name", "name"),
    ("relname", "name"),
    ("index_oid", "oid"),
    ("conoid", "oid"),
    ("name", "name"),
    ("contype", "char"),
    ("natts", "int2"),
    ("numbers", "int2[]"),
    ("columns", "text[]"),
    ("column_names", "name[]"),
    ("indclass", "oidvector"),
    ("ref_oid", "oid"),
    ("ref_numbers", "int2[]"),
    ("ref_index_oid", "oid"),
    ("on_update", "char"),
    ("on_delete", "char"),
    ("definition", "text"),
    ("index_definition", "text"),
];

fn key_row(key: &Key<'_>) -> Row {
    let product = key.product;
    let names: Vec<&str> = key.columns().map(|column| column.name.as_str()).collect();
    let written: Vec<String> = names.iter().map(|name| quoted(name)).collect();
    let zeros: Vec<&str> = names.iter().map(|_| "0").collect();
    vec![
        Some(product.oid.to_string()),
        Some(product.schema_oid.to_string()),
        Some(product.schema.clone()),
        Some(product.name.clone()),
        Some(key.index.to_string()),
        Some(key.constraint.to_string()),
        Some(key.name.clone()),
        Some(if key.primary { "p" } else { "u" }.to_owned()),
        Some(names.len().to_string()),
        Some(format!("{{{}}}", key.numbers().collect::<Vec<_>>().join(","))),
        Some(array(written.iter().map(|name| Some(name.as_str())))),
        Some(array(names.iter().map(|name| Some(*name)))),
        Some(zeros.join(" ")),
        Some("0".to_owned()),
        None,
        Some("0".to_owned()),
        Some(" ".to_owned()),
        Some(" ".to_owned()),
        Some(key.definition()),
        Some(key.index_definition()),
    ]
}
