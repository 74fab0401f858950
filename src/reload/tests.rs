//! Files that change while pgveil runs: looked at when it is quiet, applied whole, or refused.

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use tempfile::TempDir;
use tokio::task::JoinHandle;

use crate::audit::Audit;
use crate::statement::{Queues, Shutdown};
use crate::upstream::test_postgres::Nobody;

use super::watch::{PACE, Pace};
use super::*;

const POLICY: &str = r#"
[roles.analyst]
products = ["shop.*"]
[users.ana]
certificate = "CN=ana"
roles = ["analyst"]
"#;

fn product(name: &str) -> String {
    format!(
        r#"
id = "shop.{name}"
domain = "shop"
name = "{name}"
description = "Every one of them."
version = 1
status = "published"
[owner]
team = "Shop"
contact = "shop@example.com"
[[schema]]
column = "id"
type = "integer"
"#
    )
}

#[derive(Default)]
struct Looks(AtomicUsize);

impl Effects for Looks {
    fn applied(&self, _: &ServerConfig) {}
    fn looked(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// A reloader over files of its own. Its warehouse is not there: what is known of it does not matter here.
struct Running {
    shared: Arc<Shared>,
    standing: Arc<ArcSwap<Standing>>,
    looks: Arc<Looks>,
    hangup: Arc<Notify>,
    task: JoinHandle<()>,
    files: TempDir,
    _nobody: Nobody,
}

impl Running {
    async fn begin(more: &str) -> Self {
        let (files, nobody) = (tempfile::tempdir().unwrap(), Nobody::listens());
        let config = files.path().join("pgveil.toml");
        std::fs::create_dir(files.path().join("catalog")).unwrap();
        let dsn = format!("postgres://u@127.0.0.1:{}/db", nobody.port());
        let server = format!("[warehouses.w]\ndsn = \"{dsn}\"\n[audit]\npath = \"catalog/audit/log.jsonl\"\n{more}");
        std::fs::write(&config, server).unwrap();
        std::fs::write(files.path().join("policy.toml"), POLICY).unwrap();
        std::fs::write(files.path().join("catalog/orders.toml"), product("orders")).unwrap();
        std::fs::create_dir(files.path().join("catalog/audit")).unwrap();

        let server = first::server(&config).await.unwrap();
        let store = Store::open(&files.path().join("pgveil.db")).unwrap();
        let first = first::build(&config, &server, &store).await.unwrap();
        let pools = open_pools(&server, None).unwrap();
        let (snapshot, begun) = first.begin();
        let (_, shutdown) = tokio::sync::watch::channel(Shutdown::Running);
        let shared = Arc::new(Shared {
            snapshot: ArcSwap::from_pointee(snapshot),
            pools: ArcSwap::from_pointee(pools),
            audit: Audit::open(&server.audit, str::to_owned).unwrap(),
            queues: Queues::default(),
            versions: dashmap::DashMap::default(),
            doubts: tokio::sync::Notify::new(),
            breaches: ArcSwap::default(),
            breaches_changed: tokio::sync::Notify::new(),
            max_message: 1 << 20,
            shutdown,
        });
        let (looks, hangup) = (Arc::new(Looks::default()), Arc::new(Notify::new()));
        let reloader = Reloader::new(config, begun, Arc::clone(&shared), store, Arc::clone(&looks) as _).await;
        let standing = reloader.standing();
        let task = tokio::spawn(reloader.run(Arc::clone(&hangup)));
        Self { shared, standing, looks, hangup, task, files, _nobody: nobody }
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.files.path().join(name), text).unwrap();
    }

    fn products(&self) -> usize {
        self.shared.snapshot().parts.catalog.len()
    }

    fn looks(&self) -> usize {
        self.looks.0.load(Ordering::Relaxed)
    }

    async fn eventually(&self, what: &str, holds: impl Fn(&Self) -> bool) {
        let deadline = Instant::now() + Duration::from_secs(120);
        while !holds(self) {
            assert!(Instant::now() < deadline && !self.task.is_finished(), "{what}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.task.abort();
    }
}

#[tokio::test]
async fn a_good_candidate_is_swapped_in_and_a_bad_one_changes_nothing() {
    let running = Running::begin("").await;
    let before = running.shared.snapshot().generation();
    running.write("catalog/returns.toml", &product("returns"));
    running.eventually("the new product", |r| r.products() == 2).await;
    let applied = running.shared.snapshot().generation();
    assert!(applied > before);

    // A good file beside a bad one changes nothing either.
    running.write("catalog/refunds.toml", &product("refunds"));
    running.write("catalog/returns.toml", "id = ");
    running.eventually("the error is told", |r| r.standing.load().errors > 0).await;
    let snapshot = running.shared.snapshot();
    assert!(
        snapshot.generation() <= applied + 1
            && snapshot.parts.catalog.iter().any(|p| p.id.to_string() == "shop.returns")
    );
    let refused = snapshot.generation();
    drop(snapshot);
    let looks = running.looks();
    running.hangup.notify_one();
    running.eventually("it is looked at again", |r| r.looks() > looks).await;
    assert_eq!(running.shared.snapshot().generation(), refused);

    running.write("catalog/returns.toml", &product("returns"));
    running.eventually("all three", |r| r.products() == 3 && r.standing.load().errors == 0).await;
}

#[tokio::test]
async fn many_writes_are_few_looks() {
    let running = Running::begin("").await;
    running.eventually("the first look is over", |r| r.products() == 1).await;
    let (began, before) = (Instant::now(), running.looks());
    for n in 0..60 {
        running.write("catalog/orders.toml", &product(&format!("orders_{n}")));
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    running
        .eventually("the last one serves", |r| {
            r.shared.snapshot().parts.catalog.iter().any(|p| p.id.to_string() == "shop.orders_59")
        })
        .await;
    // Before each look it was quiet for a while: on a slow machine there may be more of them, and more time.
    let most = 1 + began.elapsed().as_millis() / PACE.quiet.as_millis();
    assert!((running.looks() - before) as u128 <= most, "{} looks, at most {most}", running.looks() - before);
}

#[tokio::test]
async fn a_product_whose_filter_is_wrong_is_withheld_alone_in_quarantine() {
    let wrong =
        format!("{}[[row_filters]]\nroles = [\"analyst\"]\nwhere = \"pg_sleep(1) IS NULL\"\n", product("returns"));
    let running = Running::begin("[catalog]\non_error = \"quarantine\"\n").await;
    running.write("catalog/returns.toml", &wrong);
    running.write("catalog/refunds.toml", &product("refunds"));
    running.eventually("the good one", |r| r.products() == 2).await;
    let served: Vec<String> = running.shared.snapshot().parts.catalog.iter().map(|p| p.id.to_string()).collect();
    assert_eq!(served, ["shop.orders", "shop.refunds"]);

    let strict = Running::begin("").await;
    strict.write("catalog/returns.toml", &wrong);
    strict.write("catalog/refunds.toml", &product("refunds"));
    strict.eventually("the error", |r| r.standing.load().errors > 0).await;
    assert!(!strict.shared.snapshot().parts.catalog.iter().any(|p| p.id.to_string() == "shop.returns"));
}

async fn wakes(watch: &Watch, within: Duration) -> bool {
    tokio::time::timeout(within, watch.changed()).await.is_ok()
}

#[tokio::test]
async fn what_pgveil_writes_itself_does_not_wake_it_wherever_it_lies() {
    // The directory above is watched too, and everybody writes into that of temporary files.
    let root = tempfile::tempdir().unwrap();
    let files = root.path().join("etc");
    std::fs::create_dir(&files).unwrap();
    let config = files.join("pgveil.toml");
    let text = |name: &str| {
        format!(
            "[warehouses.w]\ndsn = \"postgres://u@h/db\"\n[catalog]\npath = \".\"\n\
             [audit]\npath = \"{name}/audit.jsonl\"\n[state]\nurl = \"sqlite:{name}/pgveil.db\"\n"
        )
    };
    let server = |name: &str| {
        std::fs::write(&config, text(name)).unwrap();
        crate::config::load_server(&config).unwrap().0
    };
    // The log stays where it was at the start, until a restart.
    let (started, now) = (server("own"), server("other"));
    std::fs::create_dir(files.join("own")).unwrap();
    let store = Store::open(&files.join("own/pgveil.db")).unwrap();
    let audit = Audit::open(&crate::config::AuditConfig { rotate_at: 1_000, ..started.audit.clone() }, str::to_owned);
    let audit = audit.unwrap();
    let pace = Pace { poll: Duration::from_secs(3600), ..PACE };
    let watch = Watch::at_pace(candidate::places(&config, &now, &started), pace);
    for generation in 0..50 {
        audit.event(&Event::Reload { outcome: ReloadOutcome::Applied, generation, errors: 0 });
        store.save_facts(&Facts::default()).await.unwrap();
    }
    drop(audit);
    let names = |directory: &Path| std::fs::read_dir(directory).unwrap().count();
    assert!(names(&files.join("own")) > 4, "the log was rotated");
    assert!(!wakes(&watch, Duration::from_secs(1)).await);
    // It was not deaf.
    std::fs::write(files.join("orders.toml"), "").unwrap();
    assert!(wakes(&watch, Duration::from_secs(60)).await);
}
