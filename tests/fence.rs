//! Hidden rows against a real PostgreSQL: values that make an expression fail lie in rows which the filter hides. Whatever is
//! asked, the answer is that of a table without these rows; no error, no message. With every fence taken away, the same
//! statements do fail, which shows that they try.

#![allow(
    clippy::allow_attributes,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

#[path = "golden/fixture.rs"]
mod fixture;
#[path = "common/postgres.rs"]
mod postgres;

use pgveil::catalog::Catalog;
use pgveil::govern::decide::{Decision, Plan, SearchPath};
use pgveil::govern::fence::Fence;
use pgveil::govern::snapshot::Snapshot;
use pgveil::sql::{TextLimits, parse};
use postgres::TestPostgres;
use std::sync::Arc;

/// What fails on a hidden row of `sales.orders o`, and on no other.
const BOMBS: [&str; 12] = [
    "o.status::int >= 0",
    "o.status::int2 IN (1, 2, 3)",
    "1 / (o.customer_id - 13) >= -1",
    "o.customer_id / nullif(o.customer_id - 13, 0) IS NULL OR o.customer_id % (o.customer_id - 13) >= 0",
    "o.id::int2 > 0",
    "o.id * 4611686018427387903 IS NOT NULL OR true = (o.id * 4611686018427387903 > 0)",
    "'x' ~ o.status OR NOT 'x' ~ o.status",
    "chr(abs(o.customer_id - 13)::int) <> 'q'",
    "o.status::numeric(3, 0) > -1",
    "length(o.status) / (length(o.status) - 8) >= -9",
    "sqrt(12.5 - o.customer_id) >= 0",
    "('2026-01-0' || o.status)::date > '2000-01-01'",
];

/// Where a condition, or an expression that becomes one, can stand.
const PLACES: [&str; 26] = [
    "SELECT count(*) FROM sales.orders o WHERE {}",
    "SELECT count(*) FROM sales.orders o WHERE o.id > 0 AND ({})",
    "SELECT count(*) FROM sales.orders o WHERE o.id = 13 AND ({})",
    "SELECT count(*) FROM sales.orders o WHERE CASE WHEN o.id > 0 THEN {} END",
    "SELECT count(*) FROM sales.orders o JOIN ops.depots d ON d.id = o.id AND ({})",
    "SELECT count(*) FROM ops.depots d LEFT JOIN sales.orders o ON d.id = o.id AND ({})",
    "SELECT count(*) FROM sales.orders o RIGHT JOIN ops.depots d ON d.id = o.id AND ({})",
    "SELECT count(*) FROM sales.orders o FULL JOIN ops.depots d ON d.id = o.id WHERE ({}) OR o.id IS NULL",
    "SELECT count(*) FROM sales.orders o, ops.depots d WHERE d.id = o.id AND ({}) AND d.id < 20",
    "SELECT count(*) FROM sales.orders o JOIN ops.depots d ON (d.name = 'a') = ({})",
    "SELECT o.status FROM sales.orders o GROUP BY o.status, o.id, o.customer_id HAVING {} ORDER BY 1",
    "SELECT o.status, count(*) FROM sales.orders o GROUP BY o.status, o.id, o.customer_id HAVING count(*) > 0 AND ({}) ORDER BY 1",
    "SELECT count(*) FROM (SELECT ({}) AS x FROM sales.orders o) s WHERE x",
    "SELECT count(*) FROM (SELECT DISTINCT ({}) AS x, o.id FROM sales.orders o) s WHERE x AND id > 0",
    "WITH s AS (SELECT ({}) AS x, id FROM sales.orders o) SELECT count(*) FROM s WHERE x",
    "WITH s AS NOT MATERIALIZED (SELECT * FROM sales.orders) SELECT count(*) FROM s o WHERE {}",
    "SELECT count(*) FROM (SELECT ({}) AS x FROM sales.orders o UNION ALL SELECT true) s WHERE x",
    "SELECT count(*) FROM ops.depots d WHERE EXISTS (SELECT 1 FROM sales.orders o WHERE o.id = d.id AND ({}))",
    "SELECT count(*) FROM ops.depots d WHERE d.id IN (SELECT o.id FROM sales.orders o WHERE {})",
    "SELECT count(*) FROM ops.depots d WHERE (d.id > 0) IN (SELECT ({}) FROM sales.orders o)",
    "SELECT count(*) FROM ops.depots d, LATERAL (SELECT o.id FROM sales.orders o WHERE o.id = d.id AND ({})) x",
    "SELECT count(*) FROM sales.orders o, LATERAL (SELECT ({}) AS y) x WHERE y",
    "SELECT (SELECT count(*) FROM sales.orders o WHERE o.id = d.id AND ({})) FROM ops.depots d WHERE d.id < 20 ORDER BY 1",
    "SELECT ({}) FROM sales.orders o WHERE o.id > 0 ORDER BY ({})",
    "SELECT count(*) FILTER (WHERE {}), max(o.id) FROM sales.orders o WHERE o.customer_id < 50 GROUP BY ({})",
    "SELECT row_number() OVER (ORDER BY ({}), o.id) FROM sales.orders o WHERE o.id BETWEEN 1 AND 40 ORDER BY 1",
];

/// Statements of their own.
const OTHERS: [&str; 9] = [
    "SELECT count(*) FROM sales.orders o WHERE o.id = 13 AND now() - interval '290000 years' < now()",
    "SELECT count(*) FROM sales.orders o WHERE o.id = 13 AND (SELECT max(1 / (id - 1)) FROM ops.depots) > 0",
    "SELECT count(*) FROM sales.orders o WHERE o.id = 13 AND o.id NOT IN (SELECT 1 / (id - 1) FROM ops.depots)",
    "SELECT count(*) FROM sales.orders o JOIN ops.depots d ON d.id = 1 / (o.customer_id - 13)",
    "SELECT count(*) FROM ops.depots d JOIN sales.orders o ON d.name = (100 / (o.customer_id - 13))::text WHERE d.id < 5",
    "SELECT count(*) FROM sales.orders o NATURAL JOIN (SELECT id, name AS status FROM ops.depots) d WHERE o.status::int > 0",
    "SELECT count(*) FROM (SELECT 1 / (customer_id - 13) AS id FROM sales.orders) o JOIN ops.depots d USING (id)",
    "SELECT min(1 / (customer_id - 13)) FROM sales.orders o",
    "SELECT (SELECT count(*) FROM sales.orders o GROUP BY o.status HAVING o.status::int = max(d.id)::int LIMIT 1) FROM ops.depots d GROUP BY d.id",
];

const HIDDEN: &str = "
    INSERT INTO erp.orders_v7 SELECT 13 + n * 100000000000, 13, '(bomb-' || n % 10 , 1, 'HIDDEN', now() FROM generate_series(1, 50) n;
    INSERT INTO erp.orders_v7 VALUES (13, 13, '(bomb-x!', 1, 'HIDDEN', now());";

const SHOWN: &str = "
    INSERT INTO erp.orders_v7 SELECT 1, 1, '1', 1, 'EU', '2026-01-01';
    INSERT INTO erp.orders_v7 SELECT 2, 2, '2', 2, 'R7', '2026-01-01';
    INSERT INTO public.ops_depots SELECT n, 'a' || n FROM generate_series(1, 40) n;
    ANALYZE;";

/// A filter that is dearer than what a client writes: the planner puts it last. (A list of nine would be hashed, and cheap.)
const FILTER: &str = "region IN ('EU', 'R2', 'R3', 'R4', 'R5', 'R6', 'R7', 'R8') AND md5(region) <> 'x'";

fn snapshot() -> Snapshot {
    let mut parts = fixture::parts();
    let with_filter = parts.catalog.iter().map(|product| {
        let mut product = product.as_ref().clone();
        for filter in &mut product.row_filters {
            FILTER.clone_into(&mut filter.predicate);
        }
        Arc::new(product)
    });
    parts.catalog = Catalog::new(with_filter.collect::<Vec<_>>());
    fixture::snapshot(parts)
}

/// What is sent, and whether the fence of `sales.orders` is left out.
fn decided(snapshot: &Snapshot, sql: &str) -> (String, bool) {
    let parsed = parse(sql, &TextLimits::default()).unwrap_or_else(|e| panic!("{sql}: {e:?}"));
    match fixture::decide_as(snapshot, "ana", &SearchPath::Domains, &[], &parsed[0]) {
        Some(Decision::Allow(Plan::Upstream(permit))) => {
            let left_out = permit.products.iter().any(|product| product.fence == Fence::LeftOut);
            (permit.sql.to_string(), left_out)
        }
        other => panic!("{sql}: {other:?}"),
    }
}

fn statements() -> Vec<String> {
    let placed = BOMBS.iter().flat_map(|bomb| PLACES.iter().map(move |place| place.replace("{}", bomb)));
    placed.chain(OTHERS.iter().map(|sql| (*sql).to_owned())).collect()
}

/// Runs a statement and gives its rows as one text, or its error.
const ATTEMPT: &str = "
    CREATE FUNCTION public.attempt(statement text) RETURNS text LANGUAGE plpgsql AS $f$
    DECLARE found text;
    BEGIN
        EXECUTE 'SELECT string_agg(t::text, chr(59)) FROM (' || statement || ') t' INTO found;
        RETURN coalesce(found, 'nothing');
    EXCEPTION WHEN OTHERS THEN
        RETURN 'ERROR ' || SQLSTATE || ' ' || translate(SQLERRM, chr(10), ' ');
    END $f$";

/// The answers to all statements, in their order.
fn ask<'a>(server: &TestPostgres, plans: &str, statements: impl Iterator<Item = &'a str>) -> Vec<String> {
    let statements: Vec<_> = statements.collect();
    let one = |some: &[&str]| {
        let rows: Vec<_> = some.iter().enumerate().map(|(n, sql)| format!("({n}, $q${sql}$q$)")).collect();
        let sql = format!("SELECT public.attempt(s) FROM (VALUES {}) AS v (n, s) ORDER BY n", rows.join(", "));
        let answers = server.rows(&format!("-c search_path=pg_catalog {plans}"), &sql).unwrap();
        assert_eq!(answers.len(), some.len());
        answers.into_iter().map(|row| row.concat()).collect::<Vec<_>>()
    };
    // A command line has an end.
    statements.chunks(50).flat_map(one).collect()
}

#[test]
fn no_hidden_row_shows_in_an_answer_or_an_error() {
    let server = TestPostgres::start();
    let schema = std::fs::read_to_string(fixture::directory().join("schema.sql")).unwrap();
    server.rows("", &format!("{schema}; {ATTEMPT}; {SHOWN}")).unwrap();
    let snapshot = snapshot();
    let statements = statements();
    let sent: Vec<_> = statements.iter().map(|sql| decided(&snapshot, sql)).collect();
    let as_sent = || sent.iter().map(|(sql, _)| sql.as_str());
    let expected = ask(&server, "", as_sent());
    for (sql, answer) in statements.iter().zip(&expected) {
        let must_answer = !OTHERS.contains(&sql.as_str());
        assert!(!must_answer || !answer.starts_with("ERROR"), "fails without hidden rows: {sql}\n{answer}");
    }
    server.rows("", &format!("{HIDDEN} ANALYZE")).unwrap();

    let mut leaks = Vec::new();
    for plans in ["", "-c enable_hashjoin=off -c enable_mergejoin=off", "-c enable_nestloop=off"] {
        for ((answer, expected), (sql, _)) in ask(&server, plans, as_sent()).iter().zip(&expected).zip(&sent) {
            if answer != expected {
                leaks.push(format!("{sql}\n  {answer}, and not {expected}"));
            }
        }
    }
    assert!(leaks.is_empty(), "{} leak:\n{}", leaks.len(), leaks.join("\n"));

    // The statements do try: without any fence they would show something.
    let open: Vec<String> = as_sent().map(|sql| sql.replace(" OFFSET 0)", ")")).collect();
    let shown = ask(&server, "", open.iter().map(String::as_str));
    let shown = shown.iter().zip(&expected).filter(|(answer, expected)| answer != expected).count();
    assert!(shown >= 80, "of {} statements {shown} would show something without a fence", sent.len());
    let left_out = sent.iter().filter(|(_, left_out)| *left_out).count();
    assert!(left_out >= 3 * BOMBS.len(), "of {} statements {left_out} go without", sent.len());
}
