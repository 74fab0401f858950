//! From statement text to a tree that names what it means, and back to text that is proven. Pure.
//!
//! [`parse`] splits and parses under limits; [`statement`] says which kinds of statement there are; `resolve` finds out what
//! every relation name means; [`render`] prints; [`prove`] parses the print again and demands an equal tree; [`guard`] asks
//! Postgres' own grammar for a second opinion.

mod conserved;
mod deep;
mod depth;
mod dialect;
mod fingerprint;
pub mod guard;
mod keywords;
mod lex;
mod limits;
mod names;
mod parse;
mod phrase;
mod proof;
mod quoted;
mod redact;
mod refused;
mod render;
mod session_statement;
pub mod statement;
mod tokens;
mod wrapped;

pub use deep::with_deep_stack;
pub use fingerprint::fingerprint;
pub use limits::{SqlError, TextLimits};
pub use names::{exact, ident, output_name};
pub use parse::{parse, parse_expression};
pub use proof::{ProofError, prove};
pub use redact::redact;
pub use render::{render, render_expr, render_query, render_type};
pub use sqlparser::ast;
