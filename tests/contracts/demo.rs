//! The demo's products: exactly the planted faults are found.

use std::collections::BTreeSet;
use std::path::Path;

use pgveil::demo::DemoFiles;
use pgveil::demo::postgres::{LocalPostgres, LocalPostgresOptions};
use serde_json::Value;

use super::Case;
use super::postgres::TestPostgres;

pub const CASES: &[Case] = &[("the_demos_planted_faults_are_found_and_no_others", planted_faults)];

const PASSWORD: &str = "superuser-demo";

fn run(config: &Path) -> Value {
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_pgveil"))
        .args(["contract", "run", "--format", "json", "--config"])
        .arg(config)
        .output()
        .unwrap();
    serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|e| panic!("{e}: {}", String::from_utf8_lossy(&output.stderr)))
}

/// `PRODUCT CHECK` of each failure.
fn failures(validations: &Value) -> BTreeSet<String> {
    let mut failures = BTreeSet::new();
    for validation in validations["validations"].as_array().unwrap() {
        for check in validation["checks"].as_array().unwrap().iter().filter(|check| check["passed"] == false) {
            failures.insert(format!("{} {}", validation["product"].as_str().unwrap(), check["name"].as_str().unwrap()));
        }
    }
    failures
}

fn planted_faults(_: &TestPostgres) {
    let options = LocalPostgresOptions { password: Some(PASSWORD.into()), socket: true, ..Default::default() };
    let server = LocalPostgres::start(options).unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(pgveil::demo::load(server.port(), PASSWORD, "account", |_| ())).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let files = DemoFiles::write(dir.path(), 1, 2, server.port(), "account").unwrap();
    let as_it_is = run(&files.config());
    let stale = "ops.warehouse_capacity fresh";
    assert_eq!(failures(&as_it_is), BTreeSet::from([stale.to_owned()]), "{as_it_is:#}");

    let mut config = tokio_postgres::Config::new();
    config.host("127.0.0.1").port(server.port()).user("postgres").password(PASSWORD).dbname("warehouse");
    runtime.block_on(async {
        let (client, connection) = config.connect(tokio_postgres::NoTls).await.unwrap();
        tokio::spawn(connection);
        client
            .batch_execute(
                "ALTER TABLE marketing_campaign_attribution ALTER campaign_id DROP NOT NULL;
                 UPDATE marketing_campaign_attribution SET campaign_id = NULL WHERE attribution_id IN ('att-000000001', 'att-000000002');
                 ALTER TABLE marketing_ad_spend DROP CONSTRAINT IF EXISTS marketing_ad_spend_pkey;
                 INSERT INTO marketing_ad_spend SELECT * FROM marketing_ad_spend LIMIT 3;
                 UPDATE finance_orders SET total = -1 WHERE order_id = 17;
                 ALTER TABLE ops_inventory DROP COLUMN counted_at CASCADE;
                 ALTER TABLE engineering_deployments ADD COLUMN retyped int;",
            )
            .await
            .unwrap();
        let retyped = client
            .query_one(
                "SELECT attname::text FROM pg_attribute WHERE attrelid = 'engineering_deployments'::regclass \
                 AND attnum > 0 AND atttypid = 'timestamptz'::regtype LIMIT 1",
                &[],
            )
            .await
            .unwrap();
        let column: String = retyped.get(0);
        client.batch_execute(&format!("ALTER TABLE engineering_deployments ALTER {column} TYPE text")).await.unwrap();
    });
    let found = run(&files.config());
    let planted = [
        "engineering.deployments schema",
        "finance.orders total_in_range",
        // A null is a fault of the column's promise, too.
        "marketing.campaign_attribution no_null_campaign_ids",
        "marketing.campaign_attribution schema",
        "marketing.ad_spend one_row_a_day",
        "ops.inventory schema",
        stale,
    ];
    assert_eq!(failures(&found), planted.map(str::to_owned).into(), "{found:#}");
}
