//! Statements that nobody wrote, against the masked twin and against a warehouse that differs only in what is hidden.
//!
//! A grammar writes SELECT statements over the products of `schema.rs`. Each is asked of pgveil before the warehouse, of a
//! second pgveil before a warehouse that differs from it in what the role may not see, and of the twin, which physically holds
//! what it may see:
//!
//! - an allowed statement's answer equals the twin's (where rows have no order: as a multiset), an error has its SQLSTATE;
//! - both pgveils send the same bytes: rows, descriptions, tags, notices, errors;
//! - the decision is always the same, what is sent prints as itself, and with a grant less nothing more is seen;
//! - no byte of them holds a canary, which every hidden text does.
//!
//! Errors of evaluation (class 22) are the planner's choice where a condition decides about rows: one side may have them and
//! the other not. A warehouse that differs must not make the difference.
//!
//! `PGVEIL_STATEMENTS=100000 PGVEIL_SEED=7 cargo test --test generated statements -- --nocapture` asks more (0: for ever) and
//! others. A failure prints its seed; `PGVEIL_ONLY=seed` asks that statement alone.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::unreachable,
    reason = "a test fails by panicking"
)]

mod choices;
#[path = "../common/mod.rs"]
#[expect(dead_code, reason = "this tier needs a part alone")]
mod common;
mod decisions;
mod grammar;
mod schema;
mod sqlsmith;
mod stage;
mod statements;
