//! From statement text to a tree that names what it means, and back to text that is proven. Pure.
//!
//! [`parse`] splits and parses under limits; [`statement`] says which kinds of statement there are; `resolve` finds out what
//! every relation name means; [`render`] prints; [`prove`] parses the print again and demands an equal tree; [`guard`] asks
//! Postgres' own grammar for a second opinion.
//!
//! What holds for every tree that comes from here, and must hold for what is put into one:
//!
//! * Quoted text is verbatim, with its quotes doubled: read names with [`ident`] and strings with [`literal_text`], make them
//!   with [`exact`] and [`literal`].
//! * Every quoted form of a string has become a plain literal; comments and hints are gone.
//! * Words that are no keywords of Postgres are names, types that have no keyword are `DataType::Custom`, and `type 'text'` is
//!   a CAST. `TABLE t` is `SELECT * FROM t`, `LIMIT ALL` is `LIMIT NULL`.
//! * Forms that sqlparser has no node for are nodes under names of [`forms`]; clauses that it has no place for are marked
//!   names ([`using_alias`], [`added_columns`], and the name of a window whose frame has EXCLUDE).
//! * `span.start.column` is the character position (from 1) in the client's text where `line` is 1; what pgveil has written
//!   itself is on no line or another.
//! * Trees may be deep: parse, walk, print, compare, clone and drop them inside of [`with_deep_stack`].

mod conserved;
mod deep;
mod depth;
mod dialect;
mod fingerprint;
pub mod forms;
mod from_tokens;
pub mod guard;
mod keywords;
mod lex;
mod limits;
mod literals;
mod marks;
mod names;
mod nested_query;
mod origin;
mod parse;
mod phrase;
mod proof;
mod quoted;
mod redact;
mod refused;
mod render;
pub mod resolve;
mod session_statement;
mod spelling;
pub mod statement;
mod tokens;
mod words;
mod wrapped;

pub use deep::{DEEP_STACK, with_deep_stack};
pub use fingerprint::{fingerprint, fingerprint_of_text};
pub use limits::{SqlError, TextLimits};
pub use literals::{integer, literal, literal_text};
pub use marks::{added_columns, using_alias};
pub use names::{exact, ident, is_reserved, output_name};
pub use origin::{Named, Origin, origin};

pub use parse::{parse, parse_expression, parse_query};
pub use proof::{ProofError, Proven, prove};
pub use redact::{plain_literals, redact};
pub use render::{render, render_expr, render_query, render_type};
pub use sqlparser::ast;
pub use words::{Word, WordKind, words};
