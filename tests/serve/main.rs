//! pgveil as its users meet it: the real binary in front of a real PostgreSQL, seen by psql, by a driver and frame by frame.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

#[path = "../common/mod.rs"]
mod common;

mod alike;
mod audit;
mod carets;
mod catalogs;
mod clients;
mod contracts;
mod equality;
mod faults;
mod limits;
mod login;
mod policy;
mod protocol;
mod relations;
mod reload;

use std::sync::Arc;

use common::proxy::{Proxy, Warehouse};
use libtest_mimic::{Arguments, Trial};

/// What the cases share: one warehouse, and one pgveil for those that leave it as it was.
pub struct Fixture {
    pub warehouse: Warehouse,
    pub proxy: Proxy,
}

/// A case: its name and what it does.
pub type Case = (&'static str, fn(&Fixture));

fn main() {
    let mut arguments = Arguments::from_args();
    // On a machine of many cores one account and one warehouse would have to bear all cases at once.
    let threads = arguments.test_threads.or(std::thread::available_parallelism().ok().map(usize::from)).unwrap_or(1);
    arguments.test_threads = Some(threads.min(8));
    let cases: Vec<Case> = [
        alike::CASES,
        login::CASES,
        policy::CASES,
        protocol::CASES,
        limits::CASES,
        audit::CASES,
        carets::CASES,
        catalogs::CASES,
        clients::CASES,
        contracts::CASES,
        equality::CASES,
        relations::CASES,
        reload::CASES,
        faults::CASES,
    ]
    .concat();
    if arguments.list {
        let trials = cases.into_iter().map(|(name, _)| Trial::test(name, || Ok(()))).collect();
        libtest_mimic::run(&arguments, trials).exit();
    }
    let start = std::time::Instant::now();
    let warehouse = Warehouse::with_demo_data();
    let proxy = Proxy::start(&warehouse, |dir| {
        // Cases run side by side as the same users: a slow machine lets nobody wait in vain.
        let edit = |name: &str, from: &str, to: &str| {
            let path = dir.join(name);
            let text = std::fs::read_to_string(&path).unwrap();
            assert!(text.contains(from), "{name} lacks {from}");
            std::fs::write(path, text.replacen(from, to, 1)).unwrap();
        };
        edit("policy.toml", "max_concurrent = 8", "max_concurrent = 50\nqueue_timeout = \"2m\"");
        edit("pgveil.toml", "[warehouses.warehouse]", "[warehouses.warehouse]\nacquire_timeout = \"2m\"");
    });
    let fixture = Arc::new(Fixture { warehouse, proxy });
    let trial = |(name, case): Case| {
        let fixture = Arc::clone(&fixture);
        Trial::test(name, move || {
            case(&fixture);
            Ok(())
        })
    };
    let conclusion = libtest_mimic::run(&arguments, cases.into_iter().map(trial).collect());
    drop(fixture);
    println!("serve tier: {:.0} s", start.elapsed().as_secs_f64());
    conclusion.exit();
}
