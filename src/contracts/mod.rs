//! Contracts that are kept: what a product's file promises of its data, compiled into few scans, run against the warehouse on
//! connections of its own, and judged.
//!
//! ```text
//! Product + RelationFacts ─ Plan::new ─► one scan of all single-row aggregates, one statement for each `unique`,
//!    a permit for each `custom_sql` ─ Validator::validate ─► Validation { checks, rows, staleness }
//! ```
//!
//! * All SQL is rendered here from checked names and literals, or is a permit of the policy engine. It runs in one READ ONLY
//!   transaction with a statement timeout.
//! * A check that cannot run has failed. Why is one of this room's own sentences ([`reasons`]): the warehouse's words may
//!   hold a value.

mod custom;
mod judge;
mod links;
mod measure;
mod plan;
mod reasons;
mod run;
pub mod schema;
mod texts;
mod validation;

pub use custom::Domains;
pub use run::Validator;
pub use texts::{count, span};
pub use validation::{CheckOutcome, CheckSeverity, CheckType, Validation};
