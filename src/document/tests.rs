//! The reader by itself.

use std::path::Path;
use std::time::Duration;

use super::*;
use crate::error::Level;

struct Nothing;

impl Variables for Nothing {
    fn variable(&self, _: &str) -> Option<String> {
        None
    }
    fn file(&self, _: &Path) -> Result<String, String> {
        Err("no such file".to_owned())
    }
}

fn read(text: &str, secrecy: Secrecy, reader: impl Fn(Table<'_>)) -> Vec<String> {
    let file = SourceFile::new("x.toml", text);
    let document = Document::parse(&file, secrecy, Substitution::any(&Nothing));
    reader(document.root());
    let findings = document.finish();
    findings.iter().map(|f| format!("{}:{}+{} {} [{}]", f.line, f.column, f.width, f.message, f.source_line)).collect()
}

#[test]
fn nearest_is_a_typing_mistake_away() {
    let known = ["max_rows", "copy_max_rows", "explain"];
    for (name, found) in [
        ("max_row", Some("max_rows")),
        ("max-rows", Some("max_rows")),
        ("MAX_ROWS", Some("max_rows")),
        ("mxa_rows", Some("max_rows")),
        ("explian", Some("explain")),
        ("rows", None),
        ("statement_timeout", None),
        ("", None),
    ] {
        assert_eq!(nearest(name, known), found, "{name}");
    }
    assert_eq!(nearest(&"x".repeat(100_000), known), None);
}

#[test]
fn the_caret_stands_under_the_character() {
    let found = read("a = \"é\" # ä\n\t \"yé\" = 2\n", Secrecy::Open, |mut root| {
        root.take("a");
        root.finish();
    });
    assert_eq!(found, ["2:3+4 unknown key \"yé\" [\t \"yé\" = 2]"]);
}

#[test]
fn keys_are_known_when_they_were_asked_for() {
    let found = read("a = 1\nb = 2\n[t]\nc = 3\n", Secrecy::Open, |mut root| {
        root.take("a");
        let table = root.table("t").unwrap();
        table.finish();
        root.finish();
    });
    assert_eq!(found, ["2:1+1 unknown key \"b\" [b = 2]", "4:1+1 unknown key \"c\" in [t] [c = 3]"]);
}

#[test]
fn numbers_are_kept_as_they_are_written() {
    let file = SourceFile::new("x.toml", "a = 1_000\nb = +0.50\nc = 0x10\nd = inf\ne = 99999999999999999999\nf = -3\n");
    let document = Document::parse(&file, Secrecy::Open, Substitution::any(&Nothing));
    let mut root = document.root();
    assert_eq!(root.take("a").and_then(Value::number).unwrap().0, "1000");
    assert_eq!(root.take("b").and_then(Value::number).unwrap().0, "0.50");
    assert_eq!(root.take("c").and_then(Value::number).unwrap().0, "16");
    assert_eq!(root.take("d").and_then(Value::number), None);
    assert_eq!(root.take("e").and_then(|v| v.integer(0..=i64::MAX)), None);
    assert_eq!(root.take("f").and_then(|v| v.integer(-5..=5)), Some(-3));
    root.finish();
    assert_eq!(document.finish().iter().filter(|f| f.level == Level::Error).count(), 2);
}

#[test]
fn days_and_moments() {
    let text = "day = 2027-01-31\nleap = 2027-02-30\nlocal = 2025-03-01T00:00:00\nutc = 2025-03-01T01:00:00+01:00\n";
    let file = SourceFile::new("x.toml", text);
    let document = Document::parse(&file, Secrecy::Open, Substitution::any(&Nothing));
    let mut root = document.root();
    assert_eq!(root.take("day").and_then(Value::date), Some(jiff::civil::date(2027, 1, 31)));
    assert_eq!(root.take("leap").and_then(Value::date), None);
    assert_eq!(root.take("local").and_then(Value::timestamp), None);
    let utc = root.take("utc").and_then(Value::timestamp).unwrap();
    assert_eq!(utc.to_string(), "2025-03-01T00:00:00Z");
}

#[test]
fn a_line_is_cut_before_what_may_be_secret() {
    let found = read("x = { count = \"a\", password = \"p\" }\n", Secrecy::HoldsSecrets, |mut root| {
        let mut table = root.take("x").and_then(Value::table).unwrap();
        table.take("count").and_then(|v| v.integer(0..=1));
        table.take("password");
        table.finish();
    });
    assert_eq!(found, ["1:15+3 \"x.count\" must be a whole number, not a string [x = { count = \"a\", password = …]"]);
}

#[test]
fn a_duration_has_a_least() {
    let found = read("a = \"1s\"\n", Secrecy::Open, |mut root| {
        root.take("a").and_then(|v| v.duration(Duration::from_secs(60)));
        root.finish();
    });
    assert_eq!(found, ["1:5+4 \"a\" must be 1m or longer [a = \"1s\"]"]);
}
