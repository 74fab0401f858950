//! From statement text to a tree that names what it means, and back to text that is proven. Pure.
//!
//! [`parse`] splits and parses under limits; [`statement`] says which kinds of statement there are; `resolve` finds out what
//! every relation name means; `render` prints; `proof` parses the print again and demands an equal tree; `guard` asks
//! Postgres' own grammar for a second opinion.

pub mod statement;

pub use sqlparser::ast;
