//! Text that wants to abort, overflow or stall the process. Everything runs on threads of 2 MiB, as in a runtime's worker.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test may fail loudly")]

use std::time::{Duration, Instant};

use pgveil::error::{ClientError, sqlstate};
use pgveil::sql::statement::{Parsed, Statement};
use pgveil::sql::{self, SqlError, TextLimits, guard};
use proptest::prelude::*;

fn on_a_small_stack<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    std::thread::Builder::new().stack_size(2 * 1024 * 1024).spawn(work).unwrap().join().unwrap()
}

/// Everything that is done with a statement of a client.
fn whole_way(text: &str) -> Result<Vec<Parsed>, SqlError> {
    let parsed = sql::parse(text, &TextLimits::default())?;
    for one in &parsed {
        let print = sql::render(&one.statement);
        if print.is_empty() {
            continue;
        }
        match guard::check(one) {
            // What Postgres would not take, or what was not read whole, goes no further.
            Err(_) => continue,
            Ok(_) => {
                sql::prove(&one.statement, &print).unwrap_or_else(|error| panic!("{text}\n{print}\n{error}"));
                let _ = guard::summary(&print);
                let _ = sql::fingerprint(&one.statement);
                let _ = sql::redact(&print);
            }
        }
    }
    Ok(parsed)
}

#[test]
fn long_chains_are_taken_or_refused_as_too_complex() {
    let chain = |n: usize, link: &str, item: &str| vec![item; n].join(link);
    for (name, text, fine) in [
        ("OR", format!("SELECT 1 FROM t WHERE {}", chain(5_000, " OR ", "a = 1")), true),
        ("AND", format!("SELECT 1 FROM t WHERE {}", chain(5_000, " AND ", "(a OR b)")), true),
        ("||", format!("SELECT {}", chain(5_000, " || ", "'x'")), true),
        ("+", format!("SELECT {}", chain(15_000, " + ", "1")), true),
        ("UNION", chain(4_900, " UNION ALL ", "SELECT 1"), true),
        ("OR, longest", format!("SELECT 1 FROM t WHERE {}", chain(19_900, " OR ", "a")), true),
        ("::", format!("SELECT 1{}", "::int".repeat(2_000)), true),
        ("[]", format!("SELECT a{} FROM t", "[1]".repeat(2_000)), true),
        ("IN", format!("SELECT 1 WHERE 1 IN ({})", chain(50_000, ", ", "1")), true),
        ("CASE", format!("SELECT CASE {} END", chain(5_000, " ", "WHEN a THEN 1")), true),
        ("JOIN", format!("SELECT 1 FROM a {}", chain(2_000, " ", "JOIN b ON true")), true),
        ("OR, too long", format!("SELECT 1 FROM t WHERE {}", chain(30_000, " OR ", "a")), false),
        ("||, too long", format!("SELECT {}", chain(30_000, "||", "a")), false),
    ] {
        let started = Instant::now();
        let answer = on_a_small_stack(move || whole_way(&text).map(drop));
        match answer {
            Ok(()) => assert!(fine, "{name}"),
            Err(error) => assert!(matches!(error, SqlError::TooDeep { .. }) && !fine, "{name}: {error}"),
        }
        eprintln!("{name}: {:?}", started.elapsed());
        assert!(started.elapsed() < Duration::from_secs(60), "{name}: {:?}", started.elapsed());
    }
}

#[test]
fn deep_nesting_is_taken_or_refused_as_too_complex() {
    let nest =
        |n: usize, open: &str, middle: &str, close: &str| format!("{}{middle}{}", open.repeat(n), close.repeat(n));
    for (name, text) in [
        ("45 sub-selects", format!("SELECT {}", nest(45, "(SELECT ", "1", ")"))),
        ("100 derived tables", nest(100, "SELECT * FROM (", "SELECT 1 AS a", ") x")),
        ("900 parentheses", format!("SELECT {}", nest(900, "(", "1", ")"))),
        ("200 calls", format!("SELECT {}", nest(200, "f(", "1", ")"))),
        ("100 CASE", format!("SELECT {}", nest(100, "CASE WHEN a THEN ", "1", " END"))),
    ] {
        let started = Instant::now();
        on_a_small_stack(move || whole_way(&text).map(drop)).unwrap_or_else(|error| panic!("{name}: {error}"));
        eprintln!("{name}: {:?}", started.elapsed());
    }
    for (name, text) in [
        ("1,001 parentheses", format!("SELECT {}", nest(1_001, "(", "1", ")"))),
        ("100,000 parentheses", format!("SELECT {}", "(".repeat(100_000))),
        ("2,000 sub-selects", format!("SELECT {}", nest(2_000, "(SELECT ", "1", ")"))),
        ("10,000 NOT", format!("SELECT {} true", "NOT ".repeat(10_000))),
        ("10,000 signs", format!("SELECT {} 1", "- ".repeat(10_000))),
        ("10,000 CASE", format!("SELECT {}", "CASE WHEN ".repeat(10_000))),
        ("10,000 brackets", format!("SELECT {}", "ARRAY[".repeat(10_000))),
        ("10,000 casts", format!("SELECT {}", "CAST(".repeat(10_000))),
        ("10,000 joins to the right", format!("SELECT 1 FROM a {}", "JOIN b ".repeat(10_000))),
    ] {
        let started = Instant::now();
        let error = on_a_small_stack(move || whole_way(&text).map(drop)).expect_err(name);
        let error = ClientError::from(error);
        assert!([sqlstate::STATEMENT_TOO_COMPLEX, sqlstate::SYNTAX_ERROR].contains(&error.sqlstate), "{name}: {error}");
        eprintln!("{name}: {:?} {error}", started.elapsed());
        assert!(started.elapsed() < Duration::from_secs(60), "{name}: {:?}", started.elapsed());
    }
}

#[test]
fn no_text_takes_exponential_time() {
    for (name, text) in [
        ("IN", format!("SELECT 1 WHERE {} oops oops oops", "x IN ((SELECT a FROM t WHERE ".repeat(60))),
        ("FROM", format!("SELECT * FROM {} oops oops oops", "((SELECT a FROM ".repeat(60))),
        ("CASE", format!("SELECT {}", "case-".repeat(200))),
        ("calls", format!("SELECT {}", "f(current_time(case when x in (".repeat(60))),
        ("CAST", format!("SELECT {} oops oops", "CAST(CASE WHEN (".repeat(100))),
        ("interval", format!("SELECT {}", "interval interval(".repeat(200))),
        ("arguments", format!("SELECT {}", "f(a => g(b => ".repeat(60))),
        ("OFFSET", format!("SELECT {}", "(SELECT 1 OFFSET ".repeat(400))),
    ] {
        let started = Instant::now();
        let shown = name.to_owned();
        on_a_small_stack(move || whole_way(&text).map(drop)).expect_err(name);
        eprintln!("{shown}: {:?}", started.elapsed());
        assert!(started.elapsed() < Duration::from_secs(60), "{name}: {:?}", started.elapsed());
    }
}

#[test]
fn ten_megabytes_are_refused_before_they_are_read() {
    for text in [
        format!("SELECT '{}'", "x".repeat(10_000_000)),
        format!("SELECT {}", "1,".repeat(5_000_000)),
        "(".repeat(10_000_000),
        "/*".repeat(5_000_000),
    ] {
        let started = Instant::now();
        let error = on_a_small_stack(move || whole_way(&text).map(drop)).unwrap_err();
        assert!(matches!(error, SqlError::TooLarge { .. }), "{error}");
        assert!(started.elapsed() < Duration::from_secs(60));
        assert_eq!(ClientError::from(error).sqlstate, sqlstate::PROGRAM_LIMIT_EXCEEDED);
    }
    // With the cap lifted the same texts end in an answer too.
    let wide = TextLimits { max_bytes: 100_000_000, ..TextLimits::default() };
    let text = format!("SELECT '{}'", "x".repeat(10_000_000));
    assert!(on_a_small_stack(move || sql::parse(&text, &wide).is_ok()));
    let text = "/*".repeat(5_000_000);
    assert!(on_a_small_stack(move || sql::parse(&text, &wide).is_err()));
}

#[test]
fn a_nul_byte_is_an_encoding_error() {
    let error = ClientError::from(sql::parse("SELECT 'a\0b'", &TextLimits::default()).unwrap_err());
    assert_eq!(error.sqlstate, sqlstate::CHARACTER_NOT_IN_REPERTOIRE);
}

/// Pieces from which SQL-like text is made.
fn piece() -> impl Strategy<Value = String> {
    const PIECES: &[&str] = &[
        "SELECT",
        "FROM",
        "WHERE",
        "AS",
        "a",
        "t",
        "\"B\"",
        "t.a",
        "1",
        "2.5",
        "'x'",
        "''",
        "'it''s'",
        "E'\\''",
        "$$q$$",
        "$1",
        "(",
        ")",
        "(",
        ")",
        ",",
        ";",
        "*",
        "+",
        "-",
        "--",
        "/*",
        "*/",
        "=",
        "<>",
        "||",
        "::",
        "int",
        "text",
        "[",
        "]",
        ".",
        ":",
        "AND",
        "OR",
        "NOT",
        "IS",
        "NULL",
        "IN",
        "LIKE",
        "BETWEEN",
        "CASE",
        "WHEN",
        "THEN",
        "ELSE",
        "END",
        "JOIN",
        "LEFT",
        "ON",
        "USING",
        "GROUP",
        "BY",
        "ORDER",
        "HAVING",
        "LIMIT",
        "OFFSET",
        "UNION",
        "ALL",
        "VALUES",
        "TABLE",
        "WITH",
        "interval",
        "date",
        "EXISTS",
        "ARRAY",
        "OVER",
        "FILTER",
        "PARTITION",
        "ROWS",
        "PRECEDING",
        "->",
        "->>",
        "@>",
        "?",
        "@",
        "~",
        "ISNULL",
        "COLLATE",
        "LATERAL",
        "SET",
        "SHOW",
        "BEGIN",
        "COPY",
        "TO",
        "STDOUT",
        "EXPLAIN",
        "DECLARE",
        "CURSOR",
        "FOR",
        "PREPARE",
        "EXECUTE",
        "FETCH",
        "é",
        "\n",
        "\\",
        "'",
        "\"",
        "$",
        "$x$",
        "U&'",
        "count",
        "x",
        "substring",
        "trim",
        "extract",
        "year",
        "cast",
        "GROUPING",
        "SETS",
        "ROLLUP",
        "TRUE",
        "ROW",
        "ONLY",
        "FIRST",
        "current_user",
        "position",
    ];
    prop_oneof![9 => proptest::sample::select(PIECES).prop_map(str::to_owned), 1 => "[ -~]{0,3}"]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_text_panics(pieces in prop::collection::vec((piece(), any::<bool>()), 0..40)) {
        let text: String = pieces.into_iter().map(|(piece, space)| if space { piece + " " } else { piece }).collect();
        let _ = whole_way(&text);
        let _ = sql::redact(&text);
        let _ = sql::parse_expression(&text);
    }

    #[test]
    fn no_query_panics(pieces in prop::collection::vec(piece(), 0..25)) {
        let text = format!("SELECT a {}", pieces.join(" "));
        let _ = whole_way(&text);
    }

    #[test]
    fn no_bytes_panic(text in "\\PC{0,60}") {
        let _ = whole_way(&text);
    }

    #[test]
    fn any_literal_is_its_value(value in "[^\0]{0,30}") {
        let text = format!("SELECT '{}' AS \"{}\"", value.replace('\'', "''"), format!("c{value}").replace('"', "\"\""));
        let parsed = whole_way(&text).unwrap();
        prop_assert_eq!(parsed.len(), 1);
        let is_query = matches!(parsed[0].statement, Statement::Query(_));
        prop_assert!(is_query);
        let print = sql::render(&parsed[0].statement);
        prop_assert_eq!(print, text);
    }
}
