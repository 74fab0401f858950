use super::*;
use crate::config::{Limits, OnMaxRows};
use crate::names::UserName;
use crate::sql::statement::Statement;
use std::collections::BTreeMap;

fn surroundings(user: &str) -> Surroundings {
    Surroundings {
        warehouse: WarehouseName::new("w"),
        subject: Subject {
            user: UserName::new(user),
            authenticated_as: None,
            roles: Vec::new(),
            attributes: BTreeMap::new(),
            limits: Limits {
                max_rows: None,
                copy_max_rows: None,
                on_max_rows: OnMaxRows::Cut,
                statement_timeout: None,
                idle_in_transaction_timeout: None,
                max_concurrent: None,
                queue_timeout: std::time::Duration::ZERO,
                max_rows_source: String::new(),
                copy_max_rows_source: ("max_rows", String::new()),
            },
        },
        search_path: SearchPath::Domains,
        today: Date::constant(2026, 1, 1),
    }
}

fn empty_text(text: &str) -> DecidedText {
    let parsed = Parsed { text: text.to_owned(), offset: 0, statement: Statement::Empty, query_text: None };
    Arc::from([Decided::new(&parsed, Decision::Allow(Plan::Empty))])
}

#[test]
fn only_the_same_text_types_and_surroundings_are_found() {
    let cache = DecisionCache::default();
    let ana = cache.intern(&surroundings("ana"));
    let bob = cache.intern(&surroundings("bob"));
    assert_eq!(ana, cache.intern(&surroundings("ana")));
    assert_ne!(ana, bob);
    cache.keep(ana, "select 1", &[23], empty_text("select 1"));
    assert!(cache.find(ana, "select 1", &[23]).is_some());
    assert!(cache.find(ana, "select 1", &[]).is_none());
    assert!(cache.find(ana, "select 2", &[23]).is_none());
    assert!(cache.find(bob, "select 1", &[23]).is_none());
}

#[test]
fn it_is_bounded_by_size() {
    let cache = DecisionCache::default();
    let ana = cache.intern(&surroundings("ana"));
    let long = "x".repeat(1 << 20);
    for n in 0..200 {
        let text = format!("{n}{long}");
        cache.keep(ana, &text, &[], empty_text(&text));
    }
    // Each holds the text twice: as its key, and for the audit record.
    assert!(cache.len() <= 32, "{}", cache.len());
}

#[test]
fn a_hit_is_what_was_kept() {
    let cache = DecisionCache::default();
    let ana = cache.intern(&surroundings("ana"));
    let text = "SELECT channel, count(*) FROM marketing.campaign_attribution GROUP BY 1";
    let kept = empty_text(text);
    cache.keep(ana, text, &[], Arc::clone(&kept));
    // What a hit costs is measured in benches/engine.rs; here, that it builds nothing anew.
    assert!(Arc::ptr_eq(&kept, &cache.find(ana, text, &[]).unwrap()));
}
