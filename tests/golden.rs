//! Golden files: who asks, SQL in, SQL out or the denial. `UPDATE_GOLDEN=1 cargo test --test golden` rewrites them.
//!
//! A case is a directive, the SQL, `----` and what came out, ended by an empty line:
//!
//! ```text
//! decide user=ana
//! SELECT 1
//! ----
//! query, at most 10000 rows (defaults)
//! SELECT 1 AS "?column?" LIMIT 10001
//! ```
//!
//! Directives take `user=`, `path=a,b` (search_path) and `types=23,25` (parameter OIDs); a line `user NAME` sets the user of
//! what follows. `#` begins a comment. Every allowed statement is parsed again and must be a fixed point of the printer.

#![expect(clippy::panic, clippy::unwrap_used, reason = "a test ends where something is not as it should be")]

#[path = "golden/fixture.rs"]
mod fixture;

use std::fmt::Write as _;
use std::fs;

use pgveil::govern::decide::{Decision, Plan, SearchPath};
use pgveil::govern::fence::Fence;
use pgveil::govern::permit::{Denial, Permit, PermitKind};
use pgveil::govern::snapshot::Snapshot;
use pgveil::sql::statement::Parsed;
use pgveil::sql::{TextLimits, parse, prove, render};

#[test]
fn decisions_are_as_the_golden_files_say() {
    let snapshot = fixture::snapshot(fixture::parts());
    let update = std::env::var_os("UPDATE_GOLDEN").is_some();
    let mut files: Vec<_> =
        fs::read_dir(fixture::directory().join("cases")).unwrap().map(|f| f.unwrap().path()).collect();
    files.sort();
    assert!(!files.is_empty());
    let (mut cases, mut failures) = (0, Vec::new());
    for file in files {
        let text = fs::read_to_string(&file).unwrap();
        let (again, found, differing) = run(&snapshot, &text);
        cases += found;
        if update {
            fs::write(&file, &again).unwrap();
        } else {
            failures.extend(differing.into_iter().map(|case| format!("{}:\n{case}", file.display())));
        }
    }
    assert!(failures.is_empty(), "{} of {cases} cases differ:\n{}", failures.len(), failures.join("\n\n"));
    assert!(cases >= 300, "there are only {cases} cases");
}

/// Runs a file: its text as it should be, how many cases it has, and those that differ.
fn run(snapshot: &Snapshot, text: &str) -> (String, usize, Vec<String>) {
    let (mut again, mut cases, mut differing) = (String::new(), 0, Vec::new());
    let mut default_user = "ana".to_owned();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if let Some(user) = line.strip_prefix("user ") {
            default_user = user.to_owned();
        }
        writeln!(again, "{line}").unwrap();
        let Some(directive) = line.strip_prefix("decide") else {
            let known = line.is_empty() || line.starts_with('#') || line.starts_with("user ");
            assert!(known, "not understood: {line}");
            continue;
        };
        let sql: Vec<&str> = lines.by_ref().take_while(|line| *line != "----").collect();
        let expected: Vec<&str> = lines.by_ref().take_while(|line| !line.is_empty()).collect();
        let (sql, expected) = (sql.join("\n"), expected.join("\n"));
        let answer = answers(snapshot, &Directive::read(directive, &default_user), &sql);
        cases += 1;
        if answer != expected {
            differing.push(format!("{line}\n{sql}\n---- expected\n{expected}\n---- found\n{answer}"));
        }
        writeln!(again, "{sql}\n----\n{answer}\n").unwrap();
    }
    (format!("{}\n", again.trim_end()), cases, differing)
}

struct Directive {
    user: String,
    path: SearchPath,
    types: Vec<u32>,
}

impl Directive {
    fn read(text: &str, user: &str) -> Self {
        let mut read = Self { user: user.to_owned(), path: SearchPath::Domains, types: Vec::new() };
        for word in text.split_whitespace() {
            match word.split_once('=') {
                Some(("user", user)) => read.user = user.to_owned(),
                Some(("path", path)) => read.path = SearchPath::Explicit(path.split(',').map(str::to_owned).collect()),
                Some(("types", types)) => read.types = types.split(',').map(|t| t.parse().unwrap()).collect(),
                _ => panic!("not understood: {word}"),
            }
        }
        read
    }
}

fn answers(snapshot: &Snapshot, directive: &Directive, sql: &str) -> String {
    let statements = match parse(sql, &TextLimits::default()) {
        Ok(statements) => statements,
        Err(error) => {
            let error = pgveil::error::ClientError::from(error);
            return denied(&Denial { error, reason: "syntax", products: Vec::new() });
        }
    };
    let answers: Vec<_> = statements.iter().map(|parsed| answer(snapshot, directive, parsed)).collect();
    answers.join("\n--\n")
}

fn answer(snapshot: &Snapshot, directive: &Directive, parsed: &Parsed) -> String {
    let decide = || fixture::decide_as(snapshot, &directive.user, &directive.path, &directive.types, parsed).unwrap();
    let decision = decide();
    assert_eq!(format!("{decision:?}"), format!("{:?}", decide()), "not deterministic: {}", parsed.text);
    match decision {
        Decision::Deny(denial) => denied(&denial),
        Decision::Allow(Plan::Empty) => "empty".to_owned(),
        Decision::Allow(Plan::Session(session)) => format!("session {session:?}"),
        Decision::Allow(Plan::Signal(signal)) => format!("signal {signal:?}"),
        Decision::Allow(Plan::Execute { name, arguments }) => {
            format!("execute {name} with {}", arguments.iter().map(|a| format!("({a})")).collect::<Vec<_>>().join(" "))
        }
        Decision::Allow(Plan::Upstream(permit)) => permitted("", &permit),
        Decision::Allow(Plan::Prepare { name, types, permit }) => {
            permitted(&format!(" {name} ({})", types.join(", ")), &permit)
        }
        Decision::Allow(Plan::Declare { name, hold, permit }) => {
            permitted(&format!(" {name}{}", if hold { " with hold" } else { "" }), &permit)
        }
    }
}

fn permitted(name: &str, permit: &Permit) -> String {
    let mut out = format!("{}{name}", format!("{:?}", permit.kind).to_lowercase());
    match &permit.row_cap {
        Some(cap) => {
            write!(out, ", at most {} rows ({})", cap.limit, cap.source).unwrap();
            if !cap.in_sql {
                out.push_str(", counted on the relay");
            }
        }
        None => out.push_str(", all rows"),
    }
    if !permit.cacheable {
        out.push_str(", for this session");
    }
    if permit.introspects {
        out.push_str(", catalogs");
    }
    write!(out, "\n{}", permit.sql).unwrap();
    let products: Vec<_> =
        permit.products.iter().map(|p| format!("{}{}", p.id, if p.guarded { "!" } else { "" })).collect();
    for (title, list) in [("products", &products), ("masked", &permit.masked), ("unmasked", &permit.unmasked)] {
        if !list.is_empty() {
            write!(out, "\n{title}: {}", list.join(", ")).unwrap();
        }
    }
    for product in &permit.products {
        match &product.fence {
            Fence::None => {}
            Fence::LeftOut => write!(out, "\nfence: {} without", product.id).unwrap(),
            Fence::Stands(reason) => write!(out, "\nfence: {} stands, {reason}", product.id).unwrap(),
        }
    }
    if let Some(shape) = &permit.explain {
        let relations: Vec<_> = shape.relations.iter().map(|(relation, id)| format!("{relation} as {id}")).collect();
        write!(out, "\nshown: {:?}, costs {}, {}", shape.format, shape.costs, relations.join(", ")).unwrap();
    }
    for (id, notice) in &permit.notices {
        write!(out, "\nnotice for {id}: {} {:?} {:?}", notice.message, notice.detail, notice.hint).unwrap();
    }
    fixed_point(permit);
    out
}

/// What goes upstream parses as one statement that prints as itself.
fn fixed_point(permit: &Permit) {
    let again = parse(&permit.sql, &TextLimits::default()).unwrap_or_else(|e| panic!("{}: {e}", permit.sql));
    let [one] = again.as_slice() else { panic!("not one statement: {}", permit.sql) };
    assert!(prove(&one.statement, &permit.sql).is_ok(), "not a fixed point: {}", permit.sql);
    if permit.kind != PermitKind::Prepare {
        assert_eq!(render(&one.statement), *permit.sql);
    }
}

fn denied(denial: &Denial) -> String {
    let error = &denial.error;
    let mut out = format!("error {} ({})", error.sqlstate, denial.reason);
    if let Some(position) = error.position {
        write!(out, " at {position}").unwrap();
    }
    write!(out, "\n{}", error.message).unwrap();
    for (title, text) in [("detail", &error.detail), ("hint", &error.hint)] {
        if let Some(text) = text {
            write!(out, "\n{title}: {text}").unwrap();
        }
    }
    if !denial.products.is_empty() {
        let products: Vec<_> = denial.products.iter().map(ToString::to_string).collect();
        write!(out, "\nproducts: {}", products.join(", ")).unwrap();
    }
    out
}
