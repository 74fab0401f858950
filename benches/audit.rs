//! What recording a statement costs: record, chain and write, then its outcome. In both durabilities, with 1, 8 and 64
//! tasks. `cargo bench --bench audit`.
#![expect(clippy::unwrap_used, reason = "a bench fails by panicking")]

use std::hint::black_box;
use std::path::Path;
use std::time::{Duration, Instant};

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use pgveil::audit::{Audit, Outcome, SessionFields, Stamp, StatementRecord, Verdict};
use pgveil::config::{AuditConfig, AuditFailure, Durability, SqlRecording};
use pgveil::names::{ProductId, RoleName, UserName};

const SQL: &str = "SELECT channel, count(*), sum(revenue_cents) FROM marketing.campaign_attribution \
                   WHERE touchpoint_at >= '2025-03-01' AND user_id <> '17' GROUP BY channel ORDER BY 2 DESC LIMIT 20";
const FORWARDED: &str = "SELECT \"channel\", pg_catalog.count(*), pg_catalog.sum(\"revenue_cents\") FROM (SELECT \
                         \"attribution_id\", CASE WHEN pg_catalog.length(\"user_id\") >= 8 THEN '***' || \
                         pg_catalog.right(\"user_id\", 4) ELSE '***' END AS \"user_id\", \"channel\", \"touchpoint_at\", \
                         \"revenue_cents\" FROM \"public\".\"marketing_campaign_attribution\") AS \"campaign_attribution\" \
                         WHERE \"touchpoint_at\" >= '2025-03-01' AND \"user_id\" <> '17' GROUP BY \"channel\" ORDER BY 2 \
                         DESC LIMIT 20";

fn config(directory: &Path, durability: Durability) -> AuditConfig {
    AuditConfig {
        path: directory.join("audit.jsonl"),
        on_failure: AuditFailure::Deny,
        durability,
        sql: SqlRecording::Full,
        rotate_at: 256 << 20,
        keep: Duration::from_secs(3600),
    }
}

fn stamp() -> Stamp {
    Stamp::new(&SessionFields {
        session: "5f0c9a3e",
        user: &UserName::new("ana"),
        on_behalf_of: None,
        roles: &[RoleName::new("analyst")],
        client: "127.0.0.1:50000".parse().unwrap(),
        application: "psql",
        database: "analytics",
        tls: Some("TLSv1.3"),
    })
}

async fn statements(audit: Audit, count: u64) {
    let stamp = stamp();
    let products = [ProductId::parse("marketing.campaign_attribution").unwrap()];
    let masked = ["marketing.campaign_attribution.user_id".to_owned()];
    for n in 0..count {
        let record = StatementRecord {
            stamp: &stamp,
            sql: black_box(SQL),
            fingerprint: Some("9d2f6a1b8c3e4f50"),
            verdict: Verdict::Allow { forwarded: Some(FORWARDED), masked: &masked, unmasked: &[] },
            products: &products,
            generation: 3,
        };
        let ticket = audit.decided(&record).await.unwrap();
        ticket.completed(&Outcome {
            rows: n,
            bytes: n * 80,
            duration: Duration::from_micros(900),
            ..Outcome::default()
        });
    }
}

fn recorded(c: &mut Criterion) {
    let runtime = tokio::runtime::Builder::new_multi_thread().build().unwrap();
    let mut group = c.benchmark_group("statement and outcome");
    group.throughput(Throughput::Elements(1)).sample_size(20).measurement_time(Duration::from_secs(4));
    for (name, durability) in [("write", Durability::Write), ("sync", Durability::Sync)] {
        for tasks in [1, 8, 64] {
            let directory = tempfile::tempdir().unwrap();
            let audit = Audit::open(&config(directory.path(), durability), str::to_owned).unwrap();
            group.bench_function(BenchmarkId::new(name, tasks), |b| {
                b.iter_custom(|iterations| {
                    let each = iterations.div_ceil(tasks);
                    let start = Instant::now();
                    runtime.block_on(async {
                        let running: Vec<_> =
                            (0..tasks).map(|_| tokio::spawn(statements(audit.clone(), each))).collect();
                        for task in running {
                            task.await.unwrap();
                        }
                    });
                    // Rounded up above; criterion divides by `iterations`.
                    start.elapsed().mul_f64(iterations as f64 / (each * tasks) as f64)
                });
            });
        }
    }
    group.finish();
}

criterion_group!(benches, recorded);
criterion_main!(benches);
