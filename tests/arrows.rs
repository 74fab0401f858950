//! The arrows between the rooms run one way: every `crate::ROOM` of the sources is read and held against the order.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// The storeys, from the ground up. A room sees what lies below its storey.
const STOREYS: &[&[&str]] = &[
    &["hex"],
    &["names", "error"],
    &["metrics", "document"],
    &["config", "catalog", "wire"],
    &["sources", "sql"],
    &["introspect"],
    &["govern"],
    &["auth", "upstream", "audit"],
    &["state"],
    &["statement"],
    &["contracts"],
    &["session", "http", "reload", "demo"],
    &["app"],
    &["cli"],
];

/// Rooms that see less than their storey allows.
const NARROW: &[(&str, &[&str])] = &[
    ("wire", &["names", "error"]),
    ("config", &["names", "error", "document"]),
    ("sql", &["hex", "names", "error", "catalog"]),
    // What decides is pure: neither counts nor reads files.
    ("introspect", &["names", "sql"]),
    ("govern", &["hex", "names", "error", "config", "catalog", "sql", "introspect"]),
];

fn source() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

fn files(directory: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

fn storey(room: &str) -> usize {
    let found = STOREYS.iter().position(|rooms| rooms.contains(&room));
    found.unwrap_or_else(|| panic!("the room {room} has no storey in tests/arrows.rs"))
}

/// The rooms that a text names behind `crate::`.
fn named(text: &str) -> Result<BTreeSet<&str>, &'static str> {
    let mut rooms = BTreeSet::new();
    for (at, path) in text.match_indices("crate::") {
        // `$crate::` counts, `my_crate::` does not.
        if text[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_') {
            continue;
        }
        let rest = &text[at + path.len()..];
        if rest.starts_with('{') {
            return Err("a `crate::{…}` hides its rooms from this test: write one `use` for each");
        }
        let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
        rooms.insert(&rest[..end]);
    }
    Ok(rooms)
}

/// Why a room may not name another; `None`: it may.
fn wrong(room: &str, other: &str) -> Option<String> {
    if room == other {
        return None;
    }
    if let Some((_, seen)) = NARROW.iter().find(|(narrow, _)| *narrow == room) {
        return (!seen.contains(&other)).then(|| format!("{room} may see {} only", seen.join(", ")));
    }
    (storey(other) >= storey(room)).then(|| format!("{other} does not lie below {room}"))
}

#[test]
fn no_arrow_runs_back() {
    let mut found = Vec::new();
    files(&source(), &mut found);
    let mut arrows: BTreeMap<String, usize> = BTreeMap::new();
    let mut faults = Vec::new();
    for file in found {
        let inside = file.strip_prefix(source()).unwrap();
        let room = inside.components().next().unwrap().as_os_str().to_str().unwrap().trim_end_matches(".rs");
        if matches!(room, "lib" | "main") {
            continue;
        }
        let text = fs::read_to_string(&file).unwrap();
        match named(&text) {
            Ok(rooms) => {
                for other in rooms {
                    *arrows.entry(room.to_owned()).or_default() += 1;
                    faults.extend(wrong(room, other).map(|why| format!("{}: crate::{other}: {why}", inside.display())));
                }
            }
            Err(why) => faults.push(format!("{}: {why}", inside.display())),
        }
    }
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
    // It has read something: rooms that are known to see others.
    assert!(["govern", "session", "cli"].iter().all(|room| arrows.contains_key(*room)), "{arrows:?}");
}

#[test]
fn every_room_is_in_the_crate_doc_and_has_a_storey() {
    let text = fs::read_to_string(source().join("lib.rs")).unwrap();
    let rooms: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("pub mod ")?.strip_suffix(';')).collect();
    assert!(rooms.len() > 10, "{rooms:?}");
    for room in &rooms {
        storey(room);
        let row = text.lines().find(|line| line.starts_with("//! | ") && line.contains(&format!("[`{room}`]")));
        assert!(row.is_some(), "the table of rooms in lib.rs lacks {room}");
    }
    for room in STOREYS.iter().copied().flatten() {
        assert!(rooms.contains(room), "{room} has a storey and does not exist");
    }
}

#[test]
fn an_arrow_that_runs_back_is_seen() {
    let text = "use crate::session::tls; let x = $crate::error::X; my_crate::y; fn f() { crate::cli::run() }";
    assert_eq!(named(text).unwrap(), BTreeSet::from(["session", "error", "cli"]));
    assert!(named("use crate::{error, session};").is_err());
    for (room, other) in [("wire", "config"), ("govern", "metrics"), ("upstream", "audit"), ("error", "names")] {
        assert!(wrong(room, other).is_some(), "{room} -> {other}");
    }
    assert!(wrong("session", "wire").is_none() && wrong("cli", "app").is_none());
}
