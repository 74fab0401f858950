//! Contracts against a real PostgreSQL: every check passing, failing and unable to run, by the command that people run.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

#[path = "../common/postgres.rs"]
mod postgres;

mod checks;
mod custom;
mod demo;
mod shop;

use std::sync::Arc;

use libtest_mimic::{Arguments, Trial};
use postgres::TestPostgres;

/// A case: its name and what it does. Each has a database of its own on one server.
pub type Case = (&'static str, fn(&TestPostgres));

fn main() {
    let arguments = Arguments::from_args();
    let cases: Vec<Case> = [checks::CASES, custom::CASES, demo::CASES].concat();
    if arguments.list {
        let trials = cases.into_iter().map(|(name, _)| Trial::test(name, || Ok(()))).collect();
        libtest_mimic::run(&arguments, trials).exit();
    }
    let start = std::time::Instant::now();
    let server = Arc::new(TestPostgres::setup().auth("scram-sha-256", "superuser").start());
    server.sql("postgres", "CREATE ROLE pgveil LOGIN PASSWORD 'account'");
    let trial = |(name, case): Case| {
        let server = Arc::clone(&server);
        Trial::test(name, move || {
            case(&server);
            Ok(())
        })
    };
    let conclusion = libtest_mimic::run(&arguments, cases.into_iter().map(trial).collect());
    drop(server);
    println!("contracts: {} s", start.elapsed().as_secs());
    conclusion.exit();
}
