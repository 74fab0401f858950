//! A change takes effect at once or not at all.

use std::path::Path;
use std::time::Duration;

use crate::common::proxy::{Proxy, eventually};
use crate::common::wire::answers;
use crate::{Case, Fixture};

pub const CASES: &[Case] = &[
    ("reload::a_changed_mask_takes_effect_at_once", changed_mask),
    ("reload::a_broken_file_changes_nothing_and_says_why", broken),
    ("reload::sighup_reloads", sighup),
    ("reload::prepared_statements_are_decided_anew", prepared),
    ("reload::an_open_cursor_is_decided_anew", cursor),
    ("reload::a_session_whose_user_is_gone_ends", user_gone),
    ("reload::a_link_swap_is_seen", link_swap),
    ("reload::under_load_every_answer_is_of_one_version", under_load),
    ("reload::an_invalid_catalog_at_start_serves_the_last_good_one", last_good),
];

fn edit(dir: &Path, name: &str, change: impl Fn(&str) -> String) {
    let path = dir.join(name);
    let text = std::fs::read_to_string(&path).unwrap();
    let changed = change(&text);
    assert_ne!(text, changed, "the edit must change something");
    // As editors do: a new file under the old name.
    let next = dir.join("next.tmp");
    std::fs::write(&next, changed).unwrap();
    std::fs::rename(next, path).unwrap();
}

fn own(f: &Fixture) -> Proxy {
    Proxy::start(&f.warehouse, |_| ())
}

fn changed_mask(f: &Fixture) {
    let proxy = own(f);
    let mut wire = proxy.login("analyst");
    let email = "SELECT customer_email FROM finance.orders ORDER BY order_id LIMIT 1";
    assert!(wire.one(email).scalar().contains("***@"));
    edit(proxy.files.dir(), "catalog/finance/orders.toml", |t| t.replace("mask = \"email\"", "mask = \"redact\""));
    eventually("the new mask", || wire.one(email).scalar() == "***");
}

fn broken(f: &Fixture) {
    let proxy = own(f);
    let mut wire = proxy.login("analyst");
    edit(proxy.files.dir(), "catalog/finance/orders.toml", |t| t.replace("mask = \"email\"", "maks = \"email\""));
    eventually("the error in the log", || proxy.log().contains("maks"));
    assert!(proxy.log().contains("orders.toml") && proxy.log().contains("mask"));
    assert!(wire.one("SELECT customer_email FROM finance.orders LIMIT 1").scalar().contains("***@"));
    eventually("the record", || proxy.audit().iter().any(|r| r["event"] == "reload"));
    edit(proxy.files.dir(), "catalog/finance/orders.toml", |t| t.replace("maks = \"email\"", "mask = \"redact\""));
    eventually("the repaired file", || wire.one("SELECT customer_email FROM finance.orders LIMIT 1").scalar() == "***");
}

fn sighup(f: &Fixture) {
    let proxy = own(f);
    let mut wire = proxy.login("analyst");
    edit(proxy.files.dir(), "policy.toml", |t| t.replace("max_rows = 10000\n", "max_rows = 17\n"));
    proxy.signal("HUP");
    eventually("the new limit", || wire.one("SELECT event_id FROM product.events").rows.len() == 17);
}

fn prepared(f: &Fixture) {
    let proxy = own(f);
    let mut wire = proxy.login("analyst");
    wire.parse("s", "SELECT customer_email FROM finance.orders ORDER BY order_id LIMIT 1", &[]).sync();
    wire.until_ready();
    let mut run = || {
        wire.bind("", "s", &[], false).execute("", 0).sync();
        answers(wire.until_ready()).remove(0)
    };
    assert!(run().scalar().contains("***@"));
    edit(proxy.files.dir(), "catalog/finance/orders.toml", |t| t.replace("mask = \"email\"", "mask = \"redact\""));
    eventually("the prepared statement follows", || run().scalar() == "***");
    edit(proxy.files.dir(), "policy.toml", |t| t.replace("\"finance.orders\", ", ""));
    eventually("the grant is gone", || run().sqlstate() == "42501");
}

fn cursor(f: &Fixture) {
    let proxy = own(f);
    let mut wire = proxy.login("analyst");
    wire.one("BEGIN");
    wire.one("DECLARE c CURSOR FOR SELECT customer_email FROM finance.orders");
    assert_eq!(wire.one("FETCH 2 FROM c").rows.len(), 2);
    edit(proxy.files.dir(), "catalog/finance/orders.toml", |t| t.replace("mask = \"email\"", "mask = \"redact\""));
    eventually("the swap", || {
        proxy.login("analyst").one("SELECT customer_email FROM finance.orders LIMIT 1").scalar() == "***"
    });
    let answer = wire.one("FETCH 2 FROM c");
    assert_eq!((answer.sqlstate(), answer.status), ("42501", 'E'), "{answer:?}");
    wire.one("ROLLBACK");
    assert_eq!(wire.one("SELECT 1").scalar(), "1");
}

fn user_gone(f: &Fixture) {
    let proxy = own(f);
    let mut wire = proxy.login("manager");
    assert_eq!(wire.one("SELECT 1").scalar(), "1");
    edit(proxy.files.dir(), "policy.toml", |t| {
        t[..t.find("[users.manager]").unwrap()].to_owned() + &t[t.find("[users.admin]").unwrap()..]
    });
    eventually("the login is refused", || proxy.login_with("manager", &[]).is_err());
    wire.queue(|o| postgres_protocol::message::frontend::query("SELECT 1", o).unwrap()).flush();
    let error = wire.read().expect("a farewell").fields();
    assert_eq!((error[&'S'].as_str(), error[&'C'].as_str()), ("FATAL", "28000"), "{error:?}");
    assert!(wire.read().is_err());
}

fn link_swap(f: &Fixture) {
    // A Kubernetes ConfigMap: catalog/*.toml are links through ..data, which is swapped.
    let proxy = Proxy::start(&f.warehouse, |dir| {
        let catalog = dir.join("catalog");
        let first = catalog.join("..2025_01");
        std::fs::create_dir(&first).unwrap();
        std::fs::rename(catalog.join("finance/orders.toml"), first.join("orders.toml")).unwrap();
        std::os::unix::fs::symlink("..2025_01", catalog.join("..data")).unwrap();
        std::os::unix::fs::symlink("..data/orders.toml", catalog.join("orders.toml")).unwrap();
    });
    let catalog = proxy.files.dir().join("catalog");
    let mut wire = proxy.login("analyst");
    let mut email = || wire.one("SELECT customer_email FROM finance.orders LIMIT 1").scalar();
    assert!(email().contains("***@"));
    let second = catalog.join("..2025_02");
    std::fs::create_dir(&second).unwrap();
    let text = std::fs::read_to_string(catalog.join("orders.toml")).unwrap();
    std::fs::write(second.join("orders.toml"), text.replace("mask = \"email\"", "mask = \"redact\"")).unwrap();
    std::os::unix::fs::symlink("..2025_02", catalog.join("..data_tmp")).unwrap();
    std::fs::rename(catalog.join("..data_tmp"), catalog.join("..data")).unwrap();
    eventually("the swapped link", || email() == "***");
}

fn under_load(f: &Fixture) {
    let proxy = own(f);
    let stop = std::sync::atomic::AtomicBool::new(false);
    let answers = std::sync::atomic::AtomicUsize::new(0);
    std::thread::scope(|scope| {
        let runs: Vec<_> = (0..4)
            .map(|_| {
                scope.spawn(|| {
                    let mut wire = proxy.login("analyst");
                    while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                        let answer = wire
                            .one("SELECT customer_email, count(*) FROM finance.orders WHERE order_id < 200 GROUP BY 1");
                        assert!(answer.error.is_none(), "{answer:?}");
                        let stars = answer.text_rows().iter().filter(|r| r[0] == "***").count();
                        assert!(stars == 0 || stars == answer.rows.len(), "an answer of two versions");
                        assert!(answer.text_rows().iter().all(|r| r[0].starts_with("***") || &r[0][1..5] == "***@"));
                        answers.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                    }
                })
            })
            .collect();
        for round in 0.. {
            // A loaded machine may need more rounds until enough was asked.
            if round >= 10 && answers.load(std::sync::atomic::Ordering::Relaxed) > 40 {
                break;
            }
            assert!(round < 200, "too few answers");
            let (from, to) = if round % 2 == 0 { ("\"email\"", "\"redact\"") } else { ("\"redact\"", "\"email\"") };
            edit(proxy.files.dir(), "catalog/finance/orders.toml", |t| {
                t.replace(&format!("mask = {from}"), &format!("mask = {to}"))
            });
            proxy.signal("HUP");
            std::thread::sleep(Duration::from_millis(150));
        }
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
        for run in runs {
            run.join().unwrap();
        }
    });
}

fn last_good(f: &Fixture) {
    let mut proxy = own(f);
    let text = std::fs::read_to_string(proxy.files.dir().join("catalog/finance/orders.toml")).unwrap();
    std::fs::write(proxy.files.dir().join("catalog/finance/orders.toml"), "id = ").unwrap();
    proxy.restart();
    assert!(proxy.login("analyst").one("SELECT customer_email FROM finance.orders LIMIT 1").scalar().contains("***@"));
    assert!(proxy.log().contains("last good"), "{}", proxy.log());
    std::fs::write(proxy.files.dir().join("catalog/finance/orders.toml"), text).unwrap();
    eventually("the repaired catalog", || proxy.http("/readyz").is_some_and(|a| a.contains("200")));
}
