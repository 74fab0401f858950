//! pgveil: a governance proxy that speaks the Postgres wire protocol.
//!
//! # The way of one statement
//!
//! ```text
//! bytes ─ wire ─► message ─ session ─► statement text
//!    ─ sql::parse ─► Parsed ─ sql::resolve ─► Resolved ─ govern::requirements ─► Requirements
//!    ─ govern::decide ─► Allow(Plan) | Deny(Denial) ─ govern::rewrite ─► Permit
//!    ─ audit::decided ─► AuditTicket ─ upstream::checkout ─► Lease ─ send(Permit) ─► relay ─► Outcome ─ completed
//! ```
//!
//! Everything from `parse` to `rewrite` is pure.
//!
//! # Rooms
//!
//! | room | what is in it |
//! | --- | --- |
//! | [`names`], [`error`] | names as types; what a client and the author of a file are told |
//! | [`document`] | a TOML reader that keeps the place of everything |
//! | [`config`], [`catalog`] | TOML: raw -> compiled, all errors at once |
//! | [`sources`] | all files of a server, held against each other |
//! | [`sql`] | parse, classify, resolve, render, prove |
//! | [`govern`] | requirements, decide, rewrite, masks, filters, permits |

pub mod app;
pub mod audit;
pub mod auth;
pub mod catalog;
pub mod cli;
pub mod config;
pub mod document;
pub mod error;
pub mod govern;
pub mod http;
pub mod metrics;
pub mod names;
pub mod reload;
pub mod session;
pub mod sources;
pub mod sql;
pub mod state;
pub mod statement;
pub mod upstream;
pub mod wire;
