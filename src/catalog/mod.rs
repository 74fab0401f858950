//! The catalog of data products: TOML files, raw -> compiled -> [`Catalog`]. Pure.

mod product;

pub use product::{
    Catalog, Check, CheckKind, Column, ContractSchedule, ContractType, Deprecation, FilterScope, Mask, OnBreach, Owner,
    Pii, Places, Product, RowFilter, Severity, Sla, Status,
};
