//! The classification of functions, and the lists of operators and settings, against a real PostgreSQL 15.

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
use pgveil::govern::snapshot::WarehouseRules;
use pgveil::govern::{operators, settings};

#[test]
fn every_function_of_postgres_15_is_classified_with_its_volatility() {
    let server = postgres::TestPostgres::start();
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
    let wrong_place: Vec<_> =
        ours.values().filter(|entry| entry.in_pg_proc != real.contains_key(entry.name)).map(|e| e.name).collect();
    assert!(wrong_place.is_empty(), "marked wrongly as (not) in pg_proc: {wrong_place:?}");
    for entry in ours
        .values()
        .filter(|entry| entry.in_pg_proc && matches!(entry.rule, Rule::Allowed | Rule::Bounded(_) | Rule::AsText))
    {
        let volatility = match real[entry.name] {
            "i" => Volatility::Immutable,
            "is" => Volatility::Mixed,
            "s" => Volatility::Stable,
            _ => Volatility::Volatile,
        };
        assert_eq!(entry.volatility, volatility, "{}", entry.name);
    }

    for row in server.rows("", "SELECT DISTINCT oprname FROM pg_operator").unwrap() {
        assert!(operators::check(None, &row[0], &WarehouseRules::default()).is_ok(), "operator {}", row[0]);
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
    for setting in settings::all() {
        let known = server.rows("", &format!("SHOW {}", setting.name));
        assert!(known.is_ok(), "{}: {known:?}", setting.name);
    }
}
