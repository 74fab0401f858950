//! Statements that differ in literals alone share a decision: it is the one that each of them would get by itself, and those
//! of which a literal's value had a say share none.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test ends where something is not as it should be")]

#[path = "golden/fixture.rs"]
mod fixture;

use std::sync::LazyLock;

use fixture::FixedSession;
use pgveil::govern::cache::{Decided, Known, Surroundings};
use pgveil::govern::decide::{DecideInput, Decision, SearchPath, SessionValues, decide};
use pgveil::govern::shape::shape;
use pgveil::govern::snapshot::Snapshot;
use pgveil::sql::statement::SessionStatement;
use pgveil::sql::{TextLimits, parse};
use pgveil::statement::{Asking, Simulated};
use proptest::prelude::*;
use proptest::sample::{Index, select};

/// What stands for an integer and for a string in a shape.
const PLACES: [char; 2] = ['\u{1}', '\u{2}'];

static SNAPSHOT: LazyLock<Snapshot> = LazyLock::new(|| fixture::snapshot(fixture::parts()));

impl Simulated for FixedSession {
    fn search_path(&self) -> SearchPath {
        SearchPath::Domains
    }
    fn advance(&mut self, _: &SessionStatement) {}
}

fn surroundings(user: &str) -> Surroundings {
    Surroundings {
        warehouse: fixture::warehouse(),
        subject: SNAPSHOT.subject(user, None).unwrap(),
        search_path: SearchPath::Domains,
        today: jiff::civil::date(2026, 3, 1),
    }
}

fn asked(user: &str, text: &str) -> Option<Decided> {
    let surroundings = surroundings(user);
    let id = SNAPSHOT.decisions().intern(&surroundings);
    let asking = Asking { snapshot: &SNAPSHOT, surroundings: &surroundings, id };
    asking.decide(text, &[], || FixedSession).ok()?.first().cloned()
}

fn has_template(user: &str, text: &str) -> bool {
    let id = SNAPSHOT.decisions().intern(&surroundings(user));
    let Some(shape) = shape(text) else { return false };
    matches!(SNAPSHOT.decisions().known_shape(id, &shape.key, &[]), Some(Known::Template(_)))
}

/// The decision by itself, nothing remembered, and the statement's own text.
fn alone(user: &str, text: &str) -> Option<(Decision, String)> {
    let parsed = parse(text, &TextLimits::default()).ok()?;
    let [parsed] = parsed.as_slice() else { return None };
    Some((fixture::decide_as(&SNAPSHOT, user, &SearchPath::Domains, &[], parsed)?, parsed.text.clone()))
}

/// The text with other literals in the places of its own.
fn with_literals(text: &str, mut literals: impl FnMut(char) -> String) -> Option<String> {
    let key = shape(text)?.key;
    Some(key.chars().map(|c| if PLACES.contains(&c) { literals(c) } else { c.to_string() }).collect())
}

#[test]
fn look_ups_share_a_decision() {
    for (one, two, three) in [
        (
            "SELECT total FROM sales.orders WHERE id = 1",
            "SELECT total FROM sales.orders WHERE id = 22",
            "SELECT total FROM sales.orders WHERE id = 333",
        ),
        (
            " SELECT c.name, count(*) FROM sales.customers c WHERE c.name IN ('a', 'b') AND 5 > 3 GROUP BY c.name; ",
            " SELECT c.name, count(*) FROM sales.customers c WHERE c.name IN ('x', '') AND 0 > 9 GROUP BY c.name; ",
            " SELECT c.name, count(*) FROM sales.customers c WHERE c.name IN ('it''s', '--') AND 1 > 2 GROUP BY c.name; ",
        ),
        (
            "SELECT id, -1, date '2020-01-01' FROM sales.orders ORDER BY 1",
            "SELECT id, -2, date '2020-01-02' FROM sales.orders ORDER BY 2",
            "SELECT id, -3, date '2020-01-03' FROM sales.orders ORDER BY 3",
        ),
        (
            "SELECT * FROM (SELECT id FROM sales.orders LIMIT 1) AS x",
            "SELECT * FROM (SELECT id FROM sales.orders LIMIT 2) AS x",
            "SELECT * FROM (SELECT id FROM sales.orders LIMIT 3) AS x",
        ),
    ] {
        asked("ana", one).unwrap_or_else(|| panic!("{one}"));
        assert!(!has_template("ana", one), "a shape is learnt when it comes again: {one}");
        asked("ana", two).unwrap();
        assert!(has_template("ana", three), "{three}");
        let shared = asked("ana", three).unwrap();
        let (own, text) = alone("ana", three).unwrap();
        assert_eq!(shared.decision.permit().unwrap(), own.permit().unwrap());
        assert_eq!(*shared.text, *text, "what is recorded is what was asked");
        assert_eq!(shared.fingerprint(), own.permit().unwrap().fingerprint);
        assert!(!has_template("nina", three), "another user's decision is another decision");
    }
}

#[test]
fn a_literal_that_had_a_say_is_not_shared() {
    for (one, two, three) in [
        ("SELECT 1 LIMIT 5", "SELECT 1 LIMIT 6", "SELECT 1 LIMIT 99999999"),
        ("SELECT 1 OFFSET 5", "SELECT 1 OFFSET 6", "SELECT 1 OFFSET 7"),
        ("(SELECT 1 LIMIT 5)", "(SELECT 1 LIMIT 6)", "(SELECT 1 LIMIT 99999999)"),
        (
            "SELECT 1 FETCH FIRST 5 ROWS ONLY",
            "SELECT 1 FETCH FIRST 6 ROWS ONLY",
            "SELECT 1 FETCH FIRST 99999999 ROWS ONLY",
        ),
        ("SELECT repeat('a', 3)", "SELECT repeat('a', 4)", "SELECT repeat('a', 99999999)"),
        ("SELECT lpad('a', 3)", "SELECT lpad('a', 4)", "SELECT lpad('a', 99999999)"),
        ("SELECT generate_series(1, 3)", "SELECT generate_series(1, 4)", "SELECT generate_series(1, 99999999)"),
        (
            "SELECT * FROM generate_series(1, 3)",
            "SELECT * FROM generate_series(1, 4)",
            "SELECT * FROM generate_series(1, 99999999)",
        ),
        ("SELECT array_fill(1, ARRAY[2])", "SELECT array_fill(1, ARRAY[3])", "SELECT array_fill(1, ARRAY[99999999])"),
        ("SELECT format('%5s', 'a')", "SELECT format('%6s', 'a')", "SELECT format('%99999999s', 'a')"),
        (
            "SELECT current_setting('timezone')",
            "SELECT current_setting('timezone')",
            "SELECT current_setting('data_directory')",
        ),
        (
            "SELECT c.id, c.name FROM sales.customers c GROUP BY 1, 2",
            "SELECT c.id, c.name FROM sales.customers c GROUP BY 2, 1",
            "SELECT c.id, c.name FROM sales.customers c GROUP BY 1, 1",
        ),
        ("SELECT 'abc'::varchar(2)", "SELECT 'abc'::varchar(3)", "SELECT 'abc'::varchar(4)"),
        (
            "SELECT 'abc'::pg_catalog.varchar(2)",
            "SELECT 'abc'::pg_catalog.varchar(3)",
            "SELECT 'abc'::pg_catalog.varchar(4)",
        ),
        ("SELECT '1'::numeric(3, 1)", "SELECT '1'::numeric(4, 1)", "SELECT '1'::numeric(5, 1)"),
        ("SELECT '1 s'::interval(3)", "SELECT '1 s'::interval(4)", "SELECT '1 s'::interval(5)"),
        ("SELECT interval(3) '1 s'", "SELECT interval(4) '1 s'", "SELECT interval(5) '1 s'"),
        ("SELECT now()::timestamp(3)", "SELECT now()::timestamp(4)", "SELECT now()::timestamp(5)"),
        ("SELECT '1'::float(3)", "SELECT '1'::float(4)", "SELECT '1'::float(54)"),
        ("SELECT '{}'::int[3]", "SELECT '{}'::int[4]", "SELECT '{}'::int[5]"),
        ("SELECT '1'::text; SELECT 2", "SELECT '2'::text; SELECT 3", "SELECT '3'::text; SELECT 4"),
        ("EXPLAIN SELECT 1", "EXPLAIN SELECT 2", "EXPLAIN SELECT 3"),
        ("COPY (SELECT 1) TO STDOUT", "COPY (SELECT 2) TO STDOUT", "COPY (SELECT 3) TO STDOUT"),
        ("DECLARE c CURSOR FOR SELECT 1", "DECLARE c CURSOR FOR SELECT 2", "DECLARE c CURSOR FOR SELECT 3"),
        ("PREPARE p AS SELECT 1", "PREPARE p AS SELECT 2", "PREPARE p AS SELECT 3"),
        ("SET statement_timeout = 1", "SET statement_timeout = 2", "SET statement_timeout = 3"),
    ] {
        for text in [one, two, one, two, three] {
            let shared = asked("ana", text);
            assert!(!has_template("ana", text), "{text}");
            if text != three && !one.contains(';') {
                let (own, _) = alone("ana", text).unwrap();
                let shared = shared.unwrap_or_else(|| panic!("{text} is refused: {own:?}"));
                assert_eq!(shared.decision.permit(), own.permit(), "{text}");
            }
        }
    }
}

#[test]
fn what_is_refused_by_itself_is_refused() {
    // Each of them has the shape of the two before.
    for text in ["SELECT salary FROM hr.salaries WHERE id = 1", "SELECT salary FROM hr.salaries WHERE id = 2"] {
        assert!(asked("ana", text).is_none());
        assert!(!has_template("ana", text));
    }
    struct Nobody;
    impl SessionValues for Nobody {
        fn setting(&self, _: &str) -> Option<String> {
            None
        }
        fn backend_pid(&self) -> i32 {
            0
        }
    }
    let parsed = parse("SELECT 1", &TextLimits::default()).unwrap();
    let of_other = decide(&DecideInput {
        snapshot: &SNAPSHOT,
        warehouse: &fixture::warehouse(),
        subject: &SNAPSHOT.subject("ana", None).unwrap(),
        search_path: &SearchPath::Domains,
        session: &Nobody,
        parsed: parsed.first().unwrap(),
        param_types: &[],
        today: jiff::civil::date(2026, 3, 1),
    });
    let permit = of_other.permit().unwrap();
    assert!(permit.blind && permit.cacheable);
}

/// Statements of the golden files that have a shape.
static CORPUS: LazyLock<Vec<String>> = LazyLock::new(|| {
    let mut statements = fixture::corpus();
    statements.retain(|text| shape(text).is_some());
    statements
});

/// Else the property below would say nothing.
#[test]
fn many_statements_of_the_corpus_have_a_template() {
    for text in CORPUS.iter() {
        asked("root", text);
        let mut n = 1;
        let other = with_literals(text, |kind| {
            n += 1;
            if kind == PLACES[0] { n.to_string() } else { format!("'{n}'") }
        });
        asked("root", &other.unwrap());
    }
    let templates = CORPUS.iter().filter(|text| has_template("root", text)).count();
    assert!(templates > CORPUS.len() / 5, "{templates} of {}", CORPUS.len());
}

fn literal() -> impl Strategy<Value = (u32, String)> {
    let texts = ["", "a", "it's", "'", "--", "/*", "$1", "$$", "1", "%s", "é", "\n", ";", "\"", "now", "NULL", "{1,2}"];
    let text = prop_oneof![select(texts.to_vec()).prop_map(str::to_owned), "[a-z0-9 '\"$%;()-]{0,12}"];
    let number = prop_oneof![0_u32..12, 0_u32..=999_999_999];
    (number, text)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn a_shared_decision_is_the_statements_own(
        at in any::<Index>(),
        user in select(vec!["ana", "mia o'neil", "root", "eve"]),
        literals in proptest::collection::vec(literal(), 1..8),
    ) {
        let text = at.get::<String>(&CORPUS);
        let mut next = literals.iter().cycle();
        let mut other = || with_literals(text, |kind| {
            let (number, string) = next.next().unwrap();
            if kind == PLACES[0] { number.to_string() } else { format!("'{}'", string.replace('\'', "''")) }
        }).unwrap();
        let (second, third) = (other(), other());
        for asked_before in [text, &second, text, &second] {
            asked(user, asked_before);
        }
        let templated = has_template(user, &third);
        let shared = asked(user, &third);
        match alone(user, &third) {
            Some((own @ Decision::Allow(_), own_text)) => {
                let shared = shared.unwrap();
                prop_assert_eq!(shared.decision.permit(), own.permit());
                prop_assert_eq!(&*shared.text, own_text.as_str());
            }
            Some((Decision::Deny(_), _)) => prop_assert!(shared.is_none() && !templated, "{}", third),
            None => {}
        }
    }
}
