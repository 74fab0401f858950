//! Replays what SQLsmith wrote (`sqlsmith.sh` says how): it must tell nothing of what is hidden, end, and leave the servers
//! alive; where pgveil and the twin both answer, they agree. Most of it limits rows in no order, so rows are not compared then.

use std::collections::BTreeMap;

use super::grammar::{Statement, Way};
use super::stage::{Stage, USERS};
use super::statements::{Verdict, judge, refusal_text};

#[test]
fn statements_of_sqlsmith_tell_nothing_of_what_is_hidden() {
    let stage = Stage::shared();
    let mut seats: Vec<_> = (0..USERS.len()).map(|user| stage.seat(user)).collect();
    let mut tally: BTreeMap<&str, usize> = BTreeMap::new();
    let mut refusals: BTreeMap<String, (usize, String)> = BTreeMap::new();
    let mut findings = Vec::new();
    let corpus = include_str!("sqlsmith.sql");
    for (at, sql) in corpus.lines().enumerate() {
        let sql = sql.trim_end_matches(';').to_owned();
        let way = if at % 5 == 4 { Way::Binary } else { Way::Simple };
        let loose = sql.contains(" limit ");
        let statement = Statement { sql, parameters: Vec::new(), way, ordered: false, novel: false, loose };
        let user = [0, 0, 1, 2][at % 4];
        let verdict = judge(&mut seats[user], &statement);
        *tally.entry(verdict.name()).or_default() += 1;
        match verdict {
            Verdict::Refused(why) => {
                let mut minimise = || refusal_text(&mut seats[user], &statement, &why);
                refusals.entry(why.clone()).or_insert_with(|| (0, minimise())).0 += 1;
            }
            Verdict::Finding(found) => {
                findings.push(format!("{} asks: {}\n{found:?}", USERS[user].0, statement.sql));
            }
            Verdict::Equal | Verdict::Invalid | Verdict::Evaluation => {}
        }
    }
    eprintln!("{tally:?}\n{refusals:#?}");
    assert!(findings.is_empty(), "{} findings:\n{}", findings.len(), findings.join("\n"));
    // Else the replay would say little.
    assert!(tally.get("equal").is_some_and(|equal| *equal > corpus.lines().count() / 2), "{tally:?}");
}
