//! Real clients: psql and tokio-postgres.

use std::process::{Command, Output};

use crate::common::proxy::Proxy;
use crate::{Case, Fixture};

pub const CASES: &[Case] = &[
    ("clients::psql_over_tls", psql_tls),
    ("clients::psql_channel_binding", psql_channel_binding),
    ("clients::psql_verifies_the_certificate", psql_verify),
    ("clients::psql_shows_position_and_hint", psql_caret),
    ("clients::psql_fetch_count_gdesc_and_copy", psql_features),
    ("clients::tokio_postgres", tokio_postgres),
    ("clients::pgbench_in_three_protocols", pgbench),
];

fn psql(proxy: &Proxy, more: &str, script: &str) -> Output {
    let conninfo = format!("host=127.0.0.1 port={} dbname=warehouse user=analyst {more}", proxy.port);
    Command::new("psql")
        .args(["-X", "-A", "-t", "-v", "ON_ERROR_STOP=0", &conninfo, "-c", script])
        .env("PGPASSWORD", "analyst-demo")
        .output()
        .expect("psql")
}

fn out(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

fn psql_tls(f: &Fixture) {
    for mode in ["require", "prefer", "disable"] {
        let output = psql(&f.proxy, &format!("sslmode={mode}"), "SELECT count(*) FROM marketing.campaigns");
        assert_eq!(out(&output), "240", "{mode}: {}", String::from_utf8_lossy(&output.stderr));
    }
}

fn psql_channel_binding(f: &Fixture) {
    let output = psql(&f.proxy, "sslmode=require channel_binding=require", "SELECT current_user");
    assert_eq!(out(&output), "analyst", "{}", String::from_utf8_lossy(&output.stderr));
    let output = psql(&f.proxy, "sslmode=disable channel_binding=require", "SELECT current_user");
    assert!(!output.status.success());
}

fn psql_verify(f: &Fixture) {
    let ca = f.proxy.files.dir().join("tls/server.crt");
    let output = psql(&f.proxy, &format!("sslmode=verify-full sslrootcert={}", ca.display()), "SELECT 1");
    assert_eq!(out(&output), "1", "{}", String::from_utf8_lossy(&output.stderr));
}

fn psql_caret(f: &Fixture) {
    let output = psql(&f.proxy, "", "SELECT * FROM marketing.campaing");
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(text.contains("marketing.campaigns") && text.contains("HINT"), "{text}");
    let output = psql(&f.proxy, "", "SELECT 1 +");
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(text.contains("syntax error") && text.contains('^'), "{text}");
}

fn psql_features(f: &Fixture) {
    let run = |args: &[&str]| {
        let conninfo = format!("host=127.0.0.1 port={} dbname=warehouse user=analyst", f.proxy.port);
        let output = Command::new("psql")
            .args(["-X", "-A", "-t"])
            .args(args)
            .arg(conninfo)
            .env("PGPASSWORD", "analyst-demo")
            .output()
            .unwrap();
        assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
        out(&output)
    };
    let many = run(&["-v", "FETCH_COUNT=100", "-c", "SELECT event_id FROM product.events"]);
    assert_eq!(many.lines().count(), 10_000);
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("out.csv");
    run(&[
        "-c",
        &format!(
            "\\copy (SELECT campaign_id, targets FROM marketing.campaigns ORDER BY 1) to '{}' csv header",
            file.display()
        ),
    ]);
    assert_eq!(std::fs::read_to_string(file).unwrap().lines().count(), 241);
    assert_eq!(run(&["-1", "-c", "SELECT 1", "-c", "SELECT 2"]), "1\n2");
}

fn tokio_postgres(f: &Fixture) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let mut config = tokio_postgres::Config::new();
        config.host("127.0.0.1").port(f.proxy.port).user("analyst").password("analyst-demo").dbname("warehouse");
        let (mut client, connection) = config.connect(tokio_postgres::NoTls).await.unwrap();
        tokio::spawn(connection);
        let rows = client.query("SELECT order_id, customer_email, total::text FROM finance.orders WHERE region = $1 ORDER BY order_id LIMIT 5", &[&"EU"]).await.unwrap();
        assert_eq!(rows.len(), 5);
        assert!(rows[0].get::<_, String>(1).contains("***@"));
        let statement = client.prepare("SELECT count(*) FROM marketing.campaigns WHERE channel = $1").await.unwrap();
        let (paid, email) = tokio::join!(client.query_one(&statement, &[&"paid"]), client.query_one(&statement, &[&"email"]));
        assert!(paid.unwrap().get::<_, i64>(0) > 0 && email.unwrap().get::<_, i64>(0) > 0);
        let error = client.query("SELECT * FROM raw.people", &[]).await.unwrap_err();
        assert_eq!(error.code().unwrap().code(), "42P01");
        let transaction = client.transaction().await.unwrap();
        let portal = transaction.bind("SELECT campaign_id FROM marketing.campaigns ORDER BY 1", &[]).await.unwrap();
        assert_eq!(transaction.query_portal(&portal, 7).await.unwrap().len(), 7);
        assert_eq!(transaction.query_portal(&portal, 7).await.unwrap()[0].get::<_, String>(0), "cmp-0008");
        transaction.commit().await.unwrap();
        let token = client.cancel_token();
        let statement = crate::limits::slow("tokio_cancelled");
        let slow = client.query(&statement, &[]);
        let cancel = async {
            let began = std::time::Instant::now();
            while f.warehouse.running("tokio_cancelled", None) == 0 {
                assert!(began.elapsed() < crate::common::wire::PATIENCE);
                tokio::time::sleep(std::time::Duration::from_millis(30)).await;
            }
            token.cancel_query(tokio_postgres::NoTls).await.unwrap();
        };
        let (result, ()) = tokio::join!(slow, cancel);
        let error = result.unwrap_err();
        assert!(error.as_db_error().is_some_and(|e| e.message().contains("user request")), "{error:?}");
        assert_eq!(client.query_one("SELECT 1", &[]).await.unwrap().get::<_, i32>(0), 1);
    });
}

fn pgbench(f: &Fixture) {
    let dir = tempfile::tempdir().unwrap();
    let script = dir.path().join("script.sql");
    std::fs::write(&script, "\\set id random(1, 1000)\nBEGIN;\nSELECT total FROM finance.orders WHERE order_id = :id;\nSELECT count(*) FROM marketing.campaigns WHERE budget_cents > :id;\nEND;\n").unwrap();
    let pgbench = pgveil::demo::postgres::find_binaries().unwrap().join("pgbench");
    for protocol in ["simple", "extended", "prepared"] {
        let output = Command::new(&pgbench)
            .args([
                "-n",
                "-M",
                protocol,
                "-c",
                "6",
                "-j",
                "2",
                "-t",
                "50",
                "-h",
                "127.0.0.1",
                "-p",
                &f.proxy.port.to_string(),
                "-U",
                "analyst",
                "-f",
            ])
            .arg(&script)
            .arg("warehouse")
            .env("PGPASSWORD", "analyst-demo")
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(
            output.status.success() && text.contains("300/300"),
            "{protocol}: {text}{}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
}
