//! The audit log: who saw what, written before it happened.

use std::process::Command;

use crate::common::proxy::Proxy;
use crate::{Case, Fixture};
use serde_json::Value;

pub const CASES: &[Case] = &[
    ("audit::an_allowed_statement_is_two_lines", two_lines),
    ("audit::refusals_sessions_and_failures_are_recorded", recorded),
    ("audit::extended_statements_are_recorded_once_an_execute", extended),
    ("audit::verify_accepts_and_finds_edits", verify),
    ("audit::kill_9_loses_nothing_that_was_sent", kill_9),
    ("audit::unwritable_means_refused", unwritable),
    ("audit::redacted", redacted),
];

fn records_of<'a>(all: &'a [Value], event: &str, marker: &str) -> Vec<&'a Value> {
    all.iter().filter(|r| r["event"] == event && r["sql"].as_str().is_some_and(|s| s.contains(marker))).collect()
}

fn two_lines(f: &Fixture) {
    let mut wire = f.proxy.login_with("analyst", &[("application_name", "audit test")]).unwrap();
    wire.one(
        "SELECT order_id, customer_email, total AS marker_two_lines FROM finance.orders WHERE total > 123.45 LIMIT 3",
    );
    let all = f.proxy.settled("marker_two_lines", &[]);
    let found = records_of(&all, "statement", "marker_two_lines");
    assert_eq!(found.len(), 1);
    let statement = found[0];
    for (key, value) in
        [("user", "analyst"), ("decision", "allow"), ("application", "audit test"), ("database", "warehouse")]
    {
        assert_eq!(statement[key], value, "{key}: {statement}");
    }
    assert_eq!(statement["v"], 1);
    assert_eq!(statement["roles"], serde_json::json!(["analyst"]));
    assert_eq!(statement["products"], serde_json::json!(["finance.orders"]));
    assert_eq!(statement["masked"], serde_json::json!(["finance.orders.customer_email"]));
    assert!(statement["unmasked"].as_array().is_none_or(Vec::is_empty));
    assert!(statement["forwarded"].as_str().unwrap().contains("LIMIT"));
    let outcome = all.iter().find(|r| r["event"] == "outcome" && r["of"] == statement["seq"]).expect("an outcome");
    assert_eq!(outcome["rows"], 3);
    assert!(outcome["duration_ms"].is_number() && outcome["bytes"].as_u64().unwrap() > 0);
    let seqs: Vec<u64> = all.iter().map(|r| r["seq"].as_u64().unwrap()).collect();
    assert!(seqs.windows(2).all(|w| w[1] == w[0] + 1), "no gaps");
    let secret = std::fs::read_to_string(f.proxy.audit_path()).unwrap() + &f.proxy.log();
    for hidden in [crate::common::proxy::HASH_KEY, "analyst-demo", "account-test"] {
        assert!(!secret.contains(hidden), "a secret was written down");
    }
}

fn recorded(f: &Fixture) {
    let mut wire = f.proxy.login("manager");
    wire.one("SELECT marker_recorded FROM raw.people");
    wire.one("SET extra_float_digits = 2 /* marker_recorded */");
    wire.terminate();
    let _ = f.proxy.login_with("analyst", &[("client_encoding", "LATIN1")]);
    let _ = crate::common::wire::Wire::connect(f.proxy.port, "analyst", "nope", "warehouse", &[]);
    let all = f.proxy.settled("marker_recorded", &["session_start", "session_end", "auth_failure"]);
    let denied = records_of(&all, "statement", "marker_recorded");
    assert_eq!(denied[0]["decision"], "deny");
    assert_eq!(denied[0]["sqlstate"], "42P01");
    assert!(denied[0]["reason"].is_string() && denied[0]["forwarded"].is_null());
}

fn extended(f: &Fixture) {
    let mut wire = f.proxy.login("analyst");
    wire.parse("m", "SELECT $1::int AS marker_extended, count(*) FROM marketing.campaigns", &[]).sync();
    wire.until_ready();
    for n in ["1", "2", "3"] {
        wire.bind("", "m", &[Some(n)], false).execute("", 0).sync();
        wire.until_ready();
    }
    let all = f.proxy.settled("marker_extended", &[]);
    let found = records_of(&all, "statement", "marker_extended");
    let executed = found
        .iter()
        .filter(|s| all.iter().any(|o| o["event"] == "outcome" && o["of"] == s["seq"] && o["rows"] == 1))
        .count();
    assert_eq!(executed, 3, "{found:?}");
}

fn verify(f: &Fixture) {
    let proxy = Proxy::start(&f.warehouse, |_| ());
    let mut wire = proxy.login("analyst");
    for n in 0..50 {
        wire.one(&format!("SELECT {n}"));
    }
    wire.terminate();
    proxy.settled("SELECT 49", &["session_end"]);
    let text = std::fs::read_to_string(proxy.audit_path()).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let check = |text: &str| {
        let path = dir.path().join("audit.jsonl");
        std::fs::write(&path, text).unwrap();
        Command::new(env!("CARGO_BIN_EXE_pgveil")).args(["audit", "verify"]).arg(path).output().unwrap()
    };
    let good = check(&text);
    assert!(good.status.success(), "{}", String::from_utf8_lossy(&good.stdout));
    let lines: Vec<&str> = text.lines().collect();
    let join = |lines: &[&str]| lines.join("\n") + "\n";
    let edited = text.replacen("SELECT 7", "SELECT 8", 1);
    let dropped = join(&[&lines[..20], &lines[21..]].concat());
    let mut swapped = lines.clone();
    swapped.swap(30, 31);
    for (what, broken) in [("edited", edited), ("dropped", dropped), ("swapped", join(&swapped))] {
        let found = check(&broken);
        assert_eq!(found.status.code(), Some(1), "{what}");
        assert!(!found.stdout.is_empty() || !found.stderr.is_empty());
    }
}

fn kill_9(f: &Fixture) {
    let mut proxy = Proxy::start(&f.warehouse, |_| ());
    for round in 0..3 {
        let mut wire = proxy.login("analyst");
        let mut answered = Vec::new();
        for n in 0..40 {
            let marker = format!("marker_kill_{round}_{n}");
            wire.one(&format!("SELECT 1 AS {marker}"));
            answered.push(marker);
        }
        proxy.signal("KILL");
        proxy.restart();
        let all = proxy.audit();
        for marker in &answered {
            assert!(!records_of(&all, "statement", marker).is_empty(), "{marker}");
        }
    }
    let ok =
        Command::new(env!("CARGO_BIN_EXE_pgveil")).args(["audit", "verify"]).arg(proxy.audit_path()).status().unwrap();
    assert!(ok.success());
}

fn unwritable(f: &Fixture) {
    // A limit on the size of files acts like a full disk, and can be lifted again.
    let proxy = Proxy::start(&f.warehouse, |_| ());
    let mut wire = proxy.login("analyst");
    assert_eq!(wire.one("SELECT 1").scalar(), "1");
    let before = proxy.audit().len();
    let limit = Command::new("prlimit").args(["--pid", &proxy.child.id().to_string(), "--fsize=1:unlimited"]).status();
    if !limit.is_ok_and(|s| s.success()) {
        panic!("prlimit (util-linux) is needed for this case");
    }
    let answer = wire.one("SELECT count(*) AS marker_unwritable FROM marketing.campaigns");
    assert_eq!(answer.sqlstate(), "58030", "{answer:?}");
    assert!(proxy.http("/readyz").unwrap().starts_with("HTTP/1.1 503"));
    let _ =
        Command::new("prlimit").args(["--pid", &proxy.child.id().to_string(), "--fsize=unlimited"]).status().unwrap();
    assert_eq!(wire.one("SELECT 2").scalar(), "2", "it goes on when the disk is back");
    assert!(proxy.settled("SELECT 2", &[]).len() > before);
    let ok =
        Command::new(env!("CARGO_BIN_EXE_pgveil")).args(["audit", "verify"]).arg(proxy.audit_path()).status().unwrap();
    assert!(ok.success());
}

fn redacted(f: &Fixture) {
    let proxy = Proxy::start(&f.warehouse, |dir| {
        let path = dir.join("pgveil.toml");
        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::write(
            &path,
            text.replace("path = \"audit/audit.jsonl\"", "path = \"audit/audit.jsonl\"\nsql = \"redacted\""),
        )
        .unwrap();
    });
    proxy.login("analyst").one(
        "SELECT count(*) AS marker_redacted FROM marketing.campaigns WHERE name = 'geheim' AND budget_cents > 424242",
    );
    proxy.settled("marker_redacted", &[]);
    let text = std::fs::read_to_string(proxy.audit_path()).unwrap();
    assert!(text.contains("marker_redacted") && !text.contains("geheim") && !text.contains("424242"), "{text}");
}
