//! Conversations that a client must not be able to tell from those with Postgres itself.

use std::fmt::Write as _;
use std::time::Duration;

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
    let mut due = 0;
    for line in script.lines().filter(|line| !line.is_empty()) {
        if line != "." {
            due += usize::from(line.starts_with(['Q', 'S']));
            say(&mut wire, line);
            continue;
        }
        wire.flush();
        if due == 0 {
            // After a Flush nothing says that this was all; both have the same time.
            wire.stream.set_read_timeout(Some(Duration::from_millis(400))).unwrap();
            while let Ok(frame) = wire.read() {
                writeln!(heard, "{}", shown(&frame)).unwrap();
            }
            wire.stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        }
        while due > 0 {
            let Ok(frame) = wire.read() else { return heard + "connection lost\n" };
            writeln!(heard, "{}", shown(&frame)).unwrap();
            due -= usize::from(frame.tag == b'Z');
        }
        heard.push_str(".\n");
    }
    heard
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
