//! Conversations that a client must not be able to tell from those with Postgres itself.

use std::collections::VecDeque;
use std::fmt::Write as _;

use bytes::BufMut;
use postgres_protocol::message::frontend;

use crate::common::wire::{Frame, Wire};
use crate::{Case, Fixture};

pub const CASES: &[Case] = &[("alike::every_conversation", every_conversation)];

const SCRIPTS: &str = include_str!("alike.txt");

fn every_conversation(f: &Fixture) {
    let mut differ = Vec::new();
    let mut count = 0;
    for script in SCRIPTS.split("\n== ").skip(1) {
        let (name, script) = script.split_once('\n').unwrap();
        let expected = talk(f.warehouse.superuser("postgres"), script);
        let found = talk(f.proxy.login("analyst"), script);
        count += 1;
        if expected != found {
            differ.push(format!("{name}\n--- Postgres\n{expected}--- pgveil\n{found}"));
        }
    }
    assert!(count > 90, "{count} conversations");
    assert!(differ.is_empty(), "{} of {count} differ:\n{}", differ.len(), differ.join("\n"));
}

/// Plays a script, and writes down what is answered.
fn talk(mut wire: Wire, script: &str) -> String {
    let mut heard = String::new();
    // What was said and has no answer yet; after an error nothing but Sync is answered.
    let mut due: VecDeque<u8> = VecDeque::new();
    let mut failed = false;
    for line in script.lines().filter(|line| !line.is_empty()) {
        if line != "." {
            due.push_back(line.as_bytes()[0]);
            say(&mut wire, line);
            continue;
        }
        wire.flush();
        loop {
            due = due.into_iter().skip_while(|said| is_silent(*said) || failed && *said != b'S').collect();
            let Some(said) = due.front().copied() else { break };
            let Ok(frame) = wire.read() else { return heard + "connection lost\n" };
            writeln!(heard, "{}", shown(&frame)).unwrap();
            if ends_answer(said, frame.tag) {
                due.pop_front();
            }
            failed = match frame.tag {
                b'E' => !matches!(said, b'Q' | b'S'),
                b'Z' => false,
                _ => failed,
            };
        }
        heard.push_str(".\n");
    }
    // Whatever came beyond what was due comes before this.
    wire.sync();
    while let Ok(frame) = wire.read() {
        writeln!(heard, "{}", shown(&frame)).unwrap();
        if frame.tag == b'Z' {
            return heard;
        }
    }
    heard + "connection lost\n"
}

/// Whether a message has no answer of its own.
fn is_silent(said: u8) -> bool {
    matches!(said, b'H' | b'd' | b'c' | b'f')
}

/// Whether this message is the last of the answer to that one. An error ends it too, where the answer does not end with
/// ReadyForQuery anyway.
fn ends_answer(said: u8, tag: u8) -> bool {
    match said {
        b'Q' | b'S' => tag == b'Z',
        b'P' => matches!(tag, b'1' | b'E'),
        b'B' => matches!(tag, b'2' | b'E'),
        b'D' => matches!(tag, b'T' | b'n' | b'E'),
        b'C' => matches!(tag, b'3' | b'E'),
        b'E' => matches!(tag, b'C' | b's' | b'I' | b'E'),
        other => panic!("{other}"),
    }
}

fn say(wire: &mut Wire, line: &str) {
    let (kind, rest) = line.split_once(' ').unwrap_or((line, ""));
    let mut parts = rest.split('|');
    let mut part = || parts.next().unwrap_or_default();
    match kind {
        "Q" => drop(wire.queue(|out| frontend::query(rest, out).unwrap())),
        "P" => {
            let (name, sql) = rest.split_once('|').unwrap();
            wire.parse(name, sql, &[]);
        }
        "B" => {
            let (portal, statement, values, format) = (part(), part(), part(), part());
            let values: Vec<_> = values.split(',').filter(|v| !v.is_empty()).map(Some).collect();
            wire.bind(portal, statement, &values, format == "binary");
        }
        "D" => drop(wire.describe(rest.as_bytes()[0], rest.get(2..).unwrap_or_default())),
        "C" => {
            let (kind, name) = (rest.as_bytes()[0], rest.get(2..).unwrap_or_default());
            wire.queue(|out| frontend::close(kind, name, out).unwrap());
        }
        "E" => {
            let (portal, rows) = (part(), part());
            wire.execute(portal, rows.parse().unwrap());
        }
        "S" => drop(wire.queue(frontend::sync)),
        "H" => drop(wire.queue(frontend::flush)),
        "d" | "c" | "f" => drop(wire.queue(|out| {
            let body = if kind == "f" { [rest.as_bytes(), &[0]].concat() } else { rest.as_bytes().to_vec() };
            out.put_u8(kind.as_bytes()[0]);
            out.put_u32(body.len() as u32 + 4);
            out.put_slice(&body);
        })),
        other => panic!("{other}"),
    }
}

/// A message as far as it must be the same: not the wording of errors, not where a column comes from.
fn shown(frame: &Frame) -> String {
    let tag = char::from(frame.tag);
    match tag {
        'E' | 'N' => format!("{tag} {} {}", frame.fields()[&'S'], frame.fields()[&'C']),
        'C' => format!("C {}", frame.text()),
        'T' => format!(
            "T {:?}",
            crate::common::wire::columns(&frame.body)
                .iter()
                .map(|c| (&c.name, c.type_oid, c.typmod, c.format))
                .collect::<Vec<_>>()
        ),
        _ => format!("{tag} {}", frame.body.escape_ascii()),
    }
}
