//! Attacks on a running pgveil in front of a real PostgreSQL, as data files by class: statements under `sql`, conversations
//! under `frames`. Everything that the attacker must not see is marked; no byte that pgveil sends may hold a marker.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod canaries;
#[expect(dead_code, reason = "this tier needs a part alone")]
#[path = "../common/mod.rs"]
mod common;
mod fixture;
mod frames;
mod script;
mod statements;

use std::path::PathBuf;
use std::sync::Arc;

use fixture::Fixture;
use libtest_mimic::{Arguments, Trial};

/// Below this the suite is not the suite.
const FEWEST_CASES: usize = 300;

fn main() {
    let arguments = Arguments::from_args();
    let files: Vec<PathBuf> =
        ["sql", "frames", "reload"].iter().flat_map(|kind| script::files(&fixture::directory().join(kind))).collect();
    if arguments.list {
        let trials = files.iter().map(|f| Trial::test(name(f), || Ok(()))).collect();
        libtest_mimic::run(&arguments, trials).exit();
    }
    let start = std::time::Instant::now();
    let fixture = Arc::new(Fixture::start());
    let mut trials: Vec<Trial> = files.into_iter().map(|file| trial(&fixture, file)).collect();
    trials.push(Trial::test("the_suite_is_complete", || {
        let count = count();
        println!("{count} cases");
        if count < FEWEST_CASES { Err(format!("{count} cases").into()) } else { Ok(()) }
    }));
    let shared = Arc::clone(&fixture);
    trials.push(Trial::test("every_marker_would_be_seen", move || {
        every_marker_would_be_seen(&shared);
        Ok(())
    }));
    let conclusion = libtest_mimic::run(&arguments, trials);
    drop(fixture);
    println!("attacks: {:.0} s", start.elapsed().as_secs_f64());
    conclusion.exit();
}

fn name(file: &std::path::Path) -> String {
    let part = |p: Option<&std::ffi::OsStr>| p.unwrap().to_string_lossy().into_owned();
    format!("{}::{}", part(file.parent().and_then(|p| p.file_name())), part(file.file_stem()))
}

/// Those who may see everything get every kind of marker: the search finds what it should.
fn every_marker_would_be_seen(fixture: &Fixture) {
    let mut boss = fixture::login(&fixture.proxy, "boss", &[]).unwrap_or_else(|e| panic!("{:?}", e.error));
    let mut seen = |binary: bool| {
        boss.parse("", "SELECT * FROM crm.people", &[]).bind("", "", &[], binary).execute("", 0).sync();
        let received: Vec<u8> = boss.until_ready().into_iter().flat_map(|frame| frame.body).collect();
        assert!(canaries::found(&fixture.markers, &received, &received).is_empty(), "what the client said is left out");
        canaries::found(&fixture.markers, &received, &[])
    };
    for (binary, kinds) in [
        (false, &["a text", "a number", "a date", "a moment", "a UUID"][..]),
        (true, &["a text", "a number", "a date", "a moment", "a UUID", "a decimal", "a float"]),
    ] {
        let found = seen(binary);
        for kind in kinds {
            let name = if binary && *kind != "a text" { format!("{kind} in binary") } else { (*kind).to_owned() };
            assert!(found.contains(&name.as_str()), "{name} is not found among {found:?}");
        }
    }
}

fn count() -> usize {
    let kinds = ["sql", "frames", "reload"].iter();
    kinds.flat_map(|kind| script::files(&fixture::directory().join(kind))).map(|file| script::read(&file).len()).sum()
}

fn trial(fixture: &Arc<Fixture>, file: PathBuf) -> Trial {
    let fixture = Arc::clone(fixture);
    Trial::test(name(&file), move || {
        let cases = script::read(&file);
        let failures = match file.parent().and_then(|p| p.file_name()).and_then(|n| n.to_str()) {
            Some("sql") => statements::run(&fixture, &fixture.proxy, &cases),
            Some("frames") => frames::run(&fixture, &fixture.proxy, &cases),
            // These change pgveil's files: a server of their own for each case.
            _ => cases
                .iter()
                .flat_map(|case| {
                    let proxy = Fixture::proxy(&fixture.warehouse);
                    frames::run(&fixture, &proxy, std::slice::from_ref(case))
                })
                .collect(),
        };
        if failures.is_empty() { Ok(()) } else { Err(failures.join("\n").into()) }
    })
}
