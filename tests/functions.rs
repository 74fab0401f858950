//! The classification of functions, and the lists of operators, types and settings, against a real PostgreSQL: the one that the
//! other tests use, or any of 13 to 18 whose binaries come first on the PATH:
//! `PATH=/usr/lib/postgresql/17/bin:$PATH cargo test --test functions`.

#![allow(
    clippy::allow_attributes,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

#[path = "common/postgres.rs"]
mod postgres;

use std::collections::BTreeMap;

use pgveil::govern::functions::{Rule, Volatility, entries};
use pgveil::govern::settings::Home;
use pgveil::govern::snapshot::WarehouseRules;
use pgveil::govern::{operators, settings, types};

/// Names whose volatility was another in that version; the classification's file says why that does no harm.
const CHANGED: [(&str, u16); 2] = [("timezone", 13), ("timezone", 14)];
/// What only 13 has: the postfix factorial, which pgveil does not read.
const OPERATORS_GONE: [&str; 1] = ["!"];

fn version(server: &postgres::TestPostgres) -> u16 {
    server.rows("", "SELECT current_setting('server_version_num')::int / 10000").unwrap()[0][0].parse().unwrap()
}

#[test]
fn every_function_is_classified_with_its_volatility() {
    let server = postgres::TestPostgres::start();
    let version = version(&server);
    let rows = server
        .rows(
            "",
            "SELECT proname, string_agg(DISTINCT provolatile::text, '' ORDER BY provolatile::text) FROM pg_proc \
             WHERE pronamespace = 'pg_catalog'::regnamespace GROUP BY 1",
        )
        .unwrap();
    let real: BTreeMap<&str, &str> = rows.iter().map(|row| (row[0].as_str(), row[1].as_str())).collect();
    let ours: BTreeMap<&str, _> = entries().map(|entry| (entry.name, entry)).collect();

    let missing: Vec<_> = real.keys().filter(|name| !ours.contains_key(*name)).collect();
    assert!(missing.is_empty(), "not classified: {missing:?}");
    let wrong_place: Vec<_> = ours
        .values()
        .filter(|entry| entry.versions.include(version).is_some_and(|has| has != real.contains_key(entry.name)))
        .map(|entry| entry.name)
        .collect();
    assert!(wrong_place.is_empty(), "marked wrongly as (not) in pg_proc: {wrong_place:?}");
    for entry in ours.values().filter(|entry| matches!(entry.rule, Rule::Allowed | Rule::Bounded(_) | Rule::AsText)) {
        let volatility = match real.get(entry.name) {
            Some(&"i") => Volatility::Immutable,
            Some(&"is") => Volatility::Mixed,
            Some(&"s") => Volatility::Stable,
            Some(_) => Volatility::Volatile,
            None => continue,
        };
        if CHANGED.contains(&(entry.name, version)) {
            assert_ne!(entry.volatility, volatility, "{} has not changed", entry.name);
        } else {
            assert_eq!(entry.volatility, volatility, "{}", entry.name);
        }
    }

    for row in server.rows("", "SELECT DISTINCT oprname FROM pg_operator").unwrap() {
        let known = operators::check(None, &row[0], &WarehouseRules::default()).is_ok();
        assert_eq!(known, !OPERATORS_GONE.contains(&row[0].as_str()), "operator {}", row[0]);
    }
    // Each allowed name calls nothing that takes what may not be cast to, unless another overload is harmless.
    let dangerous = server
        .rows(
            "",
            "SELECT proname FROM pg_proc WHERE pronamespace = 'pg_catalog'::regnamespace GROUP BY 1 HAVING bool_and( \
             proargtypes::oid[] && ARRAY['regclass','regproc','regtype','regrole','regnamespace','internal','cstring', \
             'xid','xid8','tid','refcursor','aclitem','pg_lsn']::regtype[]::oid[])",
        )
        .unwrap();
    for name in dangerous.iter().map(|row| row[0].as_str()) {
        assert!(matches!(ours[name].rule, Rule::Refused { .. }), "{name}");
    }
    // A result of a type that looks names up would make every literal beside it such a look-up.
    let looking_up = server
        .rows("", "SELECT DISTINCT proname FROM pg_proc WHERE pronamespace = 'pg_catalog'::regnamespace AND prorettype::regtype::text LIKE 'reg%'")
        .unwrap();
    for name in looking_up.iter().map(|row| row[0].as_str()) {
        assert!(matches!(ours[name].rule, Rule::Refused { .. } | Rule::AsText), "{name}");
    }
    for setting in settings::all().iter().filter(|s| version == 15 || matches!(s.home, Home::Forwarded | Home::Pinned))
    {
        let known = server.rows("", &format!("SHOW {}", setting.name));
        assert!(known.is_ok(), "{}: {known:?}", setting.name);
    }
    for row in server.rows("", "SELECT name FROM pg_settings").unwrap() {
        let refused = settings::readable(&row[0]).err().map(|refusal| refusal.message).unwrap_or_default();
        assert!(!refused.starts_with("unrecognized"), "{refused}");
    }
    types_are_postgres_own(&server, version);
}

/// A type that is on no list is refused; of those that are, name and OIDs are the same in every version.
fn types_are_postgres_own(server: &postgres::TestPostgres, version: u16) {
    let real: BTreeMap<u32, String> = server
        .rows("", "SELECT oid, typname FROM pg_type WHERE typnamespace = 'pg_catalog'::regnamespace AND oid < 16384")
        .unwrap()
        .into_iter()
        .map(|row| (row[0].parse().unwrap(), row[1].clone()))
        .collect();
    let mut known = 0;
    for (oid, name) in &real {
        if let Some(ours) = types::name_of(*oid) {
            known += 1;
            assert_eq!(ours, name, "{oid}");
        }
    }
    // 13 has no multiranges.
    assert!(known >= if version == 13 { 48 } else { 54 }, "{known}");
    let of_the_server = [
        "aclitem",
        "cid",
        "cstring",
        "gtsvector",
        "internal",
        "record",
        "refcursor",
        "tid",
        "txid_snapshot",
        "xid",
        "xid8",
    ];
    for name in real.values().filter(|name| name.starts_with("reg") || name.starts_with("pg_")) {
        assert!(!types::is_known(name), "{name}");
    }
    for name in of_the_server {
        assert!(real.values().any(|real| real == name) && !types::is_known(name), "{name}");
    }
}
