use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::config::{AuditConfig, AuditFailure, Durability, SqlRecording};
use crate::error::sqlstate;
use crate::names::{ProductId, RoleName, UserName};

use super::verify::{Expectations, Report, verify};
use super::*;

fn config(directory: &Path) -> AuditConfig {
    AuditConfig {
        path: directory.join("audit.jsonl"),
        on_failure: AuditFailure::Deny,
        durability: Durability::Write,
        sql: SqlRecording::Full,
        rotate_at: 256 << 20,
        keep: Duration::from_secs(400 * 86_400),
    }
}

fn open(config: &AuditConfig) -> Audit {
    Audit::open(config, |text| text.replace("'x'", "$1")).unwrap()
}

fn stamp() -> Stamp {
    Stamp::new(&SessionFields {
        session: "s-1",
        user: &UserName::new("ana"),
        on_behalf_of: None,
        roles: &[RoleName::new("analyst")],
        client: "127.0.0.1:50000".parse().unwrap(),
        application: "psql",
        database: "analytics",
        tls: Some("TLSv1.3"),
    })
}

fn allowed<'a>(stamp: &'a Stamp, sql: &'a str) -> StatementRecord<'a> {
    StatementRecord {
        stamp,
        sql,
        fingerprint: Some("f00d"),
        verdict: Verdict::Allow { forwarded: Some("SELECT 'x' LIMIT 10001"), masked: &[], unmasked: &[] },
        products: &[],
        generation: 3,
    }
}

fn denied<'a>(stamp: &'a Stamp, sql: &'a str) -> StatementRecord<'a> {
    let verdict = Verdict::Deny { reason: "kind", sqlstate: sqlstate::INSUFFICIENT_PRIVILEGE };
    StatementRecord { verdict, ..allowed(stamp, sql) }
}

fn lines(path: &Path) -> Vec<String> {
    std::fs::read_to_string(path).unwrap().lines().map(str::to_owned).collect()
}

fn check(files: &[PathBuf]) -> Report {
    verify(files, &Expectations::default()).unwrap()
}

async fn run(audit: &Audit, statements: usize) {
    let stamp = stamp();
    for n in 0..statements {
        let ticket = audit.decided(&allowed(&stamp, &format!("SELECT {n}"))).await.unwrap();
        ticket.completed(&Outcome { rows: n as u64, ..Outcome::default() });
    }
}

#[tokio::test]
async fn decisions_of_a_pipeline_are_recorded_together_and_in_order() {
    let directory = tempfile::tempdir().unwrap();
    let config = config(directory.path());
    let audit = open(&config);
    let stamp = stamp();
    let texts = ["SELECT 1", "SELECT 2", "SELECT 3"];
    let records = texts.map(|text| allowed(&stamp, text));
    let mut tickets = audit.decided_all(&records).await.unwrap();
    let written = lines(&config.path);
    assert_eq!(written.len(), 3, "written before decided_all() returns");
    for (line, text) in written.iter().zip(texts) {
        assert!(line.contains(text), "{line}");
    }
    let seqs: Vec<Option<u64>> = tickets
        .by_ref()
        .take(2)
        .map(|ticket| {
            let seq = ticket.seq();
            ticket.completed(&Outcome::default());
            seq
        })
        .collect();
    assert_eq!(seqs, [Some(1), Some(2)]);
    // The third is taken by nobody: that it was cut off is recorded.
    drop(tickets);
    audit.close();
    let outcomes = lines(&config.path)[3..].join("\n");
    assert!(outcomes.contains("\"of\":3") && outcomes.contains("08006"), "{outcomes}");
    assert_eq!(check(&[config.path]).findings.len(), 0);
}

#[tokio::test]
async fn an_allowed_statement_is_two_lines_with_the_promised_fields() {
    let directory = tempfile::tempdir().unwrap();
    let config = config(directory.path());
    let audit = open(&config);
    let stamp = stamp();
    let product = ProductId::parse("sales.orders").unwrap();
    let record = StatementRecord {
        products: std::slice::from_ref(&product),
        verdict: Verdict::Allow {
            forwarded: Some("SELECT 1 LIMIT 10001"),
            masked: &["sales.orders.email".to_owned()],
            unmasked: &[],
        },
        ..allowed(&stamp, "SELECT \"a\"\n")
    };
    let ticket = audit.decided(&record).await.unwrap();
    assert_eq!(ticket.seq(), Some(1));
    assert_eq!(lines(&config.path).len(), 1, "written before decided() returns");
    ticket.completed(&Outcome {
        rows: 2,
        bytes: 30,
        duration: Duration::from_micros(1250),
        truncated: true,
        sqlstate: Some(sqlstate::QUERY_CANCELED),
    });
    drop(audit);
    let lines = lines(&config.path);
    let strip = |line: &str| {
        let (_, rest) = line.split_once("\"event\":").unwrap();
        format!("\"event\":{rest}")
    };
    assert_eq!(
        strip(&lines[0]),
        r#""event":"statement","session":"s-1","user":"ana","roles":["analyst"],"client":"127.0.0.1:50000","application":"psql","database":"analytics","tls":"TLSv1.3","sql":"SELECT \"a\"\n","fingerprint":"f00d","forwarded":"SELECT 1 LIMIT 10001","decision":"allow","products":["sales.orders"],"masked":["sales.orders.email"],"generation":3}"#
    );
    assert_eq!(
        strip(&lines[1]),
        r#""event":"outcome","of":1,"rows":2,"bytes":30,"duration_ms":1.25,"truncated":true,"sqlstate":"57014"}"#
    );
    assert!(check(&[config.path]).is_sound());
}

#[tokio::test]
async fn a_denial_is_one_line_and_a_dropped_ticket_says_so() {
    let directory = tempfile::tempdir().unwrap();
    let config = config(directory.path());
    let audit = open(&config);
    let stamp = stamp();
    drop(audit.decided(&denied(&stamp, "DROP TABLE x")).await.unwrap());
    drop(audit.decided(&allowed(&stamp, "SELECT 1")).await.unwrap());
    let killed = audit.decided(&allowed(&stamp, "SELECT 2")).await.unwrap();
    let running = killed.seq().unwrap();
    audit.close();
    drop(killed);
    let lines = lines(&config.path);
    assert_eq!(lines.len(), 5, "{lines:#?}");
    assert!(lines[0].contains(r#""decision":"deny","reason":"kind","sqlstate":"42501","generation":3}"#));
    assert!(lines.iter().any(|l| l.contains(r#""of":2"#) && l.contains(r#""sqlstate":"08006""#)));
    assert!(lines.iter().any(|l| l.contains(&format!("\"of\":{running},")) && l.contains(r#""sqlstate":"57P01""#)));
    assert!(check(&[config.path]).is_sound());
}

#[tokio::test]
async fn outcomes_are_written_without_a_further_statement() {
    let directory = tempfile::tempdir().unwrap();
    let config = config(directory.path());
    let audit = open(&config);
    run(&audit, 1).await;
    let start = Instant::now();
    while lines(&config.path).len() < 2 {
        assert!(start.elapsed() < Duration::from_secs(60), "the outcome is never written");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(audit.lag().0, 0);
}

#[tokio::test]
async fn texts_are_recorded_as_configured() {
    for (sql, expected) in [
        (SqlRecording::Full, Some(("SELECT 'x'", "SELECT 'x' LIMIT 10001"))),
        (SqlRecording::Redacted, Some(("SELECT $1", "SELECT $1 LIMIT 10001"))),
        (SqlRecording::None, None),
    ] {
        let directory = tempfile::tempdir().unwrap();
        let config = AuditConfig { sql, ..config(directory.path()) };
        let audit = open(&config);
        drop(audit.decided(&allowed(&stamp(), "SELECT 'x'")).await.unwrap());
        let line: serde_json::Value = serde_json::from_str(&lines(&config.path)[0]).unwrap();
        let text = |name: &str| line.get(name).and_then(|v| v.as_str());
        assert_eq!(text("sql").zip(text("forwarded")), expected);
        assert_eq!(line.get("sql").is_some(), expected.is_some());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_at_once_are_one_chain_in_both_durabilities() {
    for durability in [Durability::Write, Durability::Sync] {
        let directory = tempfile::tempdir().unwrap();
        let config = AuditConfig { durability, ..config(directory.path()) };
        let audit = open(&config);
        let tasks: Vec<_> = (0..16)
            .map(|_| {
                let audit = audit.clone();
                tokio::spawn(async move { run(&audit, 25).await })
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
        drop(audit);
        let report = check(&[config.path]);
        assert!(report.is_sound(), "{:?}", report.findings);
        assert_eq!((report.records, report.allowed, report.outcomes), (800, 400, 400));
        assert!(report.without_outcome.is_empty());
    }
}

#[tokio::test]
async fn a_client_that_leaves_while_it_waits_leaves_an_outcome() {
    let directory = tempfile::tempdir().unwrap();
    let config = AuditConfig { durability: Durability::Sync, ..config(directory.path()) };
    let audit = open(&config);
    let stamp = stamp();
    let record = allowed(&stamp, "SELECT 1");
    {
        let mut waiting = Box::pin(audit.decided(&record));
        let poll = std::future::poll_fn(|cx| std::task::Poll::Ready(waiting.as_mut().poll(cx).is_pending())).await;
        assert!(poll, "a sync is not done inline");
    }
    drop(audit);
    let report = check(&[config.path]);
    assert_eq!((report.allowed, report.outcomes), (1, 1));
}

#[tokio::test]
async fn the_chain_goes_on_across_restart_and_rotation() {
    let directory = tempfile::tempdir().unwrap();
    let config = AuditConfig { rotate_at: 2_000, ..config(directory.path()) };
    for _ in 0..3 {
        let audit = open(&config);
        run(&audit, 10).await;
    }
    let mut files: Vec<PathBuf> = rotation::list(&config.path).unwrap().into_iter().map(|r| r.path).collect();
    assert!(files.len() >= 3, "{files:?}");
    assert!(files[0].file_name().unwrap().to_str().unwrap().starts_with("audit-000000000001-"));
    files.push(config.path.clone());
    let report = check(&files);
    assert!(report.is_sound(), "{:?}", report.findings);
    assert_eq!((report.records, report.first_seq, report.last_seq), (60, 1, 60));
    let mode = std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(&config.path).unwrap().permissions());
    assert_eq!(mode & 0o777, 0o600);

    let report = check(&files[1..]);
    assert!(report.findings[0].message.contains("use --from"), "{:?}", report.findings);
    let from = report.first_seq;
    assert!(verify(&files[1..], &Expectations { from: Some(from), last_hash: None }).unwrap().is_sound());
    files.swap(0, 1);
    assert!(!check(&files).is_sound());
}

#[tokio::test]
async fn a_rotation_that_a_crash_cut_in_half_is_finished() {
    let directory = tempfile::tempdir().unwrap();
    let config = config(directory.path());
    run(&open(&config), 2).await;
    let rotated = rotation::rotated_path(&config.path, 1, jiff::Timestamp::now());
    std::fs::hard_link(&config.path, &rotated).unwrap();
    run(&open(&config), 2).await;
    let report = check(&[rotated, config.path]);
    assert!(report.is_sound(), "{:?}", report.findings);
    assert_eq!(report.records, 8);
}

#[tokio::test]
async fn old_files_expire_and_the_log_says_so() {
    let directory = tempfile::tempdir().unwrap();
    let config = AuditConfig { rotate_at: 1_000, ..config(directory.path()) };
    run(&open(&config), 10).await;
    let config = AuditConfig { keep: Duration::from_millis(1500), ..config };
    let before = rotation::list(&config.path).unwrap().len();
    // Names hold whole seconds.
    tokio::time::sleep(Duration::from_millis(2600)).await;
    run(&open(&config), 1).await;
    let rotated = rotation::list(&config.path).unwrap();
    assert!(rotated.len() < before, "{rotated:?}");
    let mut files: Vec<PathBuf> = rotated.into_iter().map(|r| r.path).collect();
    files.push(config.path.clone());
    let report = check(&files);
    assert!(report.is_sound(), "{:?}", report.findings);
    assert!(report.first_seq > 1);
}

#[tokio::test]
async fn a_torn_last_line_is_recovered_from() {
    let directory = tempfile::tempdir().unwrap();
    let config = config(directory.path());
    run(&open(&config), 3).await;
    let whole = std::fs::read(&config.path).unwrap();
    // Cut within the last line, before its end, and right behind the line before.
    for cut in [1, 20, 40, 200] {
        std::fs::write(&config.path, &whole[..whole.len() - cut]).unwrap();
        let unfinished = check(std::slice::from_ref(&config.path));
        assert!(unfinished.is_sound() && unfinished.unfinished_bytes > 0, "{unfinished:?}");
        run(&open(&config), 1).await;
        let report = check(std::slice::from_ref(&config.path));
        assert!(report.is_sound(), "cut {cut}: {:?}", report.findings);
        assert_eq!(report.torn_lines, 1);
        assert_eq!(report.records, 5 + 1 + 2);
        assert_eq!(report.without_outcome.len(), 1, "the outcome that was torn");
        // The torn text is bound by the record behind it.
        let text = std::fs::read_to_string(&config.path).unwrap();
        let torn = text.lines().nth(5).unwrap();
        std::fs::write(&config.path, text.replacen(torn, "x", 1)).unwrap();
        assert!(!check(std::slice::from_ref(&config.path)).is_sound());
    }
}

#[tokio::test]
async fn a_torn_first_line_is_recovered_from() {
    let directory = tempfile::tempdir().unwrap();
    let config = config(directory.path());
    std::fs::write(&config.path, b"{\"v\":1,\"se").unwrap();
    run(&open(&config), 1).await;
    let report = check(&[config.path]);
    assert!(report.is_sound(), "{:?}", report.findings);
    assert_eq!((report.torn_lines, report.first_seq, report.records), (1, 1, 3));
}

#[tokio::test]
async fn a_damaged_end_is_not_continued() {
    let directory = tempfile::tempdir().unwrap();
    let config = config(directory.path());
    run(&open(&config), 1).await;
    let text = std::fs::read_to_string(&config.path).unwrap();
    std::fs::write(&config.path, text.replace("\"rows\":0", "\"rows\":9")).unwrap();
    let error = Audit::open(&config, str::to_owned).err().unwrap().to_string();
    assert!(error.contains("was edited"), "{error}");
}

#[tokio::test]
async fn two_processes_do_not_share_a_log() {
    let directory = tempfile::tempdir().unwrap();
    let config = config(directory.path());
    let first = open(&config);
    let error = Audit::open(&config, str::to_owned).err().unwrap().to_string();
    assert!(error.contains(&format!("in use by another pgveil (process {})", std::process::id())), "{error}");
    drop(first);
    open(&config);
}

#[tokio::test]
async fn a_statement_that_cannot_be_recorded_is_refused() {
    let mut config = config(Path::new("/dev"));
    config.path = "/dev/full".into();
    let audit = open(&config);
    let stamp = stamp();
    let error = audit.decided(&allowed(&stamp, "SELECT 1")).await.err().unwrap();
    assert_eq!(error.to_client().sqlstate, sqlstate::IO_ERROR);
    assert!(audit.health().is_err());

    let audit = open(&AuditConfig { on_failure: AuditFailure::Allow, ..config });
    let ticket = audit.decided(&allowed(&stamp, "SELECT 1")).await.unwrap();
    assert_eq!(ticket.seq(), None);
}

#[tokio::test]
async fn the_chain_goes_on_in_a_new_file_when_the_old_one_was_moved_away() {
    let directory = tempfile::tempdir().unwrap();
    let config = config(directory.path());
    let audit = open(&config);
    run(&audit, 1).await;
    let moved = directory.path().join("moved.jsonl");
    std::fs::rename(&config.path, &moved).unwrap();
    tokio::time::sleep(Duration::from_millis(1100)).await;
    run(&audit, 1).await;
    drop(audit);
    let report = check(&[moved, config.path]);
    assert!(report.is_sound(), "{:?}", report.findings);
    assert_eq!(report.records, 4);
}

#[tokio::test]
async fn events_have_their_fields() {
    let directory = tempfile::tempdir().unwrap();
    let config = config(directory.path());
    let audit = open(&config);
    let stamp = stamp();
    audit.event(&Event::SessionStart(&stamp));
    audit.event(&Event::SessionEnd { stamp: &stamp, sqlstate: None });
    audit.event(&Event::AuthFailure {
        user: "eve",
        client: "127.0.0.1:50001".parse().unwrap(),
        database: "analytics",
        tls: None,
        reason: "password",
        sqlstate: sqlstate::INVALID_PASSWORD,
    });
    audit.event(&Event::Reload { outcome: ReloadOutcome::Refused, generation: 7, errors: 2 });
    drop(audit);
    let lines = lines(&config.path);
    for (line, expected) in lines.iter().zip([
        r#""event":"session_start","session":"s-1","#,
        r#""event":"session_end","session":"s-1","#,
        r#""event":"auth_failure","user":"eve","client":"127.0.0.1:50001","database":"analytics","reason":"password","sqlstate":"28P01"}"#,
        r#""event":"reload","reason":"refused","generation":7,"errors":2}"#,
    ]) {
        assert!(line.contains(expected), "{line}");
    }
    assert_eq!(lines.len(), 4);
}

mod tampering {
    use proptest::prelude::*;

    use super::*;

    /// A sound log as lines.
    fn sound() -> Vec<String> {
        let directory = tempfile::tempdir().unwrap();
        let config = config(directory.path());
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async { run(&open(&config), 8).await });
        lines(&config.path)
    }

    fn is_sound(lines: &[String]) -> bool {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("tampered.jsonl");
        std::fs::write(&path, lines.iter().map(|l| format!("{l}\n")).collect::<String>()).unwrap();
        check(&[path]).is_sound()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]

        #[test]
        fn a_changed_byte_is_found(line in 0_usize..16, at in any::<prop::sample::Index>(), byte in 0x20_u8..0x7f) {
            let mut log = sound();
            let mut bytes = log[line].clone().into_bytes();
            let at = at.index(bytes.len());
            prop_assume!(bytes[at] != byte);
            bytes[at] = byte;
            log[line] = String::from_utf8(bytes).unwrap();
            prop_assert!(!is_sound(&log));
        }

        #[test]
        fn a_dropped_line_is_found(line in 0_usize..15) {
            let mut log = sound();
            log.remove(line);
            prop_assert!(!is_sound(&log));
        }

        #[test]
        fn a_moved_line_is_found(from in 0_usize..16, to in 0_usize..15) {
            let mut log = sound();
            let line = log.remove(from);
            prop_assume!(from != to);
            log.insert(to, line);
            prop_assert!(!is_sound(&log));
        }

        #[test]
        fn an_inserted_line_is_found(at in 0_usize..=16, copied in 0_usize..16, text in "[ -~]{0,40}") {
            let log = sound();
            for inserted in [log[copied].clone(), text] {
                let mut log = log.clone();
                log.insert(at, inserted);
                prop_assert!(!is_sound(&log));
            }
        }
    }

    #[test]
    fn an_untouched_log_is_sound() {
        assert!(is_sound(&sound()));
    }

    #[test]
    fn a_log_that_was_cut_at_its_end_does_not_end_with_the_hash_that_was_kept() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("cut.jsonl");
        let log = sound();
        std::fs::write(&path, log.iter().map(|l| format!("{l}\n")).collect::<String>()).unwrap();
        let last_hash = Some(check(std::slice::from_ref(&path)).last_hash);
        std::fs::write(&path, log[..14].iter().map(|l| format!("{l}\n")).collect::<String>()).unwrap();
        assert!(check(std::slice::from_ref(&path)).is_sound());
        assert!(!verify(&[path], &Expectations { from: None, last_hash }).unwrap().is_sound());
    }
}
