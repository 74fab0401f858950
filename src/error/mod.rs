//! Errors: what a client may be told ([`ClientError`]), and what the author of a TOML file is told ([`Diagnostic`]).

mod client;
mod diagnostic;

pub use client::{ClientError, ErrorKind, Notice, Severity, SqlState, sqlstate};
pub use diagnostic::{Diagnostic, Diagnostics, Level, NOT_YET};
