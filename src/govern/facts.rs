//! Warehouse facts: what the real relations behind products look like. Read by the control plane, kept in the state store,
//! part of the snapshot.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::introspect::SystemRelation;
use crate::names::{RelationName, WarehouseName};

/// What a relation is (`pg_class.relkind`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RelationKind {
    /// r
    Table,
    /// p
    PartitionedTable,
    /// v
    View,
    /// m
    MaterializedView,
    /// f
    ForeignTable,
}

/// What a type is (`pg_type.typtype`, arrays told apart).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TypeKind {
    /// b
    Base,
    /// b with typelem and typcategory A
    Array,
    /// d
    Domain,
    /// e
    Enum,
    /// r, m
    Range,
    /// c
    Composite,
    /// p
    Pseudo,
}

/// One column of a relation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ColumnFacts {
    /// `attname`
    pub name: String,
    /// `attnum`
    pub number: i16,
    /// `atttypid`
    pub type_oid: u32,
    /// Schema of the type.
    pub type_schema: String,
    /// `typname`, e.g. `varchar`, `timestamptz`, `_int4`.
    pub type_name: String,
    /// `format_type(atttypid, atttypmod)` qualified where it is not in pg_catalog, e.g. `character varying(20)`: what a cast
    /// to the column's type and typmod is written with.
    pub sql_type: String,
    /// What it is.
    pub type_kind: TypeKind,
    /// A domain's base type, down to the bottom: `typname` (equal to `type_name` for others).
    pub base_type_name: String,
    /// A domain's base type with typmod, as SQL (equal to `sql_type` for others).
    pub base_sql_type: String,
    /// `atttypmod` (of the base type for domains); -1: none.
    pub typmod: i32,
    /// A collation other than the type's own: schema and name.
    pub collation: Option<(String, String)>,
    /// NOT NULL, by constraint or domain.
    pub not_null: bool,
}

/// One relation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RelationFacts {
    /// `pg_class.oid`: a relation that is dropped and created anew has another.
    pub oid: u32,
    /// What it is.
    pub kind: RelationKind,
    /// In the order of `attnum`, dropped ones left out.
    pub columns: Vec<ColumnFacts>,
    /// Columns of the primary key, in its order.
    pub primary_key: Vec<String>,
    /// Columns of each other unique, not partial, not deferrable index.
    pub unique_keys: Vec<Vec<String>>,
    /// For views: whether it and every view below it has `security_barrier`. True for what is no view.
    pub barrier: bool,
    /// It is a partition of, or inherits from, these.
    pub parents: Vec<RelationName>,
    /// These inherit from it or are its partitions.
    pub has_children: bool,
    /// Whether its column `tableoid` may be read, which every relation has but a view.
    #[serde(default)]
    pub tableoid: bool,
}

impl RelationFacts {
    /// The column of this exact name.
    pub fn column(&self, name: &str) -> Option<&ColumnFacts> {
        self.columns.iter().find(|c| c.name == name)
    }
}

/// The facts of every product's relation, as far as they are known.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Facts {
    /// By warehouse, then by relation.
    pub relations: BTreeMap<WarehouseName, Vec<(RelationName, RelationFacts)>>,
    /// By warehouse: the columns of the system relations that are governed, in its own version.
    #[serde(default)]
    pub system: BTreeMap<WarehouseName, Vec<SystemRelation>>,
}

impl Facts {
    /// The facts of a relation, when they are known.
    pub fn get(&self, warehouse: &WarehouseName, relation: &RelationName) -> Option<&RelationFacts> {
        self.relations.get(warehouse)?.iter().find(|(name, _)| name == relation).map(|(_, facts)| facts)
    }
}
