//! One suite for both databases.

use std::path::Path;
use std::sync::OnceLock;

use jiff::Timestamp;
use rusqlite::Connection;

use super::*;
use crate::document::SourceFile;
use crate::govern::facts::RelationKind;
use crate::names::ProductId;
use crate::upstream::test_postgres::TestPostgres;

fn server() -> &'static TestPostgres {
    static SERVER: OnceLock<TestPostgres> = OnceLock::new();
    SERVER.get_or_init(TestPostgres::start)
}

/// Where a store lies.
enum Home {
    File(tempfile::TempDir),
    Database(String),
}

impl Home {
    fn url(&self) -> StateUrl {
        match self {
            Self::File(directory) => StateUrl::Sqlite(directory.path().join("state.db")),
            Self::Database(name) => StateUrl::Postgres(SecretString::new(server().dsn(name))),
        }
    }
    async fn open(&self) -> Store {
        Store::open_url(&self.url()).await.unwrap()
    }
    async fn peek(&self) -> Option<Store> {
        Store::peek_url(&self.url()).await.unwrap()
    }
}

/// An empty one of each kind.
fn homes(name: &str) -> [Home; 2] {
    server().sql("postgres", &format!("CREATE DATABASE {name}"));
    [Home::File(tempfile::tempdir().unwrap()), Home::Database(name.to_owned())]
}

fn texts(policy: &str) -> SourceTexts {
    SourceTexts {
        server: SourceFile::new("/etc/pgveil/pgveil.toml", ""),
        policy: vec![SourceFile::new("/etc/pgveil/policy.toml", policy)],
        catalog: Vec::new(),
    }
}

fn relation(oid: u32) -> RelationFacts {
    RelationFacts {
        oid,
        kind: RelationKind::Table,
        columns: Vec::new(),
        primary_key: vec!["id".to_owned()],
        unique_keys: Vec::new(),
        barrier: true,
        parents: Vec::new(),
        has_children: false,
        tableoid: false,
    }
}

fn run(product: &str, at: &str, rows: Option<u64>) -> KeptRun {
    KeptRun {
        product: ProductId::parse(product).unwrap(),
        started_at: at.parse().unwrap(),
        passed: rows.is_some(),
        rows,
        stale_seconds: rows.map(|rows| rows * 2),
        document: format!("{{\"at\": \"{at}\", \"quoted\": \"'\\\"?1\"}}"),
    }
}

#[tokio::test]
async fn what_is_kept_survives_a_restart() {
    for home in homes("restart") {
        let store = home.open().await;
        assert!(store.last_good().await.unwrap().is_none());
        store.save_last_good(1, texts("a")).await.unwrap();
        store.save_last_good(7, texts("b")).await.unwrap();
        let secret = store.secret("unknown users").await.unwrap();
        store.save_run(run("a.b", "2026-01-01T00:00:00Z", Some(3))).await.unwrap();
        drop(store);
        let store = home.open().await;
        let kept = store.last_good().await.unwrap().unwrap();
        assert_eq!((kept.generation, kept.texts), (7, texts("b")));
        assert!(store.secret("unknown users").await.unwrap() == secret);
        assert!(store.secret("another").await.unwrap() != secret);
        let id = ProductId::parse("a.b").unwrap();
        assert_eq!(store.runs(&id, 9).await.unwrap(), [run("a.b", "2026-01-01T00:00:00Z", Some(3))]);
    }
}

#[tokio::test]
async fn facts_are_kept_by_warehouse() {
    for home in homes("facts") {
        let store = home.open().await;
        let name = RelationName { schema: "public".to_owned(), name: "orders".to_owned() };
        let of = |warehouse: &str, oid| Facts {
            relations: [(WarehouseName::new(warehouse), vec![(name.clone(), relation(oid))])].into(),
            system: [(WarehouseName::new(warehouse), Vec::new())].into(),
        };
        store.save_facts(&of("a", 1)).await.unwrap();
        store.save_facts(&of("b", 2)).await.unwrap();
        store.save_facts(&of("a", 3)).await.unwrap();
        let facts = store.facts().await.unwrap();
        assert_eq!(facts.get(&WarehouseName::new("a"), &name).unwrap().oid, 3);
        assert_eq!(facts.get(&WarehouseName::new("b"), &name).unwrap().oid, 2);
    }
}

#[tokio::test]
async fn runs_come_back_latest_first_and_are_forgotten() {
    for home in homes("runs") {
        let store = home.open().await;
        // One with a fraction stands where it belongs between those without.
        let times = ["2026-01-01T00:00:00Z", "2026-01-01T00:00:00.5Z", "2026-01-01T00:00:01Z", "2026-01-02T00:00:00Z"];
        for (n, at) in times.iter().enumerate().rev() {
            store.save_run(run("a.b", at, Some(n as u64))).await.unwrap();
        }
        store.save_run(run("a.c", times[0], None)).await.unwrap();
        // Kept already.
        store.save_run(run("a.b", times[0], Some(99))).await.unwrap();
        let id = ProductId::parse("a.b").unwrap();
        let rows = |runs: Vec<KeptRun>| runs.into_iter().map(|run| run.rows.unwrap()).collect::<Vec<_>>();
        assert_eq!(rows(store.runs(&id, 3).await.unwrap()), [3, 2, 1]);
        assert_eq!(store.runs(&ProductId::parse("a.c").unwrap(), 3).await.unwrap(), [run("a.c", times[0], None)]);
        let latest = store.latest_runs().await.unwrap();
        assert_eq!(latest, [run("a.b", times[3], Some(3)), run("a.c", times[0], None)]);
        store.forget_runs(times[2].parse::<Timestamp>().unwrap()).await.unwrap();
        assert_eq!(rows(store.runs(&id, 9).await.unwrap()), [3, 2]);
        assert!(store.runs(&ProductId::parse("a.c").unwrap(), 3).await.unwrap().is_empty());
    }
}

#[tokio::test]
async fn two_nodes_at_once_make_one_store() {
    for home in homes("nodes") {
        let (one, two) = tokio::join!(home.open(), home.open());
        let (a, b) = tokio::join!(one.secret("shared"), two.secret("shared"));
        assert!(a.unwrap() == b.unwrap());
        let write = |store: Store, product: &'static str| async move {
            for n in 0..30 {
                let at = format!("2026-01-01T00:00:{n:02}Z");
                store.save_run(run(product, &at, Some(n))).await.unwrap();
                store.save_last_good(n, texts(product)).await.unwrap();
            }
        };
        tokio::join!(write(one.clone(), "a.one"), write(two.clone(), "a.two"));
        for product in ["a.one", "a.two"] {
            assert_eq!(one.runs(&ProductId::parse(product).unwrap(), 99).await.unwrap().len(), 30);
        }
        assert_eq!(two.last_good().await.unwrap().unwrap().generation, 29);
    }
}

#[tokio::test]
async fn one_node_leads_until_it_is_gone() {
    let [_, home] = homes("leads");
    let (one, two) = (home.open().await, home.open().await);
    assert!(one.leads().await.unwrap() && one.leads().await.unwrap());
    assert!(!two.leads().await.unwrap());
    // Its session is ended from outside: whoever asks first has it.
    let end = "SELECT pg_terminate_backend(pid) FROM pg_locks l JOIN pg_database d ON d.oid = l.database \
               WHERE l.locktype = 'advisory' AND d.datname = 'leads'";
    server().sql("postgres", end);
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(60);
    while !two.leads().await.unwrap() {
        assert!(std::time::Instant::now() < deadline, "nobody leads");
    }
    assert!(!one.leads().await.unwrap());
}

#[tokio::test]
async fn a_lost_connection_is_opened_again() {
    let [_, home] = homes("lost");
    let store = home.open().await;
    store.save_last_good(4, texts("a")).await.unwrap();
    server().sql("postgres", "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'lost'");
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(60);
    // One statement may still meet the connection that is gone.
    while store.last_good().await.map_or(0, |kept| kept.unwrap().generation) != 4 {
        assert!(std::time::Instant::now() < deadline, "it does not come back");
    }
}

#[tokio::test]
async fn altered_files_are_not_served() {
    for home in homes("altered") {
        let store = home.open().await;
        store.save_last_good(1, texts("a")).await.unwrap();
        let sql = "UPDATE last_good SET sources = replace(sources, 'policy', 'polity')";
        store.execute("written", vec![(sql, Vec::new())]).await.unwrap();
        let error = store.last_good().await.unwrap_err().to_string();
        assert!(error.contains("its digest does not match"), "{error}");
    }
}

#[tokio::test]
async fn a_newer_store_is_left_alone() {
    for home in homes("newer") {
        drop(home.open().await);
        match &home {
            Home::File(directory) => {
                let file = Connection::open(directory.path().join("state.db")).unwrap();
                file.pragma_update(None, "user_version", 99).unwrap();
            }
            Home::Database(name) => drop(server().sql(name, "UPDATE pgveil.version SET version = 99")),
        }
        for error in [Store::open_url(&home.url()).await.err(), Store::peek_url(&home.url()).await.err()] {
            let error = error.unwrap().to_string();
            assert!(error.contains("was written by a newer pgveil"), "{error}");
        }
    }
}

#[tokio::test]
async fn an_older_store_is_brought_up_to_date() {
    for home in homes("older") {
        let store = home.open().await;
        store.save_last_good(5, texts("a")).await.unwrap();
        drop(store);
        match &home {
            Home::File(directory) => {
                let file = Connection::open(directory.path().join("state.db")).unwrap();
                file.execute_batch("DROP TABLE validations; DROP TABLE consumers; PRAGMA user_version = 1").unwrap();
            }
            Home::Database(name) => {
                let drops = "DROP TABLE pgveil.validations, pgveil.consumers; UPDATE pgveil.version SET version = 1";
                drop(server().sql(name, drops));
            }
        }
        let store = home.open().await;
        store.save_run(run("a.b", "2026-01-01T00:00:00Z", None)).await.unwrap();
        assert_eq!(store.last_good().await.unwrap().unwrap().generation, 5);
    }
}

#[tokio::test]
async fn a_look_changes_nothing() {
    for home in homes("look") {
        assert!(home.peek().await.is_none());
        let facts = Facts {
            relations: [(WarehouseName::new("w"), Vec::new())].into(),
            system: [(WarehouseName::new("w"), Vec::new())].into(),
        };
        let running = home.open().await;
        running.save_facts(&facts).await.unwrap();
        let looking = home.peek().await.unwrap();
        assert_eq!(looking.facts().await.unwrap(), facts);
        assert!(looking.save_facts(&facts).await.is_err());
        running.save_last_good(1, texts("a")).await.unwrap();
    }
    assert_eq!(server().sql("postgres", "SELECT count(*) FROM pg_tables WHERE schemaname = 'pgveil'"), "0");
}

#[tokio::test]
async fn a_refusal_shows_neither_the_url_nor_a_value() {
    let url = format!("postgres://nobody:hunter2@127.0.0.1:{}/nowhere", server().port);
    let error = Store::open_url(&StateUrl::Postgres(SecretString::new(url))).await.err().unwrap().to_string();
    assert!(error.starts_with("state store ") && !error.contains("hunter2"), "{error}");
}

#[test]
fn a_file_is_not_readable_by_others() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("state.db");
    drop(Store::open(&path).unwrap());
    let mode = std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(&path).unwrap().permissions());
    assert_eq!(mode & 0o077, 0);
}

/// Names of what lies in a directory.
fn listing(directory: &Path) -> Vec<std::ffi::OsString> {
    let mut names: Vec<_> = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    names
}

#[tokio::test]
async fn a_look_at_a_file_leaves_nothing_behind() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("state of 100% ?#.db");
    assert!(Store::peek(&path).unwrap().is_none());
    assert!(listing(directory.path()).is_empty());

    let facts = Facts {
        relations: [(WarehouseName::new("w"), Vec::new())].into(),
        system: [(WarehouseName::new("w"), Vec::new())].into(),
    };
    let running = Store::open(&path).unwrap();
    running.save_facts(&facts).await.unwrap();
    let before = listing(directory.path());
    assert_eq!(Store::peek(&path).unwrap().unwrap().facts().await.unwrap(), facts);
    assert_eq!(listing(directory.path()), before);

    drop(running);
    let before = listing(directory.path());
    assert_eq!(before.len(), 1, "{before:?}");
    let looking = Store::peek(&path).unwrap().unwrap();
    assert_eq!(looking.facts().await.unwrap(), facts);
    assert_eq!(listing(directory.path()), before);
}

#[tokio::test]
async fn consumers_are_kept_by_product_team_and_use() {
    for home in homes("consumers") {
        let store = home.open().await;
        let of = |team: &str, use_case: &str, contact: &str| Consumer {
            team: team.to_owned(),
            use_case: use_case.to_owned(),
            contact: contact.to_owned(),
            registered_by: "ana".into(),
            registered_at: "2026-11-21T12:00:00Z".to_owned(),
        };
        let (orders, returns) = (ProductId::parse("sales.orders").unwrap(), ProductId::parse("sales.returns").unwrap());
        for consumer in [of("Ops", "board'; --", "ops@x"), of("BI", "churn", "old@x"), of("BI", "churn", "new@x")] {
            store.register_consumer(&orders, consumer).await.unwrap();
        }
        let expected = [of("BI", "churn", "new@x"), of("Ops", "board'; --", "ops@x")];
        assert_eq!(home.open().await.consumers(&orders, 10).await.unwrap(), expected);
        assert_eq!(store.consumers(&orders, 1).await.unwrap(), expected[..1]);
        assert_eq!(store.count_consumers(&orders).await.unwrap(), 2);
        assert!(store.consumers(&returns, 10).await.unwrap().is_empty());
    }
}
