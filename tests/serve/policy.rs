//! What a role sees, and what a refusal says.

use crate::common::wire::Wire;
use crate::{Case, Fixture};

pub const CASES: &[Case] = &[
    ("policy::masks_by_role", masks_by_role),
    ("policy::refusals_carry_code_and_hint", refusals),
    ("policy::a_refusal_leaves_the_connection_alive", alive),
    ("policy::a_refusal_aborts_the_transaction", aborts),
    ("policy::predicates_see_masks", predicates),
    ("policy::hidden_columns_do_not_exist", hidden_columns),
    ("policy::errors_do_not_quote_values", errors),
    ("policy::row_descriptions_name_no_table", descriptions),
    ("policy::deprecated_products_say_so_once", deprecated),
    ("policy::drafts_are_for_those_who_may", drafts),
    ("policy::explain_shows_the_shape_only", explain),
    ("policy::the_mask_key_is_not_to_be_had", mask_key),
];

fn masks_by_role(f: &Fixture) {
    let sql = "SELECT customer_email, card_number FROM finance.orders ORDER BY order_id LIMIT 1";
    let row = |user: &str| f.proxy.login(user).one(sql).text_rows().remove(0);
    let (analyst, manager, admin) = (row("analyst"), row("manager"), row("admin"));
    assert!(analyst[0].contains("***@") && analyst[1].starts_with("***") && analyst[1].len() == 7, "{analyst:?}");
    assert!(!manager[0].contains('*') && manager[1].starts_with("***"), "{manager:?}");
    assert!(!admin[0].contains('*') && admin[1].len() == 16, "{admin:?}");
}

fn refusals(f: &Fixture) {
    let mut wire = f.proxy.login("analyst");
    for (sql, code, said) in [
        ("SELECT * FROM raw.people", "42P01", "HINT"),
        ("SELECT * FROM marketing.campaign", "42P01", "marketing.campaigns"),
        ("SELECT * FROM public.finance_couriers", "42P01", ""),
        ("SELECT * FROM ops.couriers", "42501", "ops-data@example.com"),
        ("SELECT * FROM engineering.service_costs", "42501", "platform@example.com"),
        ("INSERT INTO finance.orders (order_id) VALUES (1)", "42501", "INSERT"),
        ("UPDATE finance.orders SET total = 0", "42501", "UPDATE"),
        ("DELETE FROM finance.orders", "42501", "DELETE"),
        ("CREATE TABLE t (a int)", "42501", "CREATE TABLE"),
        ("DROP TABLE finance.orders", "42501", "DROP TABLE"),
        ("DO $$ BEGIN END $$", "42501", "DO"),
        ("LOCK TABLE finance.orders", "42501", "LOCK"),
        ("LISTEN x", "42501", "LISTEN"),
        ("SELECT * INTO t FROM finance.orders", "42501", "INTO"),
        ("SELECT * FROM finance.orders FOR UPDATE", "42501", "FOR UPDATE"),
        ("COPY finance.orders FROM STDIN", "42501", "COPY"),
        ("SELECT pg_sleep(1)", "42501", "pg_sleep"),
        ("SELECT query_to_xml('select 1', true, true, '')", "42501", "query_to_xml"),
        ("SELECT pg_read_file('/etc/passwd')", "42501", "pg_read_file"),
        ("SELECT set_config('x.y', '1', false)", "42501", "set_config"),
        ("SELECT no_such_function(1)", "42501", "no_such_function"),
        ("SELECT 'raw.people'::regclass", "42P01", "raw.people"),
        ("SET session_replication_role = replica", "42501", "session_replication_role"),
        ("SELECT FROM WHERE", "42601", ""),
        ("SELECT nothing FROM finance.orders", "42703", "nothing"),
        ("SELECT ctid FROM finance.orders", "42703", "ctid"),
        ("EXPLAIN ANALYZE SELECT 1", "42501", "ANALYZE"),
    ] {
        let answer = wire.one(sql);
        assert_eq!(answer.sqlstate(), code, "{sql}: {answer:?}");
        let error = answer.error.unwrap();
        let text = format!(
            "{} {} HINT {}",
            error[&'M'],
            error.get(&'D').cloned().unwrap_or_default(),
            error.get(&'H').cloned().unwrap_or_default()
        );
        assert!(text.contains(said), "{sql}: {text}");
    }
    assert_eq!(wire.one("SELECT 1").scalar(), "1");
}

fn alive(f: &Fixture) {
    let mut wire = f.proxy.login("analyst");
    for _ in 0..3 {
        let answer = wire.one("SELECT * FROM raw.people");
        assert_eq!((answer.sqlstate(), answer.status), ("42P01", 'I'));
    }
    assert_eq!(wire.one("SELECT count(*) FROM marketing.campaigns").scalar(), "240");
}

fn aborts(f: &Fixture) {
    let mut wire = f.proxy.login("analyst");
    assert_eq!(wire.one("BEGIN").status, 'T');
    assert_eq!(wire.one("SAVEPOINT a").status, 'T');
    assert_eq!(wire.one("SELECT * FROM raw.people").status, 'E');
    assert_eq!(wire.one("SELECT 1").sqlstate(), "25P02");
    assert_eq!(wire.one("ROLLBACK TO a").status, 'T');
    assert_eq!(wire.one("SELECT 1").scalar(), "1");
    assert_eq!(wire.one("COMMIT").status, 'I');
}

fn predicates(f: &Fixture) {
    let raw = f
        .warehouse
        .superuser("warehouse")
        .one("SELECT customer_email FROM finance_orders WHERE region = 'EU' ORDER BY order_id LIMIT 1")
        .scalar();
    let mut wire = f.proxy.login("analyst");
    let count = |wire: &mut Wire, sql: &str| wire.one(sql).scalar();
    assert_eq!(count(&mut wire, &format!("SELECT count(*) FROM finance.orders WHERE customer_email = '{raw}'")), "0");
    assert_eq!(
        count(&mut wire, &format!("SELECT count(*) FROM finance.orders WHERE customer_email LIKE '{}%'", &raw[..4])),
        "0"
    );
    let masked = format!("{}***@{}", &raw[..1], raw.split_once('@').unwrap().1);
    assert_ne!(
        count(&mut wire, &format!("SELECT count(*) FROM finance.orders WHERE customer_email = '{masked}'")),
        "0"
    );
}

fn hidden_columns(f: &Fixture) {
    let mut wire = f.proxy.login("admin");
    let answer = wire.one("SELECT * FROM marketing.campaign_attribution LIMIT 1");
    assert_eq!(answer.columns.len(), 8);
    assert_eq!(wire.one("SELECT internal_score FROM marketing.campaign_attribution").sqlstate(), "42703");
    let row = wire.one("SELECT row_to_json(a) FROM marketing.campaign_attribution a LIMIT 1").scalar();
    assert!(!row.contains("internal_score"), "{row}");
}

fn errors(f: &Fixture) {
    let mut wire = f.proxy.login("analyst");
    for sql in [
        "SELECT customer_email::int FROM finance.orders",
        "SELECT 1 / (order_id - order_id) FROM finance.orders",
        "SELECT card_number::date FROM finance.orders",
        "SELECT (customer_email || region)::numeric FROM finance.orders",
    ] {
        let error = wire.one(sql).error.unwrap();
        for field in ['M', 'D', 'H', 'W', 'q', 's', 't', 'c', 'd', 'n'] {
            let text = error.get(&field).cloned().unwrap_or_default();
            assert!(
                !text.contains("***") && !text.contains('@') && !text.contains("finance_orders"),
                "{sql}: {field} {text}"
            );
        }
        assert!(error[&'C'].starts_with("22"), "{sql}: {error:?}");
    }
}

fn descriptions(f: &Fixture) {
    let mut wire = f.proxy.login("admin");
    for answer in [
        wire.one("SELECT order_id, total FROM finance.orders LIMIT 1"),
        wire.extended("SELECT order_id, total FROM finance.orders LIMIT 1", &[], false),
    ] {
        assert!(answer.columns.iter().all(|c| c.table == 0 && c.attribute == 0), "{:?}", answer.columns);
    }
}

fn deprecated(f: &Fixture) {
    let mut wire = f.proxy.login("analyst");
    let notices = wire.one("SELECT count(*) FROM finance.revenue_legacy").notices;
    assert_eq!(notices.len(), 1, "{notices:?}");
    assert_eq!(notices[0][&'C'], "01000");
    let text = format!("{:?}", notices[0]);
    assert!(text.contains("finance.revenue_daily") && text.contains("2030-12-31"), "{text}");
    assert!(wire.one("SELECT count(*) FROM finance.revenue_legacy").notices.is_empty());
}

fn drafts(f: &Fixture) {
    assert_eq!(f.proxy.login("admin").one("SELECT count(*) FROM engineering.service_costs").scalar(), "96");
    let refused = f.proxy.login("manager").one("SELECT count(*) FROM engineering.service_costs");
    assert_eq!(refused.sqlstate(), "42501");
    assert!(format!("{:?}", refused.error).contains("draft"), "{:?}", refused.error);
}

fn explain(f: &Fixture) {
    let mut wire = f.proxy.login("analyst");
    let plan = |wire: &mut Wire, sql: &str| wire.one(sql).text_rows().concat().join("\n");
    let text = plan(&mut wire, "EXPLAIN SELECT * FROM finance.orders WHERE total > 100 AND customer_email = 'x'");
    for hidden in ["finance_orders", "region", "EU", "customer_email", "cost="] {
        assert!(!text.contains(hidden), "{hidden}: {text}");
    }
    assert!(text.contains("finance.orders"), "{text}");
    let open = plan(&mut wire, "EXPLAIN SELECT * FROM marketing.campaigns");
    assert!(open.contains("cost=") && open.contains("marketing.campaigns"), "{open}");
}

fn mask_key(f: &Fixture) {
    let mut wire = f.proxy.login("admin");
    for sql in [
        "SELECT current_setting('pgveil.k')",
        "SELECT current_setting('pgveil.ki')",
        "SHOW pgveil.ki",
        "SHOW \"pgveil.ko\"",
        "SELECT current_setting('pgveil.ki', true)",
    ] {
        let answer = wire.one(sql);
        assert!(answer.error.is_some() || answer.rows == [[None]], "{sql}: {answer:?}");
    }
    for sql in ["SHOW ALL", "SELECT * FROM pg_settings", "SELECT * FROM pg_catalog.pg_show_all_settings()"] {
        let answer = wire.one(sql);
        let all = answer.text_rows().concat().join(" ");
        assert!(answer.error.is_some() || all.contains("TimeZone"), "{sql}: {all}");
        assert!(!all.contains("pgveil.k"), "{sql}: {all}");
    }
}
