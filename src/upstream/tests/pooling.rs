//! Leases: waiting, coming back, being closed; a warehouse that goes and comes.

use std::time::{Duration, Instant as Clock};

use tokio::time::{Instant, sleep, timeout};

use crate::error::{ClientError, sqlstate};
use crate::govern::permit::{Permit, PermitKind};
use crate::upstream::test_postgres::{Nobody, TestPostgres};
use crate::upstream::{Control, Health, Lease, Pool, PoolError};

use crate::wire::TransactionStatus;

use super::{answers, config, permit, pool, server};

async fn acquire(pool: &Pool) -> Lease {
    pool.acquire(Instant::now() + Duration::from_secs(120)).await.unwrap()
}

fn soon() -> Instant {
    Instant::now() + Duration::from_millis(300)
}

/// Waits for what happens in the background.
async fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let began = Clock::now();
    while !holds() {
        assert!(began.elapsed() < Duration::from_secs(120), "{what}");
        sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn a_clean_lease_comes_back_and_an_unfinished_one_does_not() {
    let pool = pool(server(), 2);
    let mut lease = acquire(&pool).await;
    let pid = lease.backend_pid();
    lease.query(&permit("SELECT 1")).unwrap();
    answers(&mut lease).await;
    drop(lease);
    assert_eq!((pool.stats().idle, pool.stats().leased), (1, 0));

    for (n, spoil) in [
        (|lease: &mut Lease| lease.query(&permit("SELECT 1"))) as fn(&mut Lease) -> _,
        |lease| lease.flush_request(),
        |lease| lease.parse_unnamed(&permit("SELECT 1"), &[]).map(drop),
    ]
    .into_iter()
    .enumerate()
    {
        let mut lease = acquire(&pool).await;
        spoil(&mut lease).unwrap();
        drop(lease);
        eventually("it is closed", || pool.stats().closed == n as u64 + 1).await;
        assert_eq!(pool.stats().idle, 0, "{n}");
    }
    assert_ne!(acquire(&pool).await.backend_pid(), pid);
}

#[tokio::test]
async fn a_transaction_that_is_left_behind_is_rolled_back() {
    let pool = pool(server(), 1);
    for fails in [false, true] {
        let mut lease = acquire(&pool).await;
        let pid = lease.backend_pid();
        lease.control(&Control::Begin { isolation: None, deferrable: None }).unwrap();
        if fails {
            lease.query(&permit("SELECT 1/0")).unwrap();
        }
        answers(&mut lease).await;
        drop(lease);
        let mut lease = acquire(&pool).await;
        assert_eq!(lease.backend_pid(), pid);
        assert_eq!(lease.transaction_status(), TransactionStatus::Idle);
        lease.query(&permit("SELECT 1")).unwrap();
        assert_eq!(answers(&mut lease).await, ["T", "D:1", "C:SELECT 1", "Z:I"]);
    }
}

#[tokio::test]
async fn the_last_to_come_back_is_given_first() {
    let pool = pool(server(), 3);
    let (first, second) = (acquire(&pool).await, acquire(&pool).await);
    let pid = second.backend_pid();
    drop(first);
    drop(second);
    assert_eq!(acquire(&pool).await.backend_pid(), pid);
}

#[tokio::test]
async fn those_who_wait_are_served_in_their_order_or_told_the_limit() {
    let pool = pool(server(), 1);
    let held = acquire(&pool).await;
    let error = pool.acquire(soon()).await.unwrap_err();
    let told = ClientError::from(error);
    assert_eq!(told.sqlstate, sqlstate::CANNOT_CONNECT_NOW);
    let limit = told.message.strip_prefix("no free connection to the warehouse \"analytics\" within ").unwrap();
    // It is rounded, but what a busy machine needs to begin waiting is not waited any more.
    let limit: u64 = limit.strip_suffix("ms").unwrap().parse().unwrap();
    assert!(limit <= 300 && limit.is_multiple_of(10), "{limit}");
    assert_eq!(pool.stats().waiting, 0);

    let (order, mut arrived) = tokio::sync::mpsc::unbounded_channel();
    for n in 0..5 {
        let (theirs, order) = (pool.clone(), order.clone());
        tokio::spawn(async move {
            let lease = acquire(&theirs).await;
            order.send(n).unwrap();
            drop(lease);
        });
        eventually("it waits", || pool.stats().waiting == n + 1).await;
    }
    drop(held);
    for n in 0..5 {
        assert_eq!(arrived.recv().await, Some(n));
    }
}

#[tokio::test]
async fn who_stops_waiting_takes_nothing_along() {
    let pool = pool(server(), 1);
    let held = acquire(&pool).await;
    for _ in 0..3 {
        let _ = timeout(Duration::from_millis(20), acquire(&pool)).await;
    }
    assert_eq!(pool.stats().waiting, 0);
    drop(held);
    assert_eq!((pool.stats().idle, pool.stats().leased), (1, 0));
}

#[tokio::test]
async fn a_lease_with_a_cancel_under_way_waits_for_its_end() {
    let pool = pool(server(), 1);
    let mut lease = acquire(&pool).await;
    let pid = lease.backend_pid();
    lease.query(&permit("SELECT pg_sleep(30)")).unwrap();
    lease.flush().await.unwrap();
    let handle = lease.cancel_handle();
    let cancel = tokio::spawn({
        let handle = handle.clone();
        async move {
            server().wait_until_asleep(pid);
            handle.cancel(Duration::from_secs(60)).await
        }
    });
    assert_eq!(answers(&mut lease).await, ["T", "E:57014", "Z:I"]);
    drop(lease);
    cancel.await.unwrap().unwrap();
    let mut lease = acquire(&pool).await;
    assert_eq!(lease.backend_pid(), pid);
    // A handle of the earlier lease reaches nobody.
    lease.query(&permit("SELECT pg_sleep(0.4)")).unwrap();
    lease.flush().await.unwrap();
    handle.cancel(Duration::from_secs(60)).await.unwrap();
    assert_eq!(answers(&mut lease).await, ["T", "D:", "C:SELECT 1", "Z:I"]);
}

#[tokio::test]
async fn a_lease_is_not_reused_when_nobody_knows_whether_a_cancel_is_still_coming() {
    let pool = pool(server(), 1);
    let lease = acquire(&pool).await;
    let handle = lease.cancel_handle();
    assert!(handle.cancel(Duration::ZERO).await.is_err());
    drop(lease);
    eventually("it is closed", || pool.stats().closed == 1).await;
}

#[tokio::test]
async fn an_abandoned_statement_is_cancelled() {
    let pool = pool(server(), 1);
    let mut lease = acquire(&pool).await;
    let pid = lease.backend_pid();
    lease.query(&permit("SELECT pg_sleep(60)")).unwrap();
    lease.flush().await.unwrap();
    server().wait_until_asleep(pid);
    drop(lease);
    eventually("the backend is gone", || {
        server().sql("postgres", &format!("SELECT count(*) FROM pg_stat_activity WHERE pid = {pid}")) == "0"
    })
    .await;
    eventually("it is closed", || pool.stats().closed == 1).await;
}

#[tokio::test]
async fn a_cursor_that_outlives_its_transaction_does_not_outlive_its_lease() {
    let pool = pool(server(), 1);
    let mut lease = acquire(&pool).await;
    let pid = lease.backend_pid();
    let declare = "DECLARE \"c\" CURSOR WITH HOLD FOR SELECT 1";
    lease.query(&Permit::for_test(PermitKind::Declare, declare)).unwrap();
    answers(&mut lease).await;
    drop(lease);
    let mut lease = acquire(&pool).await;
    assert_eq!(lease.backend_pid(), pid);
    lease.query(&permit("SELECT count(*) FROM pg_cursors WHERE name = 'c'")).unwrap();
    assert_eq!(answers(&mut lease).await, ["T", "D:0", "C:SELECT 1", "Z:I"]);
}

fn outage(pool: &Pool) -> Option<crate::upstream::Outage> {
    match pool.health() {
        Health::Down(outage) => Some(outage),
        Health::Up | Health::Unknown => None,
    }
}

#[tokio::test]
async fn a_restart_of_the_warehouse_passes_unnoticed() {
    let server = TestPostgres::start();
    let config =
        crate::config::WarehouseConfig { acquire_timeout: Duration::from_secs(120), ..config(&server.dsn("postgres")) };
    let pool = Pool::new("analytics".into(), &config, Vec::new()).unwrap();
    assert_eq!(pool.health(), Health::Unknown);
    drop(acquire(&pool).await);
    assert_eq!(pool.health(), Health::Up);

    server.stop();
    let waiting = tokio::spawn({
        let pool = pool.clone();
        async move {
            let mut lease = acquire(&pool).await;
            lease.query(&permit("SELECT 1")).unwrap();
            answers(&mut lease).await
        }
    });
    eventually("it is found to be gone", || outage(&pool).is_some()).await;
    let outage = outage(&pool).unwrap();
    assert!(outage.reason.contains("connection refused"), "{}", outage.reason);
    server.start_again();
    assert_eq!(waiting.await.unwrap(), ["T", "D:1", "C:SELECT 1", "Z:I"]);
    assert_eq!(pool.health(), Health::Up);
}

#[tokio::test]
async fn a_long_outage_is_told_at_once() {
    let server = TestPostgres::start();
    let limit = Duration::from_millis(500);
    let config = crate::config::WarehouseConfig { acquire_timeout: limit, ..config(&server.dsn("postgres")) };
    let pool = Pool::new("analytics".into(), &config, Vec::new()).unwrap();
    drop(acquire(&pool).await);
    server.kill();
    let asking = tokio::spawn({
        let pool = pool.clone();
        // Whoever came while there was hope is told when there is none, however long he would wait.
        async move { pool.acquire(Instant::now() + Duration::from_secs(3600)).await }
    });
    eventually("it is found to be gone", || outage(&pool).is_some()).await;
    let told = timeout(Duration::from_secs(120), asking).await.expect("he is told").unwrap();
    assert!(matches!(told.unwrap_err(), PoolError::Unreachable { .. }));
    sleep(limit * 2).await;
    // With the patience of an hour, and without waiting for as much as one turn of the runtime.
    let asked = pool.acquire(Instant::now() + Duration::from_secs(3600));
    let error = timeout(Duration::ZERO, asked).await.expect("an answer at once").unwrap_err();
    assert!(matches!(error, PoolError::Unreachable { .. }));
    let told = ClientError::from(error);
    assert_eq!(told.message, "the warehouse \"analytics\" cannot be reached");
    assert_eq!(told.sqlstate, sqlstate::CANNOT_CONNECT_NOW);
    assert!(told.detail.unwrap().starts_with("It has not answered since 2"));
    server.start_again();
    eventually("the probe finds it", || pool.health() == Health::Up).await;
}

#[tokio::test]
async fn a_connection_that_breaks_in_the_middle_is_not_used_again() {
    let server = TestPostgres::start();
    let pool = pool(&server, 1);
    let mut lease = acquire(&pool).await;
    lease.query(&permit("SELECT pg_sleep(60)")).unwrap();
    lease.flush().await.unwrap();
    server.kill();
    let error = loop {
        if let Err(error) = lease.next_frame().map(|_| ()) {
            break error;
        }
        if let Err(error) = lease.fill().await {
            break error;
        }
    };
    assert_eq!(error.to_client(pool.warehouse()).sqlstate, sqlstate::CONNECTION_FAILURE);
    drop(lease);
    assert_eq!((pool.stats().closed, pool.stats().leased), (1, 0));
}

#[tokio::test]
async fn what_waiting_cannot_help_fails_at_once() {
    let server = TestPostgres::setup().auth("scram-sha-256", "right").start();
    let wrong = server.dsn_of("postgres", Some("wrong"), "postgres");
    let pool = Pool::new("analytics".into(), &config(&wrong), Vec::new()).unwrap();
    // Whoever waited for the end of his patience would not be back for an hour.
    let patient = pool.acquire(Instant::now() + Duration::from_secs(3600));
    let error = timeout(Duration::from_secs(120), patient).await.expect("it is not waited").unwrap_err();
    let PoolError::Unreachable { outage, .. } = &error else { panic!("{error:?}") };
    assert!(outage.reason.contains("refuses the password"), "{}", outage.reason);
    assert!(!ClientError::from(error).to_string().contains("password"), "a client need not know");

    let nobody = Nobody::listens();
    let config = config(&format!("postgres://u@127.0.0.1:{}/db", nobody.port()));
    let pool = Pool::new("analytics".into(), &config, Vec::new()).unwrap();
    // As often as it takes until the first attempt has failed.
    let began = Clock::now();
    while !matches!(pool.acquire(soon()).await, Err(PoolError::Unreachable { .. })) {
        assert!(began.elapsed() < Duration::from_secs(120));
    }
}

#[tokio::test]
async fn a_closed_pool_gives_and_keeps_nothing() {
    let pool = pool(server(), 2);
    let lease = acquire(&pool).await;
    drop(acquire(&pool).await);
    pool.close();
    assert!(matches!(pool.acquire(soon()).await, Err(PoolError::Closed { .. })));
    drop(lease);
    let stats = pool.stats();
    assert_eq!((stats.idle, stats.leased, stats.closed), (0, 0, 2));
}

#[tokio::test]
async fn an_idle_connection_is_acquired_without_asking_anybody() {
    let pool = pool(server(), 1);
    drop(acquire(&pool).await);
    let began = Clock::now();
    for _ in 0..10_000 {
        drop(pool.try_acquire().unwrap());
    }
    println!("acquire and give back: {:?}", began.elapsed() / 10_000);
    assert_eq!((pool.stats().opened, pool.stats().closed), (1, 0));
}
