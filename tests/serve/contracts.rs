//! Contracts that a running pgveil keeps: who asks is told, and a restart or another node forgets nothing.

use std::path::Path;

use crate::common::proxy::{Proxy, eventually};
use crate::common::wire::{Answer, Wire};
use crate::{Case, Fixture};

pub const CASES: &[Case] = &[
    ("contracts::who_asks_is_told_of_a_stale_product_until_it_is_fresh", told_until_fresh),
    ("contracts::a_broken_contract_denies_where_the_product_says_so", denied_where_the_product_says_so),
    ("contracts::what_the_checks_found_outlives_a_restart", outlives_a_restart),
    ("contracts::the_webhook_is_told_once_and_again_when_it_fails", webhook),
    ("contracts::two_nodes_share_one_state_and_one_of_them_checks", two_nodes),
];

/// A table of the case's own, with one row of this age, and a product over it in the files of `dir`.
fn watched(f: &Fixture, name: &str, age: &str) {
    let mut superuser = f.warehouse.superuser("warehouse");
    for sql in [
        format!("CREATE TABLE public.ops_{name} (id int, at timestamptz)"),
        format!("INSERT INTO public.ops_{name} VALUES (1, now() - interval '{age}')"),
        format!("GRANT SELECT ON public.ops_{name} TO pgveil"),
    ] {
        assert!(superuser.one(&sql).error.is_none(), "{sql}");
    }
}

fn product(dir: &Path, name: &str, on_breach: &str) {
    let text = format!(
        "id = \"ops.{name}\"\ndomain = \"ops\"\nname = \"Watched\"\ndescription = \"A table that is watched.\"\nversion = 1\n\
         status = \"published\"\nrelation = \"public.ops_{name}\"\non_breach = \"{on_breach}\"\n\
         [owner]\nteam = \"Watchers\"\ncontact = \"watchers@example.com\"\n\
         [sla]\nfreshness = \"1h\"\nfreshness_column = \"at\"\n\
         [[schema]]\ncolumn = \"id\"\ntype = \"integer\"\n[[schema]]\ncolumn = \"at\"\ntype = \"timestamp\"\n\
         [[quality_checks]]\nname = \"ids_are_there\"\ntype = \"not_null\"\ncolumn = \"id\"\n"
    );
    std::fs::write(dir.join(format!("catalog/ops/{name}.toml")), text).unwrap();
}

/// The demo's own products would be checked all the time, too.
fn alone(dir: &Path) {
    std::fs::remove_dir_all(dir.join("catalog")).unwrap();
    std::fs::create_dir_all(dir.join("catalog/ops")).unwrap();
}

fn interval(dir: &Path, interval: &str) {
    let path = dir.join("pgveil.toml");
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(path, format!("{text}\n[contracts]\ninterval = \"{interval}\"\n")).unwrap();
}

/// What a new session is told with its first statement.
fn notices(proxy: &Proxy, name: &str) -> Vec<String> {
    let answer = ask(&mut proxy.login("admin"), name);
    answer.notices.iter().map(|notice| notice[&'M'].clone()).collect()
}

fn ask(wire: &mut Wire, name: &str) -> Answer {
    wire.one(&format!("SELECT id FROM ops.{name}"))
}

/// The outcomes of a product's runs, in their order.
fn outcomes(proxy: &Proxy, name: &str) -> Vec<String> {
    let id = format!("ops.{name}");
    let audit = proxy.audit();
    let records = audit.iter().filter(|record| record["event"] == "contract" && record["products"][0] == id);
    records.map(|record| record["reason"].as_str().unwrap().to_owned()).collect()
}

fn count(outcomes: &[String], outcome: &str) -> usize {
    outcomes.iter().filter(|found| *found == outcome).count()
}

fn told_until_fresh(f: &Fixture) {
    watched(f, "watched_told", "3 hours 10 minutes");
    let proxy = Proxy::start(&f.warehouse, |dir| {
        alone(dir);
        product(dir, "watched_told", "notice");
        interval(dir, "1s");
    });
    let stale = "data product ops.watched_told is more than 3 hours stale (at most 1 hour is promised)";
    eventually("the notice", || notices(&proxy, "watched_told") == [stale]);
    let mut wire = proxy.login("admin");
    let answer = ask(&mut wire, "watched_told");
    assert_eq!(answer.rows.len(), 1);
    assert_eq!(answer.notices[0][&'C'], "01000");
    assert!(answer.notices[0][&'H'].contains("Watchers (watchers@example.com)"), "{answer:?}");
    assert!(ask(&mut wire, "watched_told").notices.is_empty(), "once a session");
    // Many runs later it was told once.
    eventually("more runs", || count(&outcomes(&proxy, "watched_told"), "passed") >= 3);
    assert_eq!(count(&outcomes(&proxy, "watched_told"), "breached"), 1);

    f.warehouse.superuser("warehouse").one("UPDATE public.ops_watched_told SET at = now(), id = NULL");
    let broken = "data product ops.watched_told breaks its contract (failed check: ids_are_there)";
    eventually("the other breach", || notices(&proxy, "watched_told") == [broken]);
    f.warehouse.superuser("warehouse").one("UPDATE public.ops_watched_told SET id = 1");
    eventually("no notice", || notices(&proxy, "watched_told").is_empty());
    let outcomes = outcomes(&proxy, "watched_told");
    assert_eq!((count(&outcomes, "breached"), count(&outcomes, "recovered")), (1, 1), "{outcomes:?}");
    let metrics = proxy.http("/metrics").unwrap();
    assert!(metrics.contains("pgveil_product_breached{product=\"ops.watched_told\"} 0"), "{metrics}");
    assert!(metrics.contains("pgveil_product_quality_score{product=\"ops.watched_told\"}"), "{metrics}");
    assert!(metrics.contains("pgveil_contract_leader 1"), "{metrics}");
}

fn denied_where_the_product_says_so(f: &Fixture) {
    watched(f, "watched_denied", "1 minute");
    watched(f, "watched_ignored", "5 hours");
    let proxy = Proxy::start(&f.warehouse, |dir| {
        alone(dir);
        product(dir, "watched_denied", "deny");
        product(dir, "watched_ignored", "ignore");
        interval(dir, "1s");
    });
    let mut wire = proxy.login("admin");
    // Decided, remembered, and prepared while all was well.
    assert_eq!(ask(&mut wire, "watched_denied").rows.len(), 1);
    wire.parse("kept", "SELECT id FROM ops.watched_denied", &[]).sync();
    wire.until_ready();
    f.warehouse
        .superuser("warehouse")
        .one("UPDATE public.ops_watched_denied SET at = now() - interval '2 days 1 hour'");
    eventually("the denial", || ask(&mut wire, "watched_denied").sqlstate() == "42501");
    let error = ask(&mut wire, "watched_denied").error.unwrap();
    assert_eq!(error[&'M'], "data product ops.watched_denied is more than 2 days stale (at most 1 hour is promised)");
    assert_eq!(error[&'H'], "Its owner is Watchers (watchers@example.com).");
    wire.bind("", "kept", &[], false).execute("", 0).sync();
    assert_eq!(wire.error_until_ready()[&'C'], "42501");
    eventually("the record", || {
        let audit = proxy.audit();
        audit.iter().any(|record| record["decision"] == "deny" && record["reason"] == "stale")
    });
    // A check of one's own domain still sees it, or nobody could ever find it mended.
    f.warehouse.superuser("warehouse").one("UPDATE public.ops_watched_denied SET at = now()");
    eventually("rows again", || ask(&mut wire, "watched_denied").rows.len() == 1);
    // Who ignores it has runs, and nobody is told.
    eventually("its runs", || count(&outcomes(&proxy, "watched_ignored"), "breached") == 1);
    assert!(notices(&proxy, "watched_ignored").is_empty());
}

fn outlives_a_restart(f: &Fixture) {
    watched(f, "watched_restart", "3 hours 10 minutes");
    let mut proxy = Proxy::start(&f.warehouse, |dir| {
        alone(dir);
        product(dir, "watched_restart", "notice");
        interval(dir, "1s");
    });
    eventually("the notice", || !notices(&proxy, "watched_restart").is_empty());
    // From now on nothing would be found for a day.
    let path = proxy.files.dir().join("pgveil.toml");
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, text.replace("interval = \"1s\"", "interval = \"1d\"")).unwrap();
    // kill -9, maybe in the middle of a write.
    proxy.restart();
    let before = count(&outcomes(&proxy, "watched_restart"), "breached");
    assert_eq!(notices(&proxy, "watched_restart").len(), 1, "the first statement after the start is told");
    assert_eq!(before, 1);
    let shown = std::process::Command::new(env!("CARGO_BIN_EXE_pgveil"))
        .args(["contract", "show", "ops.watched_restart", "--format", "json", "--config"])
        .arg(&path)
        .output()
        .unwrap();
    let shown: serde_json::Value = serde_json::from_slice(&shown.stdout).unwrap();
    assert_eq!(shown["quality_score"], 100);
    assert_eq!(shown["breach"]["stale"]["most"], "1 hour");
    assert_eq!(shown["validations"][0]["rows"], 1);
}

fn two_nodes(f: &Fixture) {
    watched(f, "watched_nodes", "3 hours 10 minutes");
    f.warehouse.superuser("postgres").one("CREATE DATABASE pgveil_state");
    let start = || {
        Proxy::start(&f.warehouse, |dir| {
            alone(dir);
            product(dir, "watched_nodes", "notice");
            let path = dir.join("pgveil.toml");
            let url = format!(
                "postgres://postgres:{}@127.0.0.1:{}/pgveil_state",
                crate::common::proxy::SUPERUSER_PASSWORD,
                f.warehouse.server.port()
            );
            let text = std::fs::read_to_string(&path).unwrap().replace("sqlite:pgveil.db", &url);
            std::fs::write(path, format!("{text}\n[contracts]\ninterval = \"1s\"\n")).unwrap();
        })
    };
    let mut first = start();
    eventually("the first node leads", || !outcomes(&first, "watched_nodes").is_empty());
    let second = start();
    // It tells what the other has found, and runs nothing itself.
    eventually("the follower tells it", || !notices(&second, "watched_nodes").is_empty());
    let before = outcomes(&first, "watched_nodes").len();
    eventually("the leader goes on", || outcomes(&first, "watched_nodes").len() > before + 3);
    assert!(outcomes(&second, "watched_nodes").is_empty());
    first.child.kill().unwrap();
    first.child.wait().unwrap();
    eventually("the second takes over", || !outcomes(&second, "watched_nodes").is_empty());
    // The breach was told by the first already.
    assert_eq!(count(&outcomes(&second, "watched_nodes"), "breached"), 0);
}

/// Accepts posts, answers the first with 500, and keeps the bodies of those that it took.
struct Receiver {
    port: u16,
    seen: std::sync::Arc<std::sync::Mutex<Vec<serde_json::Value>>>,
    refused: std::sync::Arc<std::sync::atomic::AtomicUsize>,
}

impl Receiver {
    fn begin() -> Self {
        use std::io::{Read, Write};
        use std::sync::atomic::Ordering;
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let receiver =
            Self { port: listener.local_addr().unwrap().port(), seen: Default::default(), refused: Default::default() };
        let (seen, refused) = (receiver.seen.clone(), receiver.refused.clone());
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let (mut request, mut chunk) = (Vec::new(), [0; 4096]);
                let body = loop {
                    let read = stream.read(&mut chunk).unwrap();
                    request.extend_from_slice(&chunk[..read]);
                    let text = String::from_utf8_lossy(&request).into_owned();
                    let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
                    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
                    if body.len() >= length.parse().unwrap() {
                        assert!(head.starts_with("POST /hook/hunter2?x=1 HTTP/1.1"), "{head}");
                        break body.to_owned();
                    }
                    assert_ne!(read, 0, "{text}");
                };
                let status = if refused.fetch_add(1, Ordering::SeqCst) == 0 {
                    "500 Internal Server Error"
                } else {
                    seen.lock().unwrap().push(serde_json::from_str(&body).unwrap());
                    "200 OK"
                };
                let _ = write!(stream, "HTTP/1.1 {status}\r\ncontent-length: 0\r\n\r\n");
            }
        });
        receiver
    }
    fn events(&self) -> Vec<String> {
        self.seen.lock().unwrap().iter().map(|message| message["event"].as_str().unwrap().to_owned()).collect()
    }
}

fn webhook(f: &Fixture) {
    watched(f, "watched_hook", "3 hours 10 minutes");
    let receiver = Receiver::begin();
    let proxy = Proxy::start(&f.warehouse, |dir| {
        alone(dir);
        product(dir, "watched_hook", "notice");
        interval(dir, &format!("1s\"\nwebhook = \"http://127.0.0.1:{}/hook/hunter2?x=1", receiver.port));
    });
    eventually("the breach is told", || receiver.events() == ["breach"]);
    eventually("more runs", || count(&outcomes(&proxy, "watched_hook"), "passed") >= 3);
    f.warehouse.superuser("warehouse").one("UPDATE public.ops_watched_hook SET at = now()");
    eventually("the recovery is told", || receiver.events() == ["breach", "recovery"]);
    let first = receiver.seen.lock().unwrap()[0].clone();
    assert_eq!(
        first["text"],
        "Data product ops.watched_hook is more than 3 hours stale (at most 1 hour is promised). \
         Owner: Watchers (watchers@example.com)."
    );
    assert_eq!((&first["product"], &first["owner"]["team"]), (&"ops.watched_hook".into(), &"Watchers".into()));
    let log = proxy.log();
    assert!(log.contains("the webhook cannot be told; it is tried again") && !log.contains("hunter2"), "{log}");
}
