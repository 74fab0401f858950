//! What a decision costs: new, remembered by its text, and remembered by its shape, for a small statement, one of TPC-H's
//! size and one of TPC-DS' size. `cargo bench --bench engine`.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a bench fails by panicking")]

#[path = "../tests/golden/fixture.rs"]
mod fixture;

use std::fmt::Write;
use std::hint::black_box;

use criterion::Criterion;
use fixture::FixedSession;
use pgveil::govern::cache::{Decided, Surroundings};
use pgveil::govern::decide::SearchPath;
use pgveil::govern::snapshot::Snapshot;
use pgveil::sql::statement::SessionStatement;
use pgveil::sql::{DEEP_STACK, TextLimits, parse};
use pgveil::statement::{Asking, Simulated};

impl Simulated for FixedSession {
    fn search_path(&self) -> SearchPath {
        SearchPath::Domains
    }
    fn advance(&mut self, _: &SessionStatement) {}
}

const SMALL: &str = "SELECT status, total FROM sales.orders WHERE id = 4711";

const TPC_H: &str = "SELECT c.region, d.name, sum(o.total * (1 - 0.05)) AS revenue \
    FROM sales.customers c, sales.orders o, ops.shipments s, ops.depots d, marketing.orders m \
    WHERE c.id = o.customer_id AND s.order_id = o.id AND d.id = s.id AND m.id = o.id AND c.segment = 'gold' \
    AND c.region = 'EU' AND o.placed_at >= date '1994-01-01' AND o.placed_at < date '1994-01-01' + interval '1 year' \
    GROUP BY c.region, d.name ORDER BY revenue DESC LIMIT 100";

/// As TPC-DS 64: two big common table expressions, one of them read twice.
fn tpc_ds() -> String {
    let mut text = "WITH sold AS (SELECT c.id, c.name, c.segment".to_owned();
    for n in 1..=12 {
        write!(text, ", sum(CASE WHEN extract(month FROM o.placed_at) = {n} THEN o.total ELSE 0 END) AS m{n}").unwrap();
    }
    text.push_str(
        " FROM sales.orders o JOIN sales.customers c ON o.customer_id = c.id LEFT JOIN ops.shipments s ON s.order_id = o.id \
         LEFT JOIN ops.depots d ON d.id = s.id JOIN marketing.orders m ON m.id = o.id \
         WHERE o.status IN ('paid', 'sent', 'returned') AND o.total BETWEEN 64 AND 64 + 10 AND c.segment <> 'none' \
         AND EXISTS (SELECT 1 FROM marketing.campaign_attribution a WHERE a.campaign_id = m.campaign_id) \
         GROUP BY c.id, c.name, c.segment), ranked AS (SELECT sold.*, rank() OVER (PARTITION BY segment ORDER BY m1 DESC) AS r \
         FROM sold) SELECT a.name, a.segment, b.name AS other",
    );
    for n in 1..=12 {
        write!(text, ", a.m{n} AS a{n}, b.m{n} AS b{n}, coalesce(a.m{n} / nullif(b.m{n}, 0), 0) AS r{n}").unwrap();
    }
    text.push_str(" FROM ranked a JOIN ranked b ON a.r = b.r AND a.segment = b.segment WHERE a.id <> b.id");
    for n in 1..=12 {
        write!(text, " AND a.m{n} <= b.m{n} + {n}").unwrap();
    }
    text.push_str(" ORDER BY a.name, a.segment, other LIMIT 100");
    text
}

fn engine(c: &mut Criterion) {
    let snapshot: Snapshot = fixture::snapshot(fixture::parts());
    let surroundings = Surroundings {
        warehouse: fixture::warehouse(),
        subject: snapshot.subject("ana", None).unwrap(),
        search_path: SearchPath::Domains,
        today: jiff::civil::date(2026, 3, 1),
    };
    let id = snapshot.decisions().intern(&surroundings);
    let asking = Asking { snapshot: &snapshot, surroundings: &surroundings, id };
    let ask = |text: &str| asking.decide(text, &[], || FixedSession).unwrap_or_else(|e| panic!("{text}: {e:?}"));
    let large = tpc_ds();
    for (size, text) in [("small", SMALL), ("TPC-H", TPC_H), ("TPC-DS", large.as_str())] {
        eprintln!("{size}: {} bytes", text.len());
        c.bench_function(&format!("new/{size}"), |b| {
            b.iter(|| {
                let parsed = parse(black_box(text), &TextLimits::default()).unwrap().remove(0);
                let decision = fixture::decide_as(&snapshot, "ana", &SearchPath::Domains, &[], &parsed).unwrap();
                assert!(decision.permit().is_some());
                Decided::new(&parsed, decision)
            });
        });
        ask(text);
        c.bench_function(&format!("remembered by its text/{size}"), |b| b.iter(|| ask(black_box(text))));
    }
    for id in [1, 2] {
        ask(&SMALL.replace("4711", &id.to_string()));
    }
    let mut n = 100;
    let mut text = String::new();
    c.bench_function("remembered by its shape/small", |b| {
        b.iter(|| {
            n += 1;
            text.clear();
            write!(text, "SELECT status, total FROM sales.orders WHERE id = {n}").unwrap();
            ask(black_box(&text))
        });
    });
}

/// On a thread that has the stack of a worker.
fn main() {
    let run = || {
        let mut criterion = Criterion::default().configure_from_args();
        engine(&mut criterion);
        criterion.final_summary();
    };
    std::thread::Builder::new().stack_size(DEEP_STACK).spawn(run).unwrap().join().unwrap();
}
