//! Statements as people and tools write them: each must parse, print as itself to both parsers, and be proven.

#![expect(clippy::unwrap_used, reason = "a test may fail loudly")]

use std::path::PathBuf;

use pgveil::sql::statement::Statement;
use pgveil::sql::{self, TextLimits, guard};

fn corpus() -> Vec<(String, String)> {
    let directory = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/corpus");
    let mut files: Vec<PathBuf> = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let mut statements = Vec::new();
    for file in files {
        let text = std::fs::read_to_string(&file).unwrap();
        let name = file.file_name().unwrap().to_string_lossy().into_owned();
        // Statement by statement, so that one that does not parse does not hide the others.
        for statement in text.split(";\n").map(str::trim).filter(|statement| !statement.is_empty()) {
            statements.push((name.clone(), statement.to_owned()));
        }
    }
    statements
}

#[test]
fn the_corpus_is_reproduced() {
    let corpus = corpus();
    assert!(corpus.len() >= 200, "{}", corpus.len());
    let mut failures = Vec::new();
    for (file, text) in &corpus {
        if let Err(problem) = reproduce(text) {
            failures.push(format!("{file}: {text}\n    {problem}"));
        }
    }
    assert!(failures.is_empty(), "{} of {}:\n{}", failures.len(), corpus.len(), failures.join("\n"));
}

fn reproduce(text: &str) -> Result<(), String> {
    let parsed = sql::parse(text, &TextLimits::default()).map_err(|error| format!("parse: {error:?}"))?;
    let [one] = parsed.as_slice() else { return Err(format!("{} statements", parsed.len())) };
    if !matches!(one.statement, Statement::Query(_)) {
        return Err(format!("{:?}", one.statement));
    }
    let print = sql::render(&one.statement);
    guard::check(one).map_err(|error| format!("guard: {error}\n    {print}"))?;
    sql::prove(&one.statement, &print).map_err(|error| format!("proof: {error}\n    {print}"))?;
    if let Some(summary) = guard::summary(&print).map_err(|error| format!("summary: {error}"))?
        && summary.statements != 1
    {
        return Err(format!("{} statements in the summary", summary.statements));
    }
    Ok(())
}
