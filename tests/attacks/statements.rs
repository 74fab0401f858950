//! Cases of SQL: every statement runs in the simple protocol and in the extended one with results in text and in binary.
//!
//! Under a statement stands what must come of it: `-> row a | b` (each row in order), `-> rows N`, `-> tag WORDS`,
//! `-> columns a | b`, `-> copied TEXT`, `-> deny CODE | words | words` (behind rows, where there are some), `-> notice CODE | words`, `-> ends CODE` (of the
//! session), `-> quiet` (no notice), `-> fine` (whatever it is, without a marker). `-> or` separates alternatives.

use std::fmt::Write as _;

use postgres_protocol::message::frontend;

use crate::canaries;
use crate::common::proxy::Proxy;
use crate::common::wire::{Answer, Frame, Wire, answers};
use crate::fixture::{Fixture, login};
use crate::script::{Case, expand, parts};

/// How a statement is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    Simple,
    Extended,
    Binary,
}

const MODES: [Mode; 3] = [Mode::Simple, Mode::Extended, Mode::Binary];

/// A statement and what must come of it: alternatives of checks.
struct Step {
    line: usize,
    sql: Vec<u8>,
    expected: Vec<Vec<String>>,
}

fn steps(case: &Case) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    let mut sql = String::new();
    let mut fresh = true;
    for (line, text) in &case.lines {
        match text.strip_prefix("->").map(str::trim) {
            None => {
                if !fresh {
                    sql.push('\n');
                }
                sql.push_str(text);
                fresh = false;
            }
            Some(check) => {
                if !fresh {
                    let sql = expand(&std::mem::take(&mut sql), &|_| None);
                    steps.push(Step { line: *line, sql, expected: vec![Vec::new()] });
                    fresh = true;
                }
                let step = steps.last_mut().unwrap_or_else(|| panic!("{}: no statement", case.title));
                if check == "or" {
                    step.expected.push(Vec::new());
                } else {
                    step.expected.last_mut().unwrap().push(check.to_owned());
                }
            }
        }
    }
    assert!(fresh, "{}: nothing is expected of the last statement", case.title);
    steps
}

/// What came of a statement.
struct Outcome {
    frames: Vec<Frame>,
    answers: Vec<Answer>,
    ended: bool,
}

impl Outcome {
    fn received(&self) -> Vec<u8> {
        self.frames.iter().flat_map(|f| f.body.iter().copied().chain([0])).collect()
    }
    fn error(&self) -> Option<&Answer> {
        self.answers.iter().find(|a| a.error.is_some())
    }
    fn rows(&self) -> Vec<String> {
        self.answers.iter().flat_map(Answer::text_rows).map(|row| row.join(" | ")).collect()
    }
    fn describe(&self) -> String {
        let mut text = String::new();
        for answer in &self.answers {
            for notice in &answer.notices {
                let _ = writeln!(text, "      -> notice {} | {}", notice[&'C'], notice[&'M']);
            }
            for row in answer.text_rows().iter().take(12) {
                let _ = writeln!(text, "      -> row {}", row.join(" | "));
            }
            match &answer.error {
                Some(e) => {
                    let _ = write!(text, "      -> deny {} | {}", e[&'C'], e[&'M']);
                    for field in ['D', 'H', 'W', 'q'] {
                        if let Some(value) = e.get(&field) {
                            let _ = write!(text, " | {value}");
                        }
                    }
                    text.push('\n');
                }
                None => {
                    let _ = writeln!(text, "      -> tag {}", answer.tag);
                }
            }
        }
        if self.ended {
            text.push_str("      the connection ended\n");
        }
        text
    }
}

fn send(wire: &mut Wire, mode: Mode, sql: &[u8], parameters: &[&str]) -> Outcome {
    let message = |out: &mut bytes::BytesMut, tag: u8, parts: &[&[u8]]| {
        let length = 4 + parts.iter().map(|p| p.len()).sum::<usize>();
        out.extend_from_slice(&[tag]);
        out.extend_from_slice(&u32::try_from(length).unwrap().to_be_bytes());
        parts.iter().for_each(|p| out.extend_from_slice(p));
    };
    if mode == Mode::Simple {
        wire.queue(|out| message(out, b'Q', &[sql, &[0]])).flush();
    } else {
        let parameters: Vec<Option<&str>> = parameters.iter().map(|p| Some(*p)).collect();
        wire.queue(|out| message(out, b'P', &[&[0], sql, &[0, 0, 0]]));
        wire.bind("", "", &parameters, mode == Mode::Binary).describe(b'P', "").execute("", 0);
        wire.queue(frontend::sync).flush();
    }
    let mut frames = Vec::new();
    let ended = loop {
        match wire.read() {
            Ok(frame) => {
                let ready = frame.tag == b'Z';
                frames.push(frame);
                if ready {
                    break false;
                }
            }
            Err(_) => break true,
        }
    };
    Outcome { answers: answers(frames.clone()), frames, ended }
}

/// What of a check is not so; `None`: it holds.
fn unmet(check: &str, outcome: &Outcome) -> Option<String> {
    let (kind, rest) = check.split_once(' ').unwrap_or((check, ""));
    let no_error = || outcome.error().map(|_| "it failed".to_owned());
    let differs = |seen: &str| (seen != rest).then(|| format!("{kind}: expected {rest:?}, came {seen:?}"));
    match kind {
        "fine" => None,
        "rows" => no_error().or_else(|| differs(&outcome.rows().len().to_string())),
        "tag" => no_error().or_else(|| differs(outcome.answers.last().map_or("", |a| &a.tag))),
        "copied" => {
            let all: Vec<u8> = outcome.answers.iter().flat_map(|a| a.copied.iter().copied()).collect();
            no_error().or_else(|| differs(&String::from_utf8_lossy(&all).trim_end().replace("\n", "\\n")))
        }
        "columns" => {
            let names = |a: &Answer| a.columns.iter().map(|c| c.name.clone()).collect::<Vec<_>>().join(" | ");
            no_error().or_else(|| differs(&outcome.answers.last().map(names).unwrap_or_default()))
        }
        "deny" | "ends" => {
            let wanted = parts(rest);
            let Some(error) = outcome.error().and_then(|a| a.error.as_ref()) else {
                return Some("it was allowed".to_owned());
            };
            let said: String =
                ['M', 'D', 'H'].iter().filter_map(|f| error.get(f)).fold(String::new(), |all, f| all + f + "\n");
            let coded = error[&'C'] == wanted[0];
            let missing = wanted[1..].iter().find(|w| !said.contains(**w));
            let ended = outcome.ended == (kind == "ends");
            (!coded || missing.is_some() || !ended).then(|| format!("expected {check}"))
        }
        "quiet" => outcome.answers.iter().any(|a| !a.notices.is_empty()).then(|| "a notice came".to_owned()),
        "notice" => {
            let wanted = parts(rest);
            let fits = |n: &std::collections::BTreeMap<char, String>| {
                n[&'C'] == wanted[0] && wanted[1..].iter().all(|w| n.values().any(|v| v.contains(w)))
            };
            let met = outcome.answers.iter().flat_map(|a| &a.notices).any(fits);
            (!met).then(|| format!("no notice {rest}"))
        }
        // The whole list is compared by the caller.
        "row" => None,
        _ => Some(format!("{check:?} is no check")),
    }
}

fn unmet_alternative(checks: &[String], outcome: &Outcome, mode: Mode) -> Option<String> {
    let rows: Vec<&str> = checks.iter().filter_map(|c| c.strip_prefix("row ")).collect();
    if !rows.is_empty() {
        let seen = outcome.rows();
        // In binary a value is not for the eye; how many rows there are is.
        let same = if mode == Mode::Binary { seen.len() == rows.len() } else { seen == rows };
        if !same {
            return Some("other rows".to_owned());
        }
        let may_fail = checks.iter().any(|c| c.starts_with("deny") || c.starts_with("ends"));
        if let (false, Some(_)) = (may_fail, outcome.error()) {
            return Some("it failed".to_owned());
        }
    }
    checks.iter().find_map(|check| unmet(check, outcome))
}

/// Runs the cases of a class; gives what is not as it should be.
pub fn run(fixture: &Fixture, proxy: &Proxy, cases: &[Case]) -> Vec<String> {
    let mut failures = Vec::new();
    for mode in MODES {
        let mut connection: Option<(String, Wire)> = None;
        for case in cases {
            if case.option("only").is_some_and(|only| only != format!("{mode:?}").to_lowercase()) {
                continue;
            }
            let user = case.option("user").unwrap_or("analyst");
            let mut wire = match connection.take() {
                Some((same, wire)) if same == user => wire,
                _ => login(proxy, user, &[]).unwrap_or_else(|e| panic!("{user}: {:?}", e.error)),
            };
            let alive = run_case(fixture, &mut wire, mode, case, &mut failures);
            if alive && lives_on(&mut wire, mode, case, &mut failures) {
                connection = Some((user.to_owned(), wire));
            }
        }
    }
    failures
}

/// True when the connection is still there.
fn run_case(fixture: &Fixture, wire: &mut Wire, mode: Mode, case: &Case, failures: &mut Vec<String>) -> bool {
    let with: Vec<&str> = case.option("with").map(parts).unwrap_or_default();
    // A statement of a case may have been asked before in a shape of its own.
    let sent: Vec<u8> = steps(case).iter().flat_map(|s| s.sql.clone()).collect();
    for step in steps(case) {
        let outcome = send(wire, mode, &step.sql, &with);
        let mut fail = |what: &str| {
            let sql = String::from_utf8_lossy(&step.sql);
            let sql: String = sql.chars().take(400).collect();
            failures.push(format!(
                "{} ({mode:?}, line {}): {what}\n    {sql}\n{}",
                case.title,
                step.line,
                outcome.describe()
            ));
        };
        if case.option("user") != Some("boss") {
            let found = canaries::found(&fixture.markers, &outcome.received(), &sent);
            if !found.is_empty() {
                fail(&format!("LEAK of {}", found.join(", ")));
            }
        }
        let unmet: Vec<String> =
            step.expected.iter().map_while(|checks| unmet_alternative(checks, &outcome, mode)).collect();
        if unmet.len() == step.expected.len() {
            fail(&unmet.join("; or: "));
        }
        if outcome.ended {
            if !step.expected.iter().flatten().any(|c| c.starts_with("ends")) {
                fail("the connection ended");
            }
            return false;
        }
    }
    true
}

/// The connection answers, and is brought back to where it began.
fn lives_on(wire: &mut Wire, mode: Mode, case: &Case, failures: &mut Vec<String>) -> bool {
    for reset in ["ROLLBACK", "DISCARD ALL", "SELECT 41 + 1"] {
        let outcome = send(wire, Mode::Simple, reset.as_bytes(), &[]);
        let failed = outcome.ended || outcome.error().is_some();
        if failed || (reset.starts_with("SELECT") && outcome.rows() != ["42"]) {
            failures.push(format!("{} ({mode:?}): {reset} afterwards:\n{}", case.title, outcome.describe()));
            return false;
        }
    }
    true
}
