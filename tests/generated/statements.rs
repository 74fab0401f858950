//! Asks generated statements and judges the answers.

use std::collections::BTreeMap;

use super::choices::{Choices, shrink, shrink_text, splitmix};
use super::common::wire::{Answer, Frame, answers};
use super::decisions::Engine;
use super::grammar::{Grammar, Statement, Way};
use super::stage::{Seat, Stage, USERS, receive, send};

/// How many are asked where nobody says otherwise.
const STATEMENTS: u64 = 3_000;
const SEED: u64 = 20_260_301;

/// What came of a statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    Equal,
    /// Both pgveil and the twin call it wrong.
    Invalid,
    /// pgveil does not take what the twin does.
    Refused(String),
    /// One side met an error of evaluation.
    Evaluation,
    Finding(Finding),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    what: String,
    seen: String,
    expected: String,
}

impl Verdict {
    pub fn name(&self) -> &'static str {
        match self {
            Self::Equal => "equal",
            Self::Invalid => "invalid",
            Self::Refused(_) => "refused",
            Self::Evaluation => "evaluation",
            Self::Finding(_) => "finding",
        }
    }
}

fn finding(what: impl Into<String>, seen: impl ToString, expected: impl ToString) -> Verdict {
    Verdict::Finding(Finding { what: what.into(), seen: seen.to_string(), expected: expected.to_string() })
}

fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().map_or(default, |text| text.parse().unwrap())
}

/// The statement of a seed.
fn write(seed: u64) -> (Statement, Vec<u32>, usize) {
    let mut choices = Choices::seeded(seed);
    let user = choices.below(4) % USERS.len();
    let statement = Grammar::statement(&mut choices);
    (statement, choices.taken(), user)
}

fn rewrite(row: &[u32]) -> Statement {
    let mut choices = Choices::recorded(row.to_vec());
    choices.below(4);
    Grammar::statement(&mut choices)
}

#[test]
fn statements_equal_the_twin_and_tell_nothing_of_what_is_hidden() {
    let stage = Stage::shared();
    let mut seats: Vec<Seat<'_>> = (0..USERS.len()).map(|user| stage.seat(user)).collect();
    let engine = Engine::new(&stage);
    let only = std::env::var("PGVEIL_ONLY").ok().map(|text| text.parse::<u64>().unwrap());
    let count = if only.is_some() { 1 } else { setting("PGVEIL_STATEMENTS", STATEMENTS) };
    let mut state = setting("PGVEIL_SEED", SEED);
    let mut tally: BTreeMap<&str, u64> = BTreeMap::new();
    let mut refusals: BTreeMap<String, (u64, String)> = BTreeMap::new();
    let mut findings = Vec::new();
    let mut asked = 0;
    while (count == 0 || asked < count) && findings.len() < 6 {
        asked += 1;
        let seed = only.unwrap_or_else(|| splitmix(&mut state));
        let (statement, row, user) = write(seed);
        let verdict = verdict(&mut seats[user], &engine, &statement, seed);
        if only.is_some() {
            eprintln!("{}: {}\n{:?}", USERS[user].0, statement.sql, verdict);
        }
        let known = statement.novel && matches!(verdict, Verdict::Refused(_));
        *tally.entry(if known { "refused, known" } else { verdict.name() }).or_default() += 1;
        match verdict {
            Verdict::Refused(why) if !known => {
                let minimise = || refusal(&mut seats[user], &statement, row, &why);
                refusals.entry(why.clone()).or_insert_with(|| (0, minimise())).0 += 1;
            }
            Verdict::Finding(found) => {
                findings.push(report(&mut seats[user], &engine, seed, &statement, row, &found));
                eprintln!("{}", findings.last().unwrap());
            }
            Verdict::Equal | Verdict::Invalid | Verdict::Evaluation | Verdict::Refused(_) => {}
        }
        if asked % 1_000 == 0 {
            eprintln!("{asked}: {tally:?}");
        }
    }
    eprintln!("{asked} statements: {tally:?}");
    for (why, (times, example)) in &refusals {
        eprintln!("refused {times} times: {why}\n    {example}");
    }
    assert!(findings.is_empty(), "{} findings:\n{}", findings.len(), findings.join("\n"));
    let of = |name: &str| tally.get(name).copied().unwrap_or_default();
    if only.is_none() {
        // Else it would prove little.
        assert!(of("equal") * 100 > asked * 70, "only {} of {asked} were compared: {tally:?}", of("equal"));
        assert!(of("refused") * 100 <= asked, "{} of {asked} were refused: {refusals:?}", of("refused"));
        assert!(of("evaluation") * 100 <= asked * 5, "{tally:?}");
    }
}

/// A statement of the kind that is refused, made small where there is time.
fn refusal(seat: &mut Seat<'_>, statement: &Statement, row: Vec<u32>, why: &str) -> String {
    if std::env::var_os("PGVEIL_STATEMENTS").is_none() {
        return statement.sql.clone();
    }
    let small = rewrite(&shrink(row, 500, |row| refused(seat, &rewrite(row), why)));
    refusal_text(seat, &small, why)
}

/// The same of a text.
pub fn refusal_text(seat: &mut Seat<'_>, statement: &Statement, why: &str) -> String {
    if std::env::var_os("PGVEIL_STATEMENTS").is_none() {
        return statement.sql.clone();
    }
    let with = |sql: &str| Statement { sql: sql.to_owned(), ..statement.clone() };
    shrink_text(&statement.sql, 600, |sql| refused(seat, &with(sql), why))
}

fn refused(seat: &mut Seat<'_>, statement: &Statement, why: &str) -> bool {
    judge(seat, statement) == Verdict::Refused(why.to_owned())
}

/// The case, made small.
fn report(
    seat: &mut Seat<'_>,
    engine: &Engine,
    seed: u64,
    statement: &Statement,
    row: Vec<u32>,
    found: &Finding,
) -> String {
    let mut last = found.clone();
    let mut same = |seat: &mut Seat<'_>, statement: &Statement| match verdict(seat, engine, statement, seed) {
        Verdict::Finding(other) if other.what == found.what => {
            last = other;
            true
        }
        _ => false,
    };
    let small = rewrite(&shrink(row, 800, |row| same(seat, &rewrite(row))));
    let sql = shrink_text(&small.sql, 400, |sql| same(seat, &Statement { sql: sql.to_owned(), ..small.clone() }));
    let small = Statement { sql, ..small };
    same(seat, &small);
    format!(
        "PGVEIL_ONLY={seed} as {}, {:?}: {}\n{}\nminimised: {} {:?}\n  pgveil: {}\n  should: {}\n",
        USERS[seat.user].0,
        statement.way,
        found.what,
        statement.sql,
        small.sql,
        small.parameters,
        last.seen,
        last.expected
    )
}

fn verdict(seat: &mut Seat<'_>, engine: &Engine, statement: &Statement, seed: u64) -> Verdict {
    match engine.check(seat.user, &statement.sql, seed) {
        Ok(()) => judge(seat, statement),
        Err(what) => finding("a property of decisions does not hold", what, ""),
    }
}

/// Asks all three and compares.
pub fn judge(seat: &mut Seat<'_>, statement: &Statement) -> Verdict {
    for wire in [&mut seat.veil, &mut seat.shadow] {
        send(wire, statement);
    }
    // What the twin would explain is another plan.
    let has_twin = statement.way != Way::Explain;
    if has_twin {
        send(&mut seat.twin, statement);
    }
    let (veil, shadow) = (receive(&mut seat.veil), receive(&mut seat.shadow));
    let twin = if has_twin { receive(&mut seat.twin) } else { Ok(Vec::new()) };
    let (veil, shadow, twin) = match (veil, shadow, twin) {
        (Ok(veil), Ok(shadow), Ok(twin)) => (veil, shadow, twin),
        (veil, shadow, twin) => {
            seat.again();
            return finding(
                "a connection was lost",
                format!("{:?}", (veil.err(), shadow.err())),
                format!("{:?}", twin.err()),
            );
        }
    };
    if let Some(frame) = veil.iter().chain(&shadow).find(|frame| holds_canary(&frame.body)) {
        return finding("a hidden value", frame.text(), "no canary");
    }
    if let Some(at) = (0..veil.len().max(shadow.len())).find(|at| veil.get(*at) != shadow.get(*at)) {
        let told = |frames: &[Frame]| frames.get(at).map_or("nothing".to_owned(), tell);
        return finding("what is hidden makes a difference", told(&shadow), told(&veil));
    }
    if !has_twin {
        let refused = veil.iter().any(|f| f.tag == b'E');
        return if refused { Verdict::Invalid } else { Verdict::Equal };
    }
    compare(statement, one(veil), one(twin))
}

fn holds_canary(bytes: &[u8]) -> bool {
    let upper = bytes.to_ascii_uppercase();
    upper.windows(6).any(|window| window == b"CANARY" || window == b"YRANAC")
}

fn tell(frame: &Frame) -> String {
    match frame.tag {
        b'E' | b'N' => format!("{} {:?}", char::from(frame.tag), frame.fields()),
        tag => format!("{} {}", char::from(tag), String::from_utf8_lossy(&frame.body)),
    }
}

fn one(frames: Vec<Frame>) -> Answer {
    answers(frames).into_iter().next().unwrap_or_default()
}

fn compare(statement: &Statement, seen: Answer, expected: Answer) -> Verdict {
    let (ours, theirs) = (seen.sqlstate().to_owned(), expected.sqlstate().to_owned());
    // 42804: records of different types were compared, which depends on the plan.
    let evaluation = |state: &str| state.starts_with("22") || matches!(state, "21000" | "42804");
    let told = |a: &Answer| match &a.error {
        Some(error) => format!("{error:?}"),
        None => {
            let columns: Vec<_> = a.columns.iter().map(|c| (&c.name, c.type_oid, c.typmod)).collect();
            format!("{} {columns:?}\n    {:?}{}", a.tag, a.text_rows(), String::from_utf8_lossy(&a.copied))
        }
    };
    match (ours.as_str(), theirs.as_str()) {
        // The twin has no cap.
        ("", "") if seen.notices.iter().any(|notice| notice.values().any(|text| text.starts_with("result cut at"))) => {
            Verdict::Evaluation
        }
        ("", "") => {
            let difference = differs(statement, &seen, &expected);
            match difference {
                Some(what) => finding(what, told(&seen), told(&expected)),
                None => Verdict::Equal,
            }
        }
        ("57014", _) | (_, "57014") | ("53200", _) | (_, "53200") => Verdict::Invalid,
        (a, b) if a == b => {
            if evaluation(a) {
                Verdict::Equal
            } else {
                Verdict::Invalid
            }
        }
        (a, b) if (evaluation(a) || a.is_empty()) && (evaluation(b) || b.is_empty()) => Verdict::Evaluation,
        // A flat name of the twin is a view, which has no key that columns could depend on.
        ("", "42803") if ["shop_", "ops_"].iter().any(|flat| statement.sql.contains(flat)) => Verdict::Invalid,
        // Which of its errors it is told of first is another matter.
        (a, b) if a.starts_with("42") && b.starts_with("42") => Verdict::Invalid,
        ("42501" | "42601" | "0A000" | "54001", _) => {
            let error = seen.error.unwrap_or_default();
            Verdict::Refused(format!("{ours} {} (the twin: {theirs})", error.get(&'M').map_or("", String::as_str)))
        }
        _ => finding(format!("{ours:?} in the place of {theirs:?}"), told(&seen), told(&expected)),
    }
}

fn differs(statement: &Statement, seen: &Answer, expected: &Answer) -> Option<&'static str> {
    let row_type =
        |ours: u32, theirs: u32| ours == theirs || ours == 2249 && theirs >= 16_384 || ours == 2287 && theirs >= 16_384;
    let alike = seen.columns.len() == expected.columns.len()
        && seen.columns.iter().zip(&expected.columns).all(|(a, b)| {
            a.name == b.name && row_type(a.type_oid, b.type_oid) && a.typmod == b.typmod && a.format == b.format
        });
    if !alike {
        return Some("another row description");
    }
    if statement.loose {
        return None;
    }
    if seen.tag != expected.tag {
        return Some("another tag");
    }
    let sorted = |answer: &Answer| {
        let mut rows = answer.rows.clone();
        if !statement.ordered {
            rows.sort();
        }
        let mut lines: Vec<Vec<u8>> = answer.copied.split(|b| *b == b'\n').map(<[u8]>::to_vec).collect();
        lines.sort();
        (rows, lines)
    };
    // A binary record tells its columns' types, of which that of a whole row is another.
    (sorted(seen) != sorted(expected)).then_some("other rows")
}
