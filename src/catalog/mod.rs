//! The catalog of data products: TOML files, raw -> compiled -> [`Catalog`].
//!
//! [`read_files`] reads the directory; [`compile`] takes texts and is pure but for the variables that it is given; [`load`]
//! is both.

mod bounds;
mod checks;
mod columns;
mod compile;
mod cron;
mod parts;
mod product;
mod read;
mod relation;
mod rules;
mod search;

#[cfg(test)]
mod tests;

pub use compile::{compile, load, read_files, withhold};
pub use product::{
    Catalog, Check, CheckKind, Column, ContractSchedule, ContractType, Deprecation, FilterScope, Mask, OnBreach, Owner,
    Pii, Places, Product, RowFilter, Severity, Sla, Status,
};
pub use rules::CatalogRules;
pub use search::{Hit, SearchIndex};
