//! Row caps, timeouts, queues, cancel.

use std::io::Write;
use std::time::{Duration, Instant};

use crate::common::proxy::{Proxy, eventually};
use crate::common::wire::Wire;
use crate::{Case, Fixture};
use postgres_protocol::message::frontend;

pub const CASES: &[Case] = &[
    ("limits::rows_are_cut_with_a_notice", rows_cut),
    ("limits::own_limits_are_respected", own_limits),
    ("limits::rows_beyond_the_cap_can_be_an_error", rows_error),
    ("limits::statement_timeout", statement_timeout),
    ("limits::a_client_cannot_raise_its_timeout", raise_timeout),
    ("limits::idle_in_transaction", idle_in_transaction),
    ("limits::too_many_statements_at_once", too_many),
    ("limits::cancel", cancel),
    ("limits::terminate_by_pid", terminate),
    ("limits::a_guessed_cancel_key_does_nothing", guessed_key),
];

/// A statement that runs for a long time without a function that is refused; its marker is for [`Warehouse::running`].
pub fn slow(marker: &str) -> String {
    format!(
        "SELECT count(*) AS {marker} FROM product.events a, product.events b \
         WHERE a.properties = b.properties OR a.event_id > b.event_id"
    )
}

/// Sends it, and waits until the warehouse is at work on it.
fn begin_slow(f: &Fixture, wire: &mut Wire, marker: &str) {
    let before = f.warehouse.running(marker, None);
    wire.queue(|o| frontend::query(&slow(marker), o).unwrap()).flush();
    eventually("the statement runs", || f.warehouse.running(marker, None) > before);
}

fn rows_cut(f: &Fixture) {
    for binary in [false, true] {
        let mut wire = f.proxy.login("analyst");
        for answer in [
            wire.one("SELECT event_id FROM product.events"),
            wire.extended("SELECT event_id FROM product.events", &[], binary),
        ] {
            assert_eq!((answer.rows.len(), answer.tag.as_str()), (10_000, "SELECT 10000"));
            assert_eq!(answer.notices.len(), 1);
            let text = answer.notices[0][&'M'].clone() + answer.notices[0].get(&'H').map_or("", String::as_str);
            assert!(answer.notices[0][&'C'] == "01000" && text.contains("10000") || text.contains("10,000"), "{text}");
        }
        assert_eq!(wire.one("SELECT 1").scalar(), "1");
    }
    assert_eq!(f.proxy.login("admin").one("SELECT event_id FROM product.events LIMIT 20000").rows.len(), 20_000);
}

fn own_limits(f: &Fixture) {
    let mut wire = f.proxy.login("analyst");
    for (sql, rows, notices) in [
        ("SELECT event_id FROM product.events LIMIT 5", 5, 0),
        ("SELECT event_id FROM product.events LIMIT 10000", 10_000, 0),
        ("SELECT event_id FROM product.events LIMIT 10001", 10_000, 1),
        ("SELECT event_id FROM product.events LIMIT ALL", 10_000, 1),
        ("SELECT event_id FROM product.events ORDER BY event_id OFFSET 1199995", 5, 0),
        ("SELECT event_id FROM product.events FETCH FIRST 7 ROWS ONLY", 7, 0),
        (
            "SELECT event FROM product.events WHERE event_id <= 200000 ORDER BY event FETCH FIRST 1 ROW WITH TIES",
            10_000,
            1,
        ),
        (
            "(SELECT event_id FROM product.events LIMIT 6000) UNION ALL (SELECT event_id FROM product.events LIMIT 6000)",
            10_000,
            1,
        ),
        ("SELECT generate_series(1, 9999)", 9_999, 0),
    ] {
        let answer = wire.one(sql);
        assert_eq!(
            (answer.rows.len(), answer.notices.len()),
            (rows, notices),
            "{sql}: {:?} {:?}",
            answer.error,
            answer.notices
        );
        assert_eq!(answer.tag, format!("SELECT {rows}"));
    }
}

fn with_policy(f: &Fixture, change: impl Fn(&str) -> String) -> Proxy {
    Proxy::start(&f.warehouse, |dir| {
        let path = dir.join("policy.toml");
        std::fs::write(&path, change(&std::fs::read_to_string(&path).unwrap())).unwrap();
    })
}

fn rows_error(f: &Fixture) {
    let proxy =
        with_policy(f, |text| text.replace("max_rows = 10000\n", "max_rows = 10000\non_max_rows = \"error\"\n"));
    let mut wire = proxy.login("analyst");
    for answer in [
        wire.one("SELECT event_id FROM product.events"),
        wire.extended("SELECT event_id FROM product.events", &[], false),
    ] {
        assert_eq!(answer.sqlstate(), "54000", "{:?}", answer.tag);
        assert_eq!(answer.status, 'I');
    }
    assert_eq!(wire.one("SELECT event_id FROM product.events LIMIT 10").rows.len(), 10);
}

fn statement_timeout(f: &Fixture) {
    let mut wire = f.proxy.login("analyst");
    wire.one("SET statement_timeout = '700ms'");
    let start = Instant::now();
    let answer = wire.one(&slow("own_timeout"));
    assert_eq!(answer.sqlstate(), "57014", "{answer:?}");
    // Before the policy's limit would have ended it.
    assert!(start.elapsed() < Duration::from_secs(30));
    assert!(format!("{:?}", answer.error).contains("700"), "{:?}", answer.error);
    assert_eq!(wire.one("SELECT 1").scalar(), "1");
}

fn raise_timeout(f: &Fixture) {
    let mut wire = f.proxy.login("analyst");
    for more in ["'10min'", "0"] {
        let answer = wire.one(&format!("SET statement_timeout = {more}"));
        assert_eq!((answer.tag.as_str(), answer.notices.len()), ("SET", 1), "{answer:?}");
        assert_eq!(wire.one("SHOW statement_timeout").scalar(), "30s");
    }
    wire.one("SET statement_timeout = '10s'");
    assert_eq!(wire.one("SHOW statement_timeout").scalar(), "10s");
}

fn idle_in_transaction(f: &Fixture) {
    let proxy = with_policy(f, |text| {
        text.replace("idle_in_transaction_timeout = \"5m\"", "idle_in_transaction_timeout = \"600ms\"")
    });
    let mut wire = proxy.login("analyst");
    wire.one("BEGIN");
    wire.one("SELECT count(*) FROM marketing.campaigns");
    let error = wire.read().expect("a farewell").fields();
    assert_eq!(error[&'C'], "25P03", "{error:?}");
    assert!(wire.read().is_err());
    assert_eq!(proxy.login("analyst").one("SELECT 1").scalar(), "1");
}

fn too_many(f: &Fixture) {
    let proxy =
        with_policy(f, |text| text.replace("max_concurrent = 8", "max_concurrent = 2\nqueue_timeout = \"400ms\""));
    let mut busy: Vec<Wire> = (0..2).map(|_| proxy.login("analyst")).collect();
    for wire in &mut busy {
        begin_slow(f, wire, "too_many");
    }
    let answer = proxy.login("analyst").one("SELECT count(*) FROM marketing.campaigns");
    assert_eq!(answer.sqlstate(), "53300", "{answer:?}");
    assert!(format!("{:?}", answer.error).contains('2'));
    assert_eq!(proxy.login("manager").one("SELECT 1").scalar(), "1", "the limit is per user");
    for wire in &mut busy {
        send_cancel(proxy.port, wire.key.0, &wire.key.1);
        wire.until_ready();
    }
    assert_eq!(proxy.login("analyst").one("SELECT count(*) FROM marketing.campaigns").scalar(), "240");
}

fn send_cancel(port: u16, pid: i32, key: &[u8]) {
    let mut stream = std::net::TcpStream::connect(("127.0.0.1", port)).unwrap();
    let mut message = (12 + key.len() as u32).to_be_bytes().to_vec();
    message.extend_from_slice(&80_877_102_u32.to_be_bytes());
    message.extend_from_slice(&pid.to_be_bytes());
    message.extend_from_slice(key);
    stream.write_all(&message).unwrap();
    let mut rest = Vec::new();
    let _ = std::io::Read::read_to_end(&mut stream, &mut rest);
    assert!(rest.is_empty(), "a cancel request is never answered");
}

fn cancel(f: &Fixture) {
    let mut wire = f.proxy.login("analyst");
    begin_slow(f, &mut wire, "to_be_cancelled");
    send_cancel(f.proxy.port, wire.key.0, &wire.key.1);
    let error = wire.error_until_ready();
    // Not its time limit, which has the same code.
    assert_eq!((error[&'C'].as_str(), error[&'M'].as_str()), ("57014", "canceling statement due to user request"));
    // A cancel that comes late hits nothing.
    send_cancel(f.proxy.port, wire.key.0, &wire.key.1);
    std::thread::sleep(Duration::from_millis(100));
    assert_eq!(wire.one("SELECT count(*) FROM marketing.campaigns").scalar(), "240");
}

fn terminate(f: &Fixture) {
    let mut victim = f.proxy.login("analyst");
    let pid = victim.one("SELECT pg_backend_pid()").scalar();
    assert_eq!(pid, victim.key.0.to_string());
    begin_slow(f, &mut victim, "to_be_terminated");
    let other = f.proxy.login("manager").one(&format!("SELECT pg_terminate_backend({pid})"));
    assert!(other.error.is_some() || other.scalar() == "f", "another user's session: {other:?}");
    assert_eq!(f.proxy.login("analyst").one(&format!("SELECT pg_terminate_backend({pid})")).scalar(), "t");
    let end = std::iter::from_fn(|| victim.read().ok()).find(|frame| frame.tag == b'E').expect("a farewell").fields();
    assert!(["57P01", "57014"].contains(&end[&'C'].as_str()), "{end:?}");
}

fn guessed_key(f: &Fixture) {
    let mut wire = f.proxy.login("analyst");
    wire.one("SET statement_timeout = '1500ms'");
    wire.queue(|o| frontend::query(&slow("guessed_key"), o).unwrap()).flush();
    for n in 0..20_u32 {
        send_cancel(f.proxy.port, wire.key.0, &n.to_be_bytes());
    }
    let error = wire.error_until_ready();
    assert!(error[&'M'].contains("timeout") || format!("{error:?}").contains("1500"), "{error:?}");
}
