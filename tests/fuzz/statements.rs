//! Statements: the golden corpus, mutated, goes the whole way from text to permit.

use std::fs;
use std::sync::LazyLock;

use pgveil::govern::decide::{Decision, SearchPath};
use pgveil::govern::snapshot::Snapshot;
use pgveil::sql::{self, TextLimits, parse, prove};

use super::{fixture, fuzz};

static SNAPSHOT: LazyLock<Snapshot> = LazyLock::new(|| fixture::snapshot(fixture::parts()));

const WORDS: [&str; 72] = [
    " SELECT ",
    " FROM ",
    " WHERE ",
    " WITH ",
    " RECURSIVE ",
    " AS ",
    " UNION ",
    " EXCEPT ALL ",
    " LATERAL ",
    " JOIN ",
    " USING ",
    " ON ",
    " GROUP BY ",
    " ROLLUP ",
    " GROUPING SETS ",
    " HAVING ",
    " WINDOW ",
    " OVER ",
    " PARTITION BY ",
    " ROWS ",
    " RANGE ",
    " ORDER BY ",
    " LIMIT ",
    " OFFSET ",
    " FETCH FIRST ",
    " WITH TIES",
    " FOR UPDATE",
    " DISTINCT ON ",
    " VALUES ",
    " TABLE ",
    " ONLY ",
    " TABLESAMPLE ",
    " ANY ",
    " ALL ",
    " EXISTS ",
    " IN ",
    " BETWEEN SYMMETRIC ",
    " SIMILAR TO ",
    " ESCAPE ",
    " COLLATE ",
    " CASE ",
    " WHEN ",
    " END ",
    " ARRAY",
    " ROW",
    " CAST",
    " interval ",
    " FILTER ",
    " WITHIN GROUP ",
    " NULLS FIRST ",
    "(",
    ")",
    ",",
    ";",
    ".",
    ".*",
    "::",
    "'",
    "\"",
    "--",
    "/*",
    "*/",
    "$$",
    "$1",
    "E'\\'",
    "U&'\\0061'",
    "[",
    "]",
    ":",
    "->>",
    " OPERATOR(pg_catalog.+) ",
    "\u{a0}",
];

fn corpus() -> Vec<Vec<u8>> {
    let mut files: Vec<_> =
        fs::read_dir(fixture::directory().join("cases")).unwrap().map(|f| f.unwrap().path()).collect();
    files.sort();
    let mut statements = Vec::new();
    for file in files {
        let text = fs::read_to_string(file).unwrap();
        let mut lines = text.lines();
        while let Some(line) = lines.next() {
            if line.starts_with("decide") {
                let sql: Vec<&str> = lines.by_ref().take_while(|line| *line != "----").collect();
                statements.push(sql.join("\n").into_bytes());
            }
        }
    }
    statements
}

#[test]
fn statements_are_decided_and_what_is_sent_prints_as_itself() {
    fuzz("statements", &corpus(), &WORDS, 2_500, |input| {
        let text = String::from_utf8_lossy(input);
        let _ = sql::redact(&text);
        let _ = sql::parse_expression(&text);
        for parsed in parse(&text, &TextLimits::default()).unwrap_or_default() {
            for user in ["ana", "mia o'neil"] {
                let decision = fixture::decide_as(&SNAPSHOT, user, &SearchPath::Domains, &[], &parsed);
                if let Some(permit) = decision.as_ref().and_then(Decision::permit) {
                    let again = parse(&permit.sql, &TextLimits::default()).unwrap();
                    assert_eq!(again.len(), 1, "{}", permit.sql);
                    prove(&again[0].statement, &permit.sql).unwrap();
                    let hidden = ["internal_score", "password_hash", "salaries", "reviews", "margin"];
                    // As a name that the client did not write.
                    let asked = text.to_ascii_lowercase();
                    let named = |name: &str| permit.sql.contains(&format!("\"{name}\"")) && !asked.contains(name);
                    assert!(!hidden.iter().any(|name| named(name)), "{}", permit.sql);
                }
            }
        }
    });
}
