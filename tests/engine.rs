//! What holds of the engine for any statement: it never panics, it always gives the same decision, and taking away a grant
//! never widens what is seen.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test ends where something is not as it should be")]

#[path = "golden/fixture.rs"]
mod fixture;

use std::sync::LazyLock;

use pgveil::govern::access::Access;
use pgveil::govern::decide::{Decision, Plan, SearchPath};
use pgveil::govern::permit::Permit;
use pgveil::govern::snapshot::{Snapshot, SnapshotParts};
use pgveil::sql::{TextLimits, parse};
use proptest::prelude::*;
use proptest::sample::{Index, select};

const USERS: [&str; 6] = ["ana", "nina", "mia o'neil", "root", "eve", "ron"];

/// The statements of the golden files.
static CORPUS: LazyLock<Vec<String>> = LazyLock::new(fixture::corpus);

fn from_corpus(at: Index) -> &'static str {
    at.get::<String>(&CORPUS)
}

static SNAPSHOT: LazyLock<Snapshot> = LazyLock::new(|| fixture::snapshot(fixture::parts()));

/// Snapshots with one grant less, and what was taken away.
static NARROWER: LazyLock<Vec<(String, Snapshot)>> = LazyLock::new(|| {
    let parts = fixture::parts();
    let mut narrower = Vec::new();
    let mut take = |what: String, change: &dyn Fn(&mut SnapshotParts)| {
        let mut less = parts.clone();
        change(&mut less);
        narrower.push((what, fixture::snapshot(less)));
    };
    for (name, role) in &parts.policy.roles {
        let role_of = |parts: &mut SnapshotParts| parts.policy.roles.get(name).cloned().unwrap();
        for at in 0..role.products.len() {
            take(format!("{name} products {at}"), &|parts| {
                let mut less = role_of(parts);
                less.products.remove(at);
                parts.policy.roles.insert(name.clone(), less);
            });
        }
        for at in 0..role.unmask.len() {
            take(format!("{name} unmask {at}"), &|parts| {
                let mut less = role_of(parts);
                less.unmask.remove(at);
                parts.policy.roles.insert(name.clone(), less);
            });
        }
        take(format!("{name} drafts, copy_out, explain"), &|parts| {
            let mut less = role_of(parts);
            (less.copy_out, less.explain) = (false, false);
            less.drafts.clear();
            parts.policy.roles.insert(name.clone(), less);
        });
    }
    for (name, user) in &parts.policy.users {
        for at in 0..user.roles.len() {
            take(format!("{name} role {at}"), &|parts| {
                let mut less = parts.policy.users.get(name).cloned().unwrap();
                less.roles.remove(at);
                parts.policy.users.insert(name.clone(), less);
            });
        }
    }
    narrower
});

/// The decisions on a text; none where it does not parse.
fn decisions(snapshot: &Snapshot, user: &str, sql: &str) -> Vec<Decision> {
    let statements = parse(sql, &TextLimits::default()).unwrap_or_default();
    let one = |parsed| fixture::decide_as(snapshot, user, &SearchPath::Domains, &[], parsed);
    statements.iter().filter_map(one).collect()
}

fn permit_of(decision: &Decision) -> Option<&Permit> {
    match decision {
        Decision::Allow(Plan::Upstream(permit) | Plan::Prepare { permit, .. } | Plan::Declare { permit, .. }) => {
            Some(permit)
        }
        Decision::Allow(Plan::Empty | Plan::Execute { .. } | Plan::Session(_) | Plan::Signal(_))
        | Decision::Deny(_) => None,
    }
}

/// What a permit of the narrower policy shows, the wider one shows too.
fn no_wider(wide: &Snapshot, narrow: &Snapshot, user: &str, permit: &Permit) -> Result<(), TestCaseError> {
    let today = jiff::civil::date(2026, 3, 1);
    let (Some(in_wide), Some(in_narrow)) = (wide.subject(user, None), narrow.subject(user, None)) else {
        return Err(TestCaseError::fail("the user is gone"));
    };
    for product_use in &permit.products {
        let product = wide.parts.catalog.get(&product_use.id).unwrap();
        let granted = matches!(wide.access(&in_wide, product, today), Access::Granted(_));
        prop_assert!(granted, "{} is not granted by the wider policy", product_use.id);
        let (shown, less) = (wide.view(&in_wide, product).unwrap(), narrow.view(&in_narrow, product).unwrap());
        for (wide_column, narrow_column) in shown.columns.iter().zip(&less.columns) {
            prop_assert_eq!(&wide_column.name, &narrow_column.name);
            // With several roles a column may be masked in some rows: less roles may show fewer rows, and those raw.
            prop_assert!(
                narrow_column.masked || !wide_column.masked || less.filtered,
                "{}.{} is raw",
                &product_use.id,
                &narrow_column.name
            );
        }
        prop_assert!(less.filtered || !shown.filtered, "{} is not filtered", product_use.id);
    }
    Ok(())
}

/// Cuts a text into words, literals and signs.
fn pieces(sql: &str) -> Vec<String> {
    let mut pieces: Vec<String> = Vec::new();
    for c in sql.chars() {
        let word = |c: char| c.is_alphanumeric() || c == '_';
        match pieces.last_mut() {
            Some(last) if last.chars().all(word) && word(c) => last.push(c),
            _ => pieces.push(c.to_string()),
        }
    }
    pieces
}

/// A statement of the corpus in which pieces are taken out, doubled, or replaced by pieces of another.
fn mutated() -> impl Strategy<Value = String> {
    let edit = (any::<Index>(), any::<Index>(), 0..4u8);
    (any::<Index>(), any::<Index>(), prop::collection::vec(edit, 1..5)).prop_map(|(first, second, edits)| {
        let mut text = pieces(from_corpus(first));
        let other = pieces(from_corpus(second));
        for (at, from, how) in edits {
            if text.is_empty() {
                break;
            }
            let at = at.index(text.len());
            match how {
                0 => drop(text.remove(at)),
                1 => text.insert(at, text.get(at).cloned().unwrap()),
                2 => text.insert(at, from.get(&other).clone()),
                _ => *text.get_mut(at).unwrap() = from.get(&other).clone(),
            }
        }
        text.concat()
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_statement_is_decided_and_always_in_the_same_way(sql in mutated(), user in select(&USERS[..])) {
        let first = format!("{:?}", decisions(&SNAPSHOT, user, &sql));
        prop_assert_eq!(first, format!("{:?}", decisions(&SNAPSHOT, user, &sql)));
    }

    #[test]
    fn what_was_allowed_reads_nothing_but_granted_relations(sql in mutated(), user in select(&USERS[..])) {
        let subject = SNAPSHOT.subject(user, None).unwrap();
        for decision in decisions(&SNAPSHOT, user, &sql) {
            let Some(permit) = permit_of(&decision) else { continue };
            for product in SNAPSHOT.parts.catalog.iter() {
                let named = permit.products.iter().any(|read| read.id == product.id);
                let physical = product.relation.to_sql();
                prop_assert!(named || !permit.sql.contains(&physical), "{} is read: {}", product.id, permit.sql);
                let granted = matches!(SNAPSHOT.access(&subject, product, jiff::civil::date(2026, 3, 1)), Access::Granted(_));
                prop_assert!(granted || !named, "{} is not granted: {}", product.id, permit.sql);
            }
            prop_assert!(!permit.sql.contains("internal_score") && !permit.sql.contains("password_hash"));
        }
    }

    #[test]
    fn taking_away_a_grant_never_widens_what_is_seen(
        statement in any::<Index>(),
        less in any::<Index>(),
        user in select(&USERS[..]),
    ) {
        let (what, narrow) = less.get(NARROWER.as_slice());
        for decision in decisions(narrow, user, from_corpus(statement)) {
            if let Some(permit) = permit_of(&decision) {
                no_wider(&SNAPSHOT, narrow, user, permit).map_err(|e| TestCaseError::fail(format!("{what}: {e}")))?;
            }
        }
    }
}

/// On a thread with the stack of a runtime's worker.
fn on_small_stack(work: impl FnOnce() + Send + 'static) {
    std::thread::Builder::new().stack_size(2 << 20).spawn(work).unwrap().join().unwrap();
}

#[test]
fn long_chains_and_deep_nesting_need_no_big_stack() {
    on_small_stack(|| {
        let chain = |item: &str, with: &str, times: usize| vec![item; times].join(with);
        let statements = [
            format!("SELECT id FROM ops.depots WHERE {}", chain("id = 1", " OR ", 5_000)),
            format!("SELECT {} FROM ops.depots", chain("name", " || ", 5_000)),
            chain("SELECT id FROM ops.depots", " UNION ALL ", 1_000),
            format!("SELECT {}1{}", "(".repeat(900), ")".repeat(900)),
            format!("SELECT {}id FROM ops.depots{}", "(SELECT ".repeat(45), ")".repeat(45)),
            format!("SELECT 1 WHERE 1 IN ({})", chain("1", ", ", 50_000)),
            format!("SELECT '{}'", "x".repeat(900_000)),
            format!("SELECT {}", chain("1", "::int", 3_000)),
        ];
        for sql in statements {
            for decision in decisions(&SNAPSHOT, "ana", &sql) {
                // A limit may say no; what is allowed was printed, parsed again and dropped here.
                if let Decision::Deny(denial) = &decision {
                    let known = ["54000", "54001", "42601", "42501"].contains(&denial.error.sqlstate.as_str());
                    assert!(known, "{}: {}", &sql[..80.min(sql.len())], denial.error);
                }
            }
        }
    });
}

#[test]
fn the_sizes_that_tools_write_are_allowed() {
    let chain = |item: &str, with: &str, times: usize| vec![item; times].join(with);
    for sql in [
        format!("SELECT id FROM ops.depots WHERE {}", chain("id = 1", " OR ", 5_000)),
        format!("SELECT {}max(id) FROM ops.depots{}", "(SELECT ".repeat(45), ")".repeat(45)),
        format!("SELECT 1 FROM ops.depots WHERE id IN ({})", chain("1", ", ", 20_000)),
    ] {
        let decided = decisions(&SNAPSHOT, "ana", &sql);
        assert!(matches!(decided.as_slice(), [Decision::Allow(_)]), "{}: {decided:?}", &sql[..60]);
    }
}
