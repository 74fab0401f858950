use clap::Parser;

use super::*;
use crate::govern::testing::{binding, build, filter, parts, product, user, warehouse};

#[derive(Parser)]
struct Line {
    #[command(flatten)]
    args: ExplainArgs,
}

/// The output and whether every statement was allowed.
fn explain(arguments: &[&str]) -> (String, bool) {
    let mut people = product("crm.people");
    people.row_filters = vec![filter(binding(&["analyst"]), "region = {user.region}")];
    let mut parts = parts(vec![people, product("ops.jobs")], vec![("ana", user(&["analyst"], &[("region", "EU")]))]);
    parts.warehouses.insert(warehouse(), Default::default());
    let known = parts.facts.relations.get_mut(&warehouse()).unwrap();
    known.retain(|(relation, _)| relation.name == "crm_people");
    let args = Line::parse_from([&["explain"], arguments].concat()).args;
    let mut out = Vec::new();
    let code = run(&args, &build(parts).unwrap(), Date::constant(2026, 6, 1), &mut out).unwrap();
    (String::from_utf8(out).unwrap(), code == ExitCode::SUCCESS)
}

#[test]
fn an_allowed_statement_shows_what_would_run() {
    let (text, allowed) = explain(&["--user", "ana", "SELECT email FROM crm.people"]);
    assert!(allowed, "{text}");
    for line in [
        "decision   allow",
        "because    crm.people is granted by role analyst",
        "because    crm.people.email is personal and is read masked",
        "  mask     email: last4",
        "  filter   \"region\" = 'EU'",
        "  fence    left out: no condition can tell of a hidden row",
        "limit      at most 10000 rows (max_rows of defaults)",
        "limit      at most 30s",
        "forwarded  SELECT",
    ] {
        assert!(text.contains(line), "{line}\n{text}");
    }
}

#[test]
fn a_fence_that_stands_says_why() {
    let (text, _) = explain(&["--user", "ana", "SELECT id FROM crm.people WHERE email LIKE 'a%'"]);
    assert!(text.contains("  fence    OFFSET 0: LIKE is not leak-proof"), "{text}");
}

#[test]
fn a_denial_shows_its_reason_and_the_exit_code_says_so() {
    let (text, allowed) = explain(&["--user", "ana", "DELETE FROM crm.people"]);
    assert!(!allowed && text.contains("decision   deny, 42501") && text.contains("DELETE"), "{text}");
    let (text, allowed) = explain(&["--user", "ana", "SELECT (1"]);
    assert!(!allowed && text.contains("decision   deny, 42601"), "{text}");
}

#[test]
fn missing_facts_are_said() {
    let (text, allowed) = explain(&["--user", "ana", "SELECT id FROM ops.jobs"]);
    assert!(!allowed && text.contains("facts    none are stored"), "{text}");
}

#[test]
fn json_is_for_programs() {
    let (text, _) = explain(&["--user", "ana", "--format", "json", "SELECT id FROM crm.people; SHOW timezone"]);
    let json: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(json["statements"][0]["products"][0]["id"], "crm.people");
    assert_eq!(json["statements"][1]["allowed"], true);
    assert_eq!(json["roles"][0], "analyst");
}

#[test]
fn an_unknown_user_or_database_is_bad_usage() {
    assert!(explain(&["--user", "nobody", "SELECT 1"]).0.is_empty());
    assert!(explain(&["--user", "ana", "--database", "x", "SELECT 1"]).0.is_empty());
}
