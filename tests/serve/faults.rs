//! What breaks around pgveil: the warehouse, the client, the port, the files.

use crate::common::proxy::{Proxy, Warehouse, eventually};
use crate::{Case, Fixture};
use postgres_protocol::message::frontend;
use std::process::Command;

pub const CASES: &[Case] = &[
    ("faults::warehouse_killed_and_back", warehouse_killed),
    ("faults::warehouse_lost_in_the_middle_of_a_result", warehouse_lost),
    ("faults::a_client_that_vanishes_frees_its_connection", client_gone),
    ("faults::a_client_that_stops_reading_costs_no_memory", slow_reader),
    ("faults::a_port_in_use_is_named", port_in_use),
    ("faults::a_broken_config_exits_1_with_every_error", broken_config),
    ("faults::sigterm_lets_statements_end", sigterm),
    ("faults::metrics_and_health", metrics),
    ("faults::explain_command", explain_command),
];

fn own(f: &Fixture) -> Proxy {
    Proxy::start(&f.warehouse, |_| ())
}

fn warehouse_killed(_: &Fixture) {
    let mut warehouse = Warehouse::with_demo_data();
    let proxy = Proxy::start(&warehouse, |_| ());
    let mut wire = proxy.login("analyst");
    assert_eq!(wire.one("SELECT count(*) FROM marketing.campaigns").scalar(), "240");
    warehouse.server.kill();
    let answer = wire.one("SELECT count(*) FROM marketing.campaigns");
    assert!(["57P03", "08006"].contains(&answer.sqlstate()), "{answer:?}");
    let answer = wire.one("SELECT count(*) FROM marketing.campaigns");
    assert_eq!(answer.sqlstate(), "57P03", "{answer:?}");
    assert!(format!("{:?}", answer.error).contains("warehouse"));
    assert!(proxy.http("/readyz").unwrap().starts_with("HTTP/1.1 503"));
    assert!(proxy.http("/healthz").unwrap().starts_with("HTTP/1.1 200"));
    warehouse.server.restart().unwrap();
    eventually("it is back", || wire.one("SELECT count(*) FROM marketing.campaigns").error.is_none());
    assert_eq!(wire.one("SELECT 1").scalar(), "1");
}

fn warehouse_lost(_: &Fixture) {
    let mut warehouse = Warehouse::with_demo_data();
    let proxy = Proxy::start(&warehouse, |_| ());
    let mut wire = proxy.login("admin");
    wire.queue(|o| frontend::query("SELECT * FROM product.events", o).unwrap()).flush();
    let first: Vec<u8> = (0..100).map(|_| wire.read().unwrap().tag).collect();
    assert!(first.contains(&b'D'));
    warehouse.server.kill();
    let error = wire.error_until_ready();
    assert!(["08006", "57P01"].contains(&error[&'C'].as_str()), "{error:?}");
}

fn client_gone(f: &Fixture) {
    let proxy = own(f);
    for round in 0..30 {
        let mut wire = proxy.login("admin");
        wire.queue(|o| frontend::query("SELECT * FROM product.events AS gone_marker", o).unwrap()).flush();
        assert_eq!(wire.read().unwrap().tag, b'T');
        assert!(round > 0 || f.warehouse.running("gone_marker", None) > 0, "the marker is seen");
    }
    eventually("the statements end", || f.warehouse.running("gone_marker", None) == 0);
    assert_eq!(proxy.login("analyst").one("SELECT 1").scalar(), "1");
}

fn memory(proxy: &Proxy) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", proxy.child.id())).unwrap();
    // Not the pages of the program itself, which are read when they are first used.
    let line = status.lines().find(|l| l.starts_with("RssAnon:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

fn slow_reader(f: &Fixture) {
    let proxy = own(f);
    let mut wire = proxy.login("admin");
    wire.one("SELECT 1");
    let before = memory(&proxy);
    wire.queue(|o| frontend::query("SELECT * FROM product.events AS unread_marker", o).unwrap()).flush();
    // All that fits on the way is on its way then.
    eventually("the warehouse is held back", || f.warehouse.running("unread_marker", Some("ClientWrite")) == 1);
    let grown = memory(&proxy).saturating_sub(before);
    assert!(grown < 8 * 1024, "{grown} KiB for a client that does not read");
}

fn port_in_use(f: &Fixture) {
    let dir = tempfile::tempdir().unwrap();
    let files = pgveil::demo::DemoFiles::write(dir.path(), f.proxy.port, 1, 1, "x").unwrap();
    let output =
        Command::new(env!("CARGO_BIN_EXE_pgveil")).args(["serve", "--config"]).arg(files.config()).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout);
    assert!(text.contains(&f.proxy.port.to_string()) && text.contains("in use"), "{text}");
}

fn broken_config(f: &Fixture) {
    let dir = tempfile::tempdir().unwrap();
    let files = pgveil::demo::DemoFiles::write(dir.path(), 1, 2, f.warehouse.server.port(), "x").unwrap();
    std::fs::write(files.dir().join("catalog/finance/orders.toml"), "id = \"finance.orders\"\ndomian = \"finance\"\n")
        .unwrap();
    let policy = files.dir().join("policy.toml");
    let text = std::fs::read_to_string(&policy).unwrap().replace("max_rows = 10000", "max_rosw = 10000");
    std::fs::write(&policy, text).unwrap();
    for command in [["serve", "--config"], ["check", "--config"]] {
        let output = Command::new(env!("CARGO_BIN_EXE_pgveil")).args(command).arg(files.config()).output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{command:?}");
        let text = String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout);
        for part in ["orders.toml:2:1", "domain", "max_rosw", "max_rows", "policy.toml:4:1", "^"] {
            assert!(text.contains(part), "{command:?} lacks {part}: {text}");
        }
    }
    assert_eq!(
        Command::new(env!("CARGO_BIN_EXE_pgveil")).arg("--no-such-flag").output().unwrap().status.code(),
        Some(2)
    );
}

fn sigterm(f: &Fixture) {
    let mut proxy = own(f);
    let mut busy = proxy.login("admin");
    let sql = "SELECT sum(length(properties::text)) AS sigterm_marker FROM product.events";
    busy.queue(|o| frontend::query(sql, o).unwrap()).flush();
    let mut idle = proxy.login("analyst");
    // What is recorded is on its way, or done.
    eventually("the statement begins", || proxy.audit().iter().any(|r| r["sql"] == sql));
    proxy.signal("TERM");
    assert!(busy.until_ready().iter().any(|frame| frame.tag == b'D'), "the running statement ends");
    let farewell =
        std::iter::from_fn(|| idle.read().ok()).find(|frame| frame.tag == b'E').expect("a farewell").fields();
    assert_eq!(farewell[&'C'], "57P01");
    drop(busy);
    let mut status = None;
    eventually("it ends", || {
        status = proxy.child.try_wait().unwrap();
        status.is_some()
    });
    assert!(status.is_some_and(|status| status.success()), "{status:?}");
}

fn metrics(f: &Fixture) {
    let mut wire = f.proxy.login("analyst");
    wire.one("SELECT count(*) FROM marketing.campaigns");
    wire.one("SELECT * FROM raw.people");
    let text = f.proxy.http("/metrics").unwrap();
    for name in
        ["pgveil_statements_total", "decision=\"allow\"", "decision=\"deny\"", "pgveil_rows", "pgveil_generation"]
    {
        assert!(text.contains(name), "{name}: {text}");
    }
    assert!(f.proxy.http("/healthz").unwrap().starts_with("HTTP/1.1 200"));
    assert!(f.proxy.http("/nowhere").unwrap().starts_with("HTTP/1.1 404"));
}

fn explain_command(f: &Fixture) {
    let run = |user: &str, sql: &str| {
        let output = Command::new(env!("CARGO_BIN_EXE_pgveil"))
            .args(["explain", "--config"])
            .arg(f.proxy.files.config())
            .args(["--user", user, sql])
            .output()
            .unwrap();
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
    };
    let text = run("analyst", "SELECT customer_email FROM finance.orders");
    for part in ["allow", "finance.orders.customer_email", "public", "finance_orders", "10000"] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert!(run("analyst", "SELECT * FROM ops.couriers").contains("42501"));
}
