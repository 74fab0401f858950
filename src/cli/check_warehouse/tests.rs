//! Against a real PostgreSQL.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::catalog::{Catalog, Column, ContractType, OnBreach, Owner, Pii, Product, Sla, Status};
use crate::config::{SecretString, WarehouseConfig};
use crate::names::{ProductId, RelationName};
use crate::upstream::test_postgres::TestPostgres;

use super::{Gravity, WarehouseCheck, check, print};

const SCHEMA: &str = r#"
CREATE SCHEMA sales;
CREATE SCHEMA private;
CREATE EXTENSION citext SCHEMA private;
CREATE TABLE sales.orders (id bigint NOT NULL, email text, amount numeric(10,2), at timestamptz, spare int,
                           region point, label private.citext);
CREATE TABLE sales.parts (a int NOT NULL) PARTITION BY RANGE (a);
CREATE TABLE sales.part1 PARTITION OF sales.parts FOR VALUES FROM (0) TO (10);
CREATE VIEW sales.seen AS SELECT id FROM sales.orders;
CREATE TABLE private.wages (n int);
CREATE ROLE narrow LOGIN;
CREATE ROLE wide LOGIN CREATEDB;
GRANT USAGE ON SCHEMA sales TO narrow;
GRANT SELECT ON sales.orders TO narrow;
GRANT USAGE, CREATE ON SCHEMA sales TO wide;
GRANT USAGE ON SCHEMA private TO wide;
GRANT SELECT ON ALL TABLES IN SCHEMA sales TO wide;
GRANT INSERT ON sales.orders TO wide;
GRANT SELECT ON private.wages TO wide;
GRANT pg_read_all_data TO wide;
CREATE TABLE sales.mine (n int);
ALTER TABLE sales.mine OWNER TO wide;
"#;

fn column(name: &str, contract_type: ContractType, nullable: bool) -> Column {
    Column {
        name: name.to_owned(),
        contract_type,
        description: String::new(),
        pii: Pii::No,
        nullable,
        mask: None,
        equality: false,
    }
}

fn product(id: &str, relation: &str, columns: Vec<Column>) -> Arc<Product> {
    Arc::new(Product {
        id: ProductId::parse(id).unwrap(),
        name: id.to_owned(),
        description: String::new(),
        version: 1,
        status: Status::Published,
        published_at: None,
        tags: Vec::new(),
        relation: RelationName { schema: "sales".to_owned(), name: relation.to_owned() },
        warehouse: "analytics".into(),
        on_breach: OnBreach::Notice,
        owner: Owner { team: "T".to_owned(), contact: "t@example.com".to_owned(), slack_channel: None },
        sla: Sla::default(),
        columns,
        checks: Vec::new(),
        row_filters: Vec::new(),
        deprecation: None,
        schedule: None,
        meta: toml::Table::new(),
        file: format!("catalog/{relation}.toml").into(),
        digest: String::new(),
        places: crate::catalog::Places::default(),
    })
}

fn catalog() -> Catalog {
    use ContractType::{Decimal, Integer, String, Timestamp};
    Catalog::new([
        product(
            "sales.orders",
            "orders",
            vec![
                column("id", Integer, true),
                column("emial", String, true),
                column("email", String, false),
                column("amount", Integer, true),
                column("at", Timestamp, true),
                column("region", String, true),
                column("label", String, true),
            ],
        ),
        product("sales.part", "part1", vec![column("a", Integer, false)]),
        product("sales.seen", "seen", vec![column("id", Integer, false)]),
        product("sales.nowhere", "nowhere", vec![column("a", Decimal, false)]),
    ])
}

async fn checked(server: &TestPostgres, user: &str) -> WarehouseCheck {
    let config = WarehouseConfig {
        dsn: SecretString::new(server.dsn_of(user, None, "postgres")),
        password: None,
        pool_size: 1,
        acquire_timeout: Duration::from_secs(1),
        default_schema: "public".to_owned(),
        extension_schemas: Vec::new(),
    };
    check(&BTreeMap::from([("analytics".into(), config)]), &catalog(), &[]).await
}

fn codes(check: &WarehouseCheck, level: Gravity) -> Vec<String> {
    let mut codes: Vec<String> = check
        .findings
        .iter()
        .filter(|finding| finding.level == level)
        .map(|f| match (&f.product, &f.column) {
            (Some(product), Some(column)) => format!("{} {}.{column}", f.code, product.product()),
            (Some(product), None) => format!("{} {}", f.code, product.product()),
            _ => f.code.to_owned(),
        })
        .collect();
    codes.sort();
    codes
}

#[tokio::test]
async fn contracts_and_accounts_are_held_against_the_warehouse() {
    let server = TestPostgres::start();
    server.sql("postgres", SCHEMA);

    let narrow = checked(&server, "narrow").await;
    assert_eq!(
        codes(&narrow, Gravity::Error),
        [
            "column_missing orders.emial",
            "grant_missing part",
            "grant_missing seen",
            "relation_missing nowhere",
            "type orders.amount",
            "type_schema orders.label",
        ]
    );
    assert_eq!(codes(&narrow, Gravity::Warning), ["child part", "nullable orders.email", "view seen"]);
    assert_eq!(codes(&narrow, Gravity::Info), ["not_null orders.id", "type orders.region", "undeclared orders"]);
    let text = {
        let mut out = Vec::new();
        print(&narrow, false, false, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    };
    for part in [
        "error: column \"amount\" is numeric(10,2) in the warehouse, which is no integer\n  --> warehouse analytics, \
         product sales.orders, column amount (catalog/orders.toml)\n  help: write type = \"decimal\"",
        "help: perhaps \"email\" is meant",
        "sales.part1 is a partition or an inheritance child of sales.parts",
        "columns of sales.orders that the contract does not name: spare",
        "help: write extension_schemas = [\"private\"]",
        "6 errors, 3 warnings",
    ] {
        assert!(text.contains(part), "{part}\n---\n{text}");
    }

    // The GRANTs that are printed are those that were lacking.
    let mut grants = Vec::new();
    print(&narrow, true, false, &mut grants).unwrap();
    server.sql("postgres", &String::from_utf8(grants).unwrap());
    let granted = checked(&server, "narrow").await;
    assert!(granted.grants.is_empty());
    assert!(!codes(&granted, Gravity::Error).iter().any(|code| code.starts_with("grant")));

    let wide = checked(&server, "wide").await;
    let errors: Vec<String> =
        codes(&wide, Gravity::Error).into_iter().filter(|code| code.starts_with("account")).collect();
    assert_eq!(errors, ["account_attribute", "account_creates", "account_member", "account_owns", "account_writes"]);
    let reads = wide.findings.iter().find(|finding| finding.code == "account_reads").unwrap();
    assert!(reads.message.contains("private.wages") && !reads.message.contains("sales.orders"), "{}", reads.message);

    let superuser = checked(&server, "postgres").await;
    assert!(codes(&superuser, Gravity::Error).contains(&"account_superuser".to_owned()));
    assert!(superuser.has_errors());

    let mut json = Vec::new();
    print(&superuser, false, true, &mut json).unwrap();
    let json: serde_json::Value = serde_json::from_slice(&json).unwrap();
    assert_eq!(json["findings"][0]["code"], "account_superuser");
}

#[tokio::test]
async fn a_comparison_that_is_not_leak_proof_here_is_named() {
    let server = TestPostgres::start();
    server.sql("postgres", SCHEMA);
    let as_it_is = checked(&server, "narrow").await;
    assert!(!as_it_is.findings.iter().any(|finding| finding.code == "leak_proof"), "{as_it_is:?}");
    server.sql("postgres", "ALTER FUNCTION pg_catalog.date_lt(date, date) NOT LEAKPROOF");
    let changed = checked(&server, "narrow").await;
    let finding = changed.findings.iter().find(|finding| finding.code == "leak_proof").unwrap();
    assert!(finding.level == Gravity::Warning && finding.message.ends_with("here: <(date, date)"), "{finding}");
}

#[tokio::test]
async fn an_extension_schema_that_others_may_write_is_an_error() {
    let server = TestPostgres::start();
    server.sql("postgres", "CREATE SCHEMA ext; GRANT CREATE ON SCHEMA ext TO PUBLIC; CREATE ROLE narrow LOGIN");
    let config = WarehouseConfig {
        dsn: SecretString::new(server.dsn_of("narrow", None, "postgres")),
        password: None,
        pool_size: 1,
        acquire_timeout: Duration::from_secs(1),
        default_schema: "public".to_owned(),
        extension_schemas: vec!["ext".to_owned()],
    };
    let found = check(&BTreeMap::from([("analytics".into(), config)]), &Catalog::default(), &[]).await;
    let finding = found.findings.iter().find(|finding| finding.code == "extension_schema").unwrap();
    assert_eq!(finding.hint.as_deref(), Some("REVOKE CREATE ON SCHEMA \"ext\" FROM PUBLIC"));
}

#[tokio::test]
async fn a_warehouse_that_is_not_there_is_one_finding() {
    let nobody = crate::upstream::test_postgres::Nobody::listens();
    let port = nobody.port();
    let config = WarehouseConfig {
        dsn: SecretString::new(format!("postgres://u:hunter2@127.0.0.1:{port}/db")),
        password: None,
        pool_size: 1,
        acquire_timeout: Duration::from_secs(1),
        default_schema: "public".to_owned(),
        extension_schemas: Vec::new(),
    };
    let found = check(&BTreeMap::from([("analytics".into(), config)]), &catalog(), &[]).await;
    assert_eq!(codes(&found, Gravity::Error), ["unreachable"]);
    assert!(found.findings[0].message.contains("nobody listens"));
    assert!(!format!("{found:?}").contains("hunter2"));
}

#[tokio::test]
async fn allowed_functions_are_shown_with_their_attributes() {
    let server = TestPostgres::start();
    server.sql(
        "postgres",
        "CREATE ROLE narrow LOGIN; CREATE SCHEMA tools; GRANT USAGE ON SCHEMA tools TO narrow;
         CREATE FUNCTION tools.calm(int) RETURNS int IMMUTABLE LANGUAGE sql AS 'SELECT $1';
         CREATE FUNCTION tools.calm(text) RETURNS text LANGUAGE sql AS 'SELECT $1';
         CREATE FUNCTION tools.bold(int) RETURNS int STABLE SECURITY DEFINER LANGUAGE sql AS 'SELECT $1';
         CREATE FUNCTION tools.shut(int) RETURNS int IMMUTABLE LANGUAGE sql AS 'SELECT $1';
         REVOKE EXECUTE ON FUNCTION tools.shut FROM PUBLIC",
    );
    let config = WarehouseConfig {
        dsn: SecretString::new(server.dsn_of("narrow", None, "postgres")),
        password: None,
        pool_size: 1,
        acquire_timeout: Duration::from_secs(1),
        default_schema: "public".to_owned(),
        extension_schemas: Vec::new(),
    };
    let allowed = ["tools.calm", "tools.bold", "tools.shut", "tools.gone", "nowhere.f"].map(str::to_owned);
    let found = check(&BTreeMap::from([("analytics".into(), config)]), &Catalog::default(), &allowed).await;
    let said: Vec<(Gravity, &str, &str)> = found
        .findings
        .iter()
        .filter(|finding| finding.code.starts_with("function"))
        .map(|finding| (finding.level, finding.code, finding.message.as_str()))
        .collect();
    let expected = [
        (
            Gravity::Info,
            "function",
            "tools.calm(integer) is a function in sql: immutable, SECURITY INVOKER, not leak-proof, parallel unsafe",
        ),
        (
            Gravity::Warning,
            "function_volatile",
            "tools.calm(text) is a function in sql: volatile, SECURITY INVOKER, not leak-proof, parallel unsafe",
        ),
        (
            Gravity::Warning,
            "function_definer",
            "tools.bold(integer) is a function in sql: stable, SECURITY DEFINER of \"postgres\", not leak-proof, parallel unsafe",
        ),
        (
            Gravity::Info,
            "function",
            "tools.shut(integer) is a function in sql: immutable, SECURITY INVOKER, not leak-proof, parallel unsafe",
        ),
        (Gravity::Warning, "function_execute", "the account may not execute tools.shut(integer)"),
        (Gravity::Warning, "function_missing", "there is no function tools.gone, which [functions] allow names"),
        (Gravity::Warning, "function_missing", "there is no function nowhere.f, which [functions] allow names"),
    ];
    assert_eq!(said, expected);
}
