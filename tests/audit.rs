//! The audit log under kill -9 and on a full disk. This binary is its own victim: started with `PGVEIL_AUDIT_CHILD` it writes
//! records until it is killed, and says on standard output what was acknowledged.
#![expect(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use libtest_mimic::{Arguments, Trial};
use pgveil::audit::verify::{Expectations, Report, verify};
use pgveil::audit::{Audit, Outcome, SessionFields, Stamp, StatementRecord, Verdict};
use pgveil::config::{AuditConfig, AuditFailure, Durability, SqlRecording};
use pgveil::names::UserName;

const CHILD: &str = "PGVEIL_AUDIT_CHILD";

const CASES: &[(&str, fn())] = &[
    ("kill_9_loses_no_acknowledged_record", kill_9_in_write_mode),
    ("kill_9_loses_no_acknowledged_record_with_sync", kill_9_in_sync_mode),
    ("a_full_disk_refuses_and_the_log_goes_on_without_a_gap", full_disk),
];

fn main() {
    if let Ok(mode) = std::env::var(CHILD) {
        return child(&mode);
    }
    let trial = |&(name, case): &(&str, fn())| {
        Trial::test(name, move || {
            case();
            Ok(())
        })
    };
    libtest_mimic::run(&Arguments::from_args(), CASES.iter().map(trial).collect()).exit();
}

fn config(path: &Path, durability: Durability, rotate_at: u64) -> AuditConfig {
    AuditConfig {
        path: path.to_owned(),
        on_failure: AuditFailure::Deny,
        durability,
        sql: SqlRecording::Full,
        rotate_at,
        keep: Duration::from_secs(86_400),
    }
}

/// `DURABILITY ROTATE_AT ROUND PATH`
fn child(mode: &str) {
    let parts: Vec<&str> = mode.splitn(4, ' ').collect();
    let durability = if parts[0] == "sync" { Durability::Sync } else { Durability::Write };
    let config = config(Path::new(parts[3]), durability, parts[1].parse().unwrap());
    let round = parts[2].to_owned();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(4).enable_all().build().unwrap();
    runtime.block_on(async {
        // Else writing past the limit of file sizes kills the process.
        const SIGXFSZ: i32 = 25;
        let _ignored = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::from_raw(SIGXFSZ)).unwrap();
        let audit = Audit::open(&config, str::to_owned).unwrap();
        let tasks: Vec<_> =
            (0..4).map(|task| tokio::spawn(write_for_ever(audit.clone(), format!("{round}.{task}")))).collect();
        for task in tasks {
            task.await.unwrap();
        }
    });
}

async fn write_for_ever(audit: Audit, name: String) {
    let user = UserName::new("ana");
    let stamp = Stamp::new(&SessionFields {
        session: &name,
        user: &user,
        on_behalf_of: None,
        roles: &[],
        client: "127.0.0.1:1".parse().unwrap(),
        application: "",
        database: "analytics",
        tls: None,
    });
    for n in 0_u64.. {
        let sql = format!("SELECT /* {name}.{n}. */ '{}'", "x".repeat(usize::try_from(n % 700).unwrap()));
        let verdict = Verdict::Allow { forwarded: Some(&sql), masked: &[], unmasked: &[] };
        let record =
            StatementRecord { stamp: &stamp, sql: &sql, fingerprint: None, verdict, products: &[], generation: 1 };
        let answer = match audit.decided(&record).await {
            Ok(ticket) => {
                ticket.completed(&Outcome::default());
                "ack"
            }
            Err(_) => {
                tokio::time::sleep(Duration::from_millis(2)).await;
                "refused"
            }
        };
        // One write a line, so that a kill cuts no line in half.
        if std::io::stdout().lock().write_all(format!("{answer} {name}.{n}.\n").as_bytes()).is_err() {
            return;
        }
    }
}

struct Victim {
    child: Child,
    output: BufReader<ChildStdout>,
}

impl Victim {
    fn start(durability: &str, rotate_at: u64, round: usize, path: &Path, file_limit: Option<u64>) -> Self {
        let this = std::env::current_exe().unwrap();
        let mut command = match file_limit {
            None => Command::new(this),
            Some(limit) => {
                let mut command = Command::new("prlimit");
                command.arg(format!("--fsize={limit}:unlimited")).arg(this);
                command
            }
        };
        command.env(CHILD, format!("{durability} {rotate_at} {round} {}", path.display())).stdout(Stdio::piped());
        let mut child = command.spawn().expect("the victim starts");
        let output = BufReader::new(child.stdout.take().unwrap());
        Self { child, output }
    }

    /// The next line; `None` at the end.
    fn line(&mut self) -> Option<String> {
        let mut line = String::new();
        (self.output.read_line(&mut line).unwrap() > 0).then(|| line.trim_end().to_owned())
    }

    fn kill(mut self) -> Vec<String> {
        self.child.kill().unwrap();
        let lines = std::iter::from_fn(|| self.line()).collect();
        self.child.wait().unwrap();
        lines
    }
}

/// The files of a log, oldest first.
fn files(path: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = std::fs::read_dir(path.parent().unwrap())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|p| p.extension().is_some_and(|e| e == "jsonl") && p != path)
        .collect();
    files.sort();
    files.push(path.to_owned());
    files
}

fn markers(files: &[PathBuf]) -> BTreeSet<String> {
    let mut markers = BTreeSet::new();
    for file in files {
        let text = String::from_utf8_lossy(&std::fs::read(file).unwrap()).into_owned();
        // A line that was torn holds no whole record.
        for line in text.lines().filter(|l| l.ends_with('}')) {
            if let Some((_, rest)) = line.split_once("\"sql\":\"SELECT /* ") {
                markers.insert(rest.split(" */").next().unwrap().to_owned());
            }
        }
    }
    markers
}

fn sound(files: &[PathBuf]) -> Report {
    let report = verify(files, &Expectations::default()).unwrap();
    assert!(report.is_sound(), "{:#?}", report.findings);
    report
}

fn kill_9(durability: &str, rounds: usize) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("audit.jsonl");
    let mut acknowledged = Vec::new();
    for round in 0..rounds {
        let mut victim = Victim::start(durability, 100_000, round, &path, None);
        // As many records as it takes that the log is rotated, however slow the machine; then anywhere.
        acknowledged.extend((0..20).filter_map(|_| victim.line()));
        std::thread::sleep(Duration::from_micros(rand::random_range(0..30_000)));
        acknowledged.extend(victim.kill());
    }
    drop(Audit::open(&config(&path, Durability::Write, 1 << 30), str::to_owned).unwrap());
    let files = files(&path);
    assert!(files.len() > 1, "the log was rotated");
    let report = sound(&files);
    let written = markers(&files);
    assert!(acknowledged.len() >= rounds);
    for line in &acknowledged {
        let marker = line.strip_prefix("ack ").expect("nothing is refused");
        assert!(written.contains(marker), "{marker} was acknowledged and is not there");
    }
    eprintln!(
        "{durability}: {} acknowledged, {} records, {} torn lines, {} files",
        acknowledged.len(),
        report.records,
        report.torn_lines,
        files.len()
    );
}

fn kill_9_in_write_mode() {
    kill_9("write", 40);
}

fn kill_9_in_sync_mode() {
    kill_9("sync", 20);
}

fn full_disk() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("audit.jsonl");
    for durability in ["write", "sync"] {
        let mut victim = Victim::start(durability, 1 << 30, 0, &path, Some(300_000));
        let mut lines = Vec::new();
        let count = |lines: &[String], answer: &str| lines.iter().filter(|l| l.starts_with(answer)).count();
        while count(&lines, "refused") < 50 {
            lines.push(victim.line().expect("it goes on"));
        }
        assert!(std::fs::metadata(&path).unwrap().len() <= 300_000);
        let pid = victim.child.id().to_string();
        let lifted = Command::new("prlimit").args(["--pid", &pid, "--fsize=unlimited"]).status();
        assert!(lifted.is_ok_and(|s| s.success()), "prlimit (util-linux) is needed for this case");
        let (before, deadline) = (count(&lines, "ack"), Instant::now() + Duration::from_secs(120));
        while count(&lines, "ack") < before + 200 {
            assert!(Instant::now() < deadline, "it does not go on");
            lines.push(victim.line().expect("it goes on"));
        }
        lines.extend(victim.kill());
        drop(Audit::open(&config(&path, Durability::Write, 1 << 30), str::to_owned).unwrap());
        let files = files(&path);
        sound(&files);
        let written = markers(&files);
        for line in &lines {
            let (answer, marker) = line.split_once(' ').unwrap();
            assert_eq!(written.contains(marker), answer == "ack", "{line}");
        }
        let text = std::fs::read_to_string(&path).unwrap();
        // More than one record, where a small batch still fits behind a large one that did not.
        let told: u64 = text
            .lines()
            .filter(|l| l.contains("\"reason\":\"write_failed\""))
            .map(|l| serde_json::from_str::<serde_json::Value>(l).unwrap()["refused"].as_u64().unwrap())
            .sum();
        assert!(told >= 50, "the log tells of {told}");
        std::fs::remove_file(&path).unwrap();
    }
}
