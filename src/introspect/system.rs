//! What the warehouse's own version says of a system relation: read with the facts, since versions differ.

use serde::{Deserialize, Serialize};

/// A system relation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SystemRelation {
    /// `pg_catalog` or `information_schema`.
    pub schema: String,
    /// Its name.
    pub name: String,
    /// `pg_class.oid`
    pub oid: u32,
    /// OID of its schema.
    pub schema_oid: u32,
    /// In the order of `attnum`.
    pub columns: Vec<SystemColumn>,
}

/// One of its columns.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SystemColumn {
    /// `attname`
    pub name: String,
    /// Schema of its type.
    pub type_schema: String,
    /// `typname`
    pub type_name: String,
    /// `atttypid`, of a domain its base type's.
    pub type_oid: u32,
}
