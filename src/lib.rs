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
//! | [`hex`] | bytes as digits |
//! | [`names`], [`error`] | names as types; what a client and the author of a file are told |
//! | [`metrics`] | every metric's name and meaning |
//! | [`document`] | a TOML reader that keeps the place of everything |
//! | [`config`], [`catalog`] | TOML: raw -> compiled, all errors at once |
//! | [`wire`] | frames and messages of both sides |
//! | [`sources`] | all files of a server, held against each other |
//! | [`sql`] | parse, classify, resolve, render, prove |
//! | [`introspect`] | the system catalogs as a client may see them |
//! | [`govern`] | snapshot, requirements, decide, rewrite, masks, filters, permits |
//! | [`auth`] | SCRAM and certificates: who logs in |
//! | [`upstream`] | the warehouse side: connect, pool, relay, cancel, facts |
//! | [`audit`] | the chained log: records, files, verification |
//! | [`state`] | what survives a restart: last good files, warehouse facts, runs of contracts |
//! | [`statement`] | text -> outcome: decide, record, queue |
//! | [`contracts`] | checks of a product against the warehouse: compiled into few scans, run, judged |
//! | [`session`] | one client: start-up, both query protocols, settings, transactions |
//! | [`http`] | health, metrics, the front page |
//! | [`reload`] | watch -> build -> validate -> swap, else keep |
//! | [`demo`] | a private PostgreSQL with the data and the files of a company |
//! | [`app`] | the composition root: what is opened in which order, signals, drain |
//! | [`cli`] | one file a command |
//!
//! A room imports rooms above it in this table, never one beside or below it; `tests/arrows.rs` says how far each sees.

// The lint has no exception for tests.
#![cfg_attr(not(test), deny(clippy::string_slice))]

// What the tests of the crate and those beside it share names the crate from outside.
#[cfg(test)]
extern crate self as pgveil;

pub mod app;
pub mod audit;
pub mod auth;
pub mod catalog;
pub mod cli;
pub mod config;
pub mod contracts;
pub mod demo;
pub mod document;
pub mod error;
pub mod govern;
pub mod hex;
pub mod http;
pub mod introspect;
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
