//! The masked twin: a database that physically holds what a role may see. For every statement that is allowed, the answer
//! through pgveil equals the twin's, in both protocols, in text and binary.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

#[expect(dead_code, reason = "this tier needs a part alone")]
mod common;

use std::path::Path;

use common::proxy::{HASH_KEY, Proxy, SUPERUSER_PASSWORD, Warehouse};
use common::wire::{Answer, Wire};
use pgveil::demo::postgres::SUPERUSER;

const ROLES: [&str; 2] = ["analyst", "manager"];

fn make_twin(warehouse: &Warehouse, role: &str) -> String {
    let name = format!("twin_{role}");
    let run = |wire: &mut Wire, sql: &str| {
        let failed = wire.simple(sql).into_iter().find_map(|a| a.error);
        assert!(failed.is_none(), "{name}: {failed:?}");
    };
    run(&mut warehouse.superuser("postgres"), &format!("CREATE DATABASE {name} TEMPLATE warehouse"));
    let mut twin = warehouse.superuser(&name);
    let read = |file: &str| std::fs::read_to_string(Path::new("tests/twin").join(file)).unwrap();
    run(&mut twin, &read("masks.sql"));
    run(&mut twin, &read(&format!("{role}.sql")).replace(":key", &format!("'{HASH_KEY}'")));
    name
}

/// What pgveil is asked, and what the twin: the same, or what stands behind `==>`.
fn statements(role: &str) -> Vec<(String, String)> {
    let text = std::fs::read_to_string("tests/twin/statements.sql").unwrap();
    let (both, manager) = text.split_once("-- manager\n").unwrap();
    let own = if role == "manager" { manager } else { "" };
    let lines = both.lines().chain(own.lines());
    let statement = |text: &str| text.trim().trim_end_matches(';').replace(":key", &format!("'{HASH_KEY}'"));
    let pair = |line: &str| match line.split_once("==>") {
        Some((veil, twin)) => (statement(veil), statement(twin)),
        None => (statement(line), statement(line)),
    };
    lines.filter(|l| !l.starts_with("--") && !l.is_empty()).map(pair).collect()
}

/// One way to run a statement.
type Run<'a> = &'a dyn Fn(&mut Wire, &str) -> Answer;

/// What of an answer must be equal: names, types, formats and rows; not the OID of the table that a column came from.
fn comparable(mut answer: Answer) -> Answer {
    for column in &mut answer.columns {
        (column.table, column.attribute) = (0, 0);
    }
    answer.notices.clear();
    answer
}

#[test]
fn every_answer_equals_the_twins() {
    let warehouse = Warehouse::with_demo_data();
    // A million keyed hashes a statement would prove no more than some thousands.
    let mut data = warehouse.superuser("warehouse");
    assert!(data.one("DELETE FROM product_events WHERE event_id > 60000").error.is_none());
    assert!(data.one("VACUUM FULL ANALYZE product_events").error.is_none());
    drop(data);
    // A template must have no sessions: the twins come before pgveil connects.
    let databases = ROLES.map(|role| make_twin(&warehouse, role));
    let proxy = Proxy::start(&warehouse, |_| ());
    let path = "marketing,product,finance,ops,engineering,public";
    let mut differences = Vec::new();
    let mut compared = 0;
    for (role, database) in ROLES.into_iter().zip(&databases) {
        let mut twin =
            Wire::connect(warehouse.server.port(), SUPERUSER, SUPERUSER_PASSWORD, database, &[("search_path", path)])
                .unwrap();
        let mut veil = proxy.login(role);
        for (sql, of_twin) in statements(role) {
            let runs: [(&str, Run<'_>); 3] = [
                ("simple", &|w, sql| w.one(sql)),
                ("extended text", &|w, sql| w.extended(sql, &[], false)),
                ("extended binary", &|w, sql| w.extended(sql, &[], true)),
            ];
            for (protocol, run) in runs {
                let (seen, expected) = (comparable(run(&mut veil, &sql)), comparable(run(&mut twin, &of_twin)));
                compared += 1;
                assert!(expected.error.is_none(), "the twin itself fails: {sql}: {:?}", expected.error);
                if seen != expected {
                    differences.push(describe(role, protocol, &sql, &seen, &expected));
                }
            }
        }
    }
    assert!(differences.is_empty(), "{} of {compared} differ:\n{}", differences.len(), differences.join("\n"));
    assert!(compared > 2 * 150 * 3);
}

fn describe(role: &str, protocol: &str, sql: &str, seen: &Answer, expected: &Answer) -> String {
    let short = |a: &Answer| match &a.error {
        Some(error) => format!("error {error:?}"),
        None => format!(
            "{:?} {} rows {:?}",
            a.columns.iter().map(|c| (&c.name, c.type_oid, c.typmod)).collect::<Vec<_>>(),
            a.rows.len(),
            a.text_rows().first()
        ),
    };
    format!("{role}, {protocol}: {sql}\n  pgveil: {}\n  twin:   {}", short(seen), short(expected))
}
