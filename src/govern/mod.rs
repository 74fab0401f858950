//! The policy engine: what a statement needs, whether the subject may have it, and the SQL that shows no more. Pure: no
//! clock, no socket, no runtime, no environment.

pub mod access;
pub mod breach;
pub mod cache;
pub mod decide;
pub mod explain;
mod expression;
pub mod facts;
pub mod fence;
pub mod filters;
mod fold;
pub mod functions;
pub mod limits;
pub mod masks;
pub mod operators;
mod own_catalog;
pub mod permit;
mod prepare;
mod refusal;
pub mod requirements;
mod rewrite;
mod row_limit;
pub mod settings;
pub mod shape;
pub mod signal;
pub mod snapshot;
pub mod subject;
#[cfg(test)]
pub(crate) mod testing;
pub mod types;
pub mod view;
pub mod visible;

pub use refusal::Refusal;
