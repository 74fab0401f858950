//! Fuzzing on stable Rust: seeds, mutated byte by byte and token by token, go into everything that reads what somebody else
//! wrote. Nothing may panic, abort or overflow a worker's stack, and what is read must hold together.
//!
//! `corpus/TARGET/*` are inputs that once went wrong, or that no mutation finds; each is replayed first. More on demand:
//! `PGVEIL_FUZZ=1000000 PGVEIL_SEED=7 cargo test --test fuzz statements -- --nocapture` (0: for ever). A failing input is made
//! small, printed, and left in `target/tmp/fuzz-TARGET`, where the input at hand also lies while PGVEIL_FUZZ is set: a process
//! that aborts tells nothing more.
#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

#[path = "../golden/fixture.rs"]
mod fixture;
mod mutation;
mod protocol;
mod statements;
mod toml_files;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use mutation::Mutation;

/// Puts `cases` mutations of the seeds, and the kept corpus before them, into `target`.
fn fuzz(name: &str, seeds: &[Vec<u8>], words: &[&str], cases: u64, target: impl Fn(&[u8]) + Send + Sync) {
    // The stack of a runtime's worker.
    std::thread::scope(|scope| {
        let run = || run(name, seeds, words, cases, &target);
        std::thread::Builder::new().stack_size(2 << 20).spawn_scoped(scope, run).unwrap().join().unwrap();
    });
}

fn run(name: &str, seeds: &[Vec<u8>], words: &[&str], cases: u64, target: &dyn Fn(&[u8])) {
    let kept = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/corpus").join(name);
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(kept).map_or(Vec::new(), |d| d.map(|f| f.unwrap().path()).collect());
    files.sort();
    for file in files {
        let input = std::fs::read(&file).unwrap();
        assert!(fails(target, &input).is_none(), "{}: {:?}", file.display(), fails(target, &input));
    }
    for seed in seeds {
        check(name, target, seed);
    }
    let number = |variable: &str| std::env::var(variable).ok().map(|text| text.parse::<u64>().unwrap());
    let on_demand = number("PGVEIL_FUZZ");
    let cases = on_demand.unwrap_or(cases);
    let mut mutation = Mutation::new(number("PGVEIL_SEED").unwrap_or(20_260_301), words);
    let current = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("fuzz-{name}"));
    let mut done = 0;
    while cases == 0 || done < cases {
        let input = mutation.of(seeds);
        if on_demand.is_some() {
            std::fs::write(&current, &input).unwrap();
        }
        check(name, target, &input);
        done += 1;
        if done % 100_000 == 0 {
            eprintln!("{name}: {done}");
        }
    }
}

fn fails(target: &dyn Fn(&[u8]), input: &[u8]) -> Option<String> {
    let panic = catch_unwind(AssertUnwindSafe(|| target(input))).err()?;
    let text = panic.downcast_ref::<String>().cloned();
    Some(text.or_else(|| panic.downcast_ref::<&str>().map(|t| (*t).to_owned())).unwrap_or_default())
}

fn check(name: &str, target: &dyn Fn(&[u8]), input: &[u8]) {
    let Some(mut why) = fails(target, input) else { return };
    let small = mutation::shrink(input, |input| match fails(target, input) {
        Some(other) => {
            why = other;
            true
        }
        None => false,
    });
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("fuzz-{name}"));
    std::fs::write(&file, &small).unwrap();
    panic!("{name}: {why}\ninput (in {}): {}", file.display(), String::from_utf8_lossy(&small).escape_debug());
}
