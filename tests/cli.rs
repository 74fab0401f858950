//! The commands as a person at a shell meets them.
#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

#[path = "common/postgres.rs"]
mod postgres;

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use postgres::{Nobody, TestPostgres, free_port, psql};
use serde_json::Value;

/// One server for all tests; each has a database of its own.
fn warehouse() -> &'static TestPostgres {
    static SERVER: OnceLock<TestPostgres> = OnceLock::new();
    SERVER.get_or_init(|| {
        let server = TestPostgres::setup().auth("scram-sha-256", "superuser").start();
        server.sql("postgres", "CREATE ROLE pgveil LOGIN PASSWORD 'account'");
        server
    })
}

/// What a command did.
struct Ran {
    out: String,
    err: String,
    code: i32,
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        Self {
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
            code: output.status.code().expect("an exit code"),
        }
    }
}

impl Ran {
    fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|e| panic!("{e}\n{}\n{}", self.out, self.err))
    }
}

fn command(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pgveil"));
    command.args(args).stdin(Stdio::null()).env_remove("PGVEIL_WAREHOUSE_PASSWORD");
    command
}

fn pgveil(args: &[&str]) -> Ran {
    command(args).output().unwrap().into()
}

/// A configuration in a directory of its own, over the warehouse's table `shop.orders`.
struct Files {
    dir: tempfile::TempDir,
}

impl Files {
    fn new(dsn: &str) -> Self {
        let files = Self { dir: tempfile::tempdir().unwrap() };
        fs::create_dir(files.dir.path().join("catalog")).unwrap();
        let server = format!(
            "[server]\nlisten = \"127.0.0.1:{}\"\n[warehouses.w]\ndsn = \"{dsn}\"\n[http]\nlisten = \"127.0.0.1:{}\"\n",
            free_port().unwrap(),
            free_port().unwrap(),
        );
        files.write("pgveil.toml", &server);
        files.write("policy.toml", POLICY);
        files.write("catalog/orders.toml", PRODUCT);
        files
    }
    fn write(&self, name: &str, text: &str) {
        fs::write(self.dir.path().join(name), text).unwrap();
    }
    fn edit(&self, name: &str, from: &str, to: &str) {
        let text = fs::read_to_string(self.dir.path().join(name)).unwrap();
        assert!(text.contains(from), "{text}");
        self.write(name, &text.replacen(from, to, 1));
    }
    fn config(&self) -> String {
        self.dir.path().join("pgveil.toml").to_str().unwrap().to_owned()
    }
    fn names(&self) -> Vec<PathBuf> {
        let mut names: Vec<_> = fs::read_dir(self.dir.path()).unwrap().map(|e| e.unwrap().path()).collect();
        names.sort();
        names
    }
}

const POLICY: &str = r#"
[roles.analyst]
products = ["shop.orders"]
max_rows = 50
[users.ana]
password = "SCRAM-SHA-256$4096:VjqAMbC6HvyIUfuTC9mEpg==$K2TWzNSvYxpZ5e2rSsIShPXMxB30WsgI0oSsP+ixp7A=:i3+5BI7F18jR1knDeoPTpbiNf9wmr0Hz19X+caNu82U="
roles = ["analyst"]
attributes = { region = "EU" }
"#;

const PRODUCT: &str = r#"
id = "shop.orders"
domain = "shop"
name = "Orders"
description = "Every order."
version = 1
status = "published"
relation = "public.orders"
[owner]
team = "Shop"
contact = "shop@example.com"
[[schema]]
column = "id"
type = "integer"
[[schema]]
column = "email"
type = "string"
pii = true
mask = "email"
[[schema]]
column = "region"
type = "string"
[[row_filters]]
roles = ["analyst"]
where = "region = {user.region}"
"#;

/// A database with the product's table and a grant on it alone; its DSN.
fn shop(name: &str) -> String {
    let server = warehouse();
    server.sql("postgres", &format!("CREATE DATABASE {name}"));
    server.sql(
        name,
        "CREATE TABLE orders (id bigint PRIMARY KEY, email text, region text NOT NULL);
         INSERT INTO orders VALUES (1, 'anna@example.com', 'EU'), (2, 'bob@example.com', 'US');
         GRANT SELECT ON orders TO pgveil; REVOKE CREATE ON SCHEMA public FROM PUBLIC;",
    );
    server.sql("postgres", &format!("REVOKE TEMPORARY ON DATABASE {name} FROM PUBLIC"));
    server.dsn_of("pgveil", Some("account"), name)
}

/// A running `pgveil serve`.
struct Serving(std::process::Child);

impl Serving {
    fn start(config: &str, password: Option<&str>) -> Self {
        let mut serve = command(&["serve", "--config", config]);
        if let Some(password) = password {
            serve.env("PGVEIL_WAREHOUSE_PASSWORD", password);
        }
        let log = fs::File::create(Path::new(config).with_file_name("log")).unwrap();
        let mut child = serve.stderr(log).spawn().unwrap();
        let deadline = Instant::now() + Duration::from_secs(60);
        let text = || fs::read_to_string(Path::new(config).with_file_name("log")).unwrap();
        while !text().contains("clients may connect") {
            assert!(child.try_wait().unwrap().is_none() && Instant::now() < deadline, "{}", text());
            std::thread::sleep(Duration::from_millis(30));
        }
        Self(child)
    }
    /// As Ctrl-C does it.
    fn stop(mut self) {
        let interrupted = Command::new("kill").args(["-INT", &self.0.id().to_string()]).status().unwrap();
        assert!(interrupted.success() && self.0.wait().unwrap().success());
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn bad_usage_exits_with_2_and_says_what_is_meant() {
    for args in [
        &["chekc"][..],
        &["check", "--against"],
        &["check", "--grants"],
        &["explain", "SELECT 1"],
        &["explain", "--user", "ana"],
        &["audit", "verify"],
        &["init"],
        &["serve", "--log", "no-such=level=x"],
    ] {
        let ran = pgveil(args);
        assert_eq!((ran.code, ran.out.as_str()), (2, ""), "{args:?}: {}", ran.err);
        assert!(!ran.err.is_empty(), "{args:?}");
    }
    assert!(pgveil(&["chekc"]).err.contains("check"));
}

#[test]
fn explain_decides_with_stored_facts_and_touches_nothing() {
    let files = Files::new(&shop("explained"));
    let config = files.config();
    let explain = |sql: &str, more: &[&str]| {
        let args = [&["explain", "--config", &config, "--user", "ana", sql], more].concat();
        pgveil(&args)
    };
    // Nothing is known yet, and asking leaves no trace.
    let before = files.names();
    let ran = explain("SELECT email FROM shop.orders", &[]);
    assert!(ran.err.contains("nothing is known of the warehouse's tables yet"), "{}", ran.err);
    assert_eq!(ran.code, 1, "{}", ran.out);
    assert_eq!(files.names(), before);

    let serving = Serving::start(&config, None);
    let ran = explain("SELECT email FROM shop.orders", &[]);
    assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{}", ran.out);
    for line in [
        "decision   allow",
        "because    shop.orders is granted by role analyst",
        "because    shop.orders.email is personal and is read masked",
        "  filter   ",
        "at most 50 rows",
        "forwarded  SELECT",
    ] {
        assert!(ran.out.contains(line), "{line}\n{}", ran.out);
    }
    serving.stop();

    // What was learnt stays when pgveil has stopped, and is read from a store that nobody may write.
    let before = files.names();
    let ran = explain("SELECT id FROM shop.orders; SELECT * FROM shop.order", &["--format", "json"]);
    assert_eq!(ran.code, 1);
    let json = ran.json();
    let statements = json["statements"].as_array().unwrap();
    assert_eq!((&statements[0]["allowed"], &statements[1]["allowed"]), (&true.into(), &false.into()));
    assert_eq!(statements[1]["sqlstate"], "42P01");
    assert_eq!(files.names(), before);
    let audit = fs::read_to_string(files.dir.path().join("audit/audit.jsonl")).unwrap();
    assert!(!audit.contains("\"statement\""), "{audit}");

    let ran = pgveil(&["explain", "--config", &config, "--user", "nan", "SELECT 1"]);
    assert_eq!(ran.code, 2);
    assert!(ran.err.contains("no user \"nan\"; it knows ana"), "{}", ran.err);
}

#[test]
fn check_says_what_is_wrong_where_and_what_to_write() {
    let files = Files::new("postgres://pgveil@127.0.0.1:1/w");
    let config = files.config();
    let ran = pgveil(&["check", "--config", &config]);
    assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
    assert!(ran.out.ends_with("1 product in 1 domain, 1 role, 1 user: ok\n"), "{}", ran.out);
    assert_eq!(pgveil(&["check", "--config", &config, "--format", "json"]).json()["facts"], "none");

    files.edit("policy.toml", "max_rows", "max_row");
    files.edit("catalog/orders.toml", "mask = \"email\"", "mask = \"emial\"");
    files.edit("pgveil.toml", "[server]", "[server.tls]\ncert = \"no.crt\"\nkey = \"no.key\"\n[server]");
    let ran = pgveil(&["check", "--config", &config]);
    assert_eq!(ran.code, 1, "{}", ran.out);
    assert!(ran.out.contains("policy.toml:4:1") && ran.out.contains("did you mean \"max_rows\"?"), "{}", ran.out);
    assert!(ran.out.contains("catalog/orders.toml:19:"), "{}", ran.out);
    assert!(ran.out.contains("2 errors"), "{}", ran.out);
    let json = pgveil(&["check", "--config", &config, "--format", "json"]).json();
    assert_eq!(json["ok"], false);

    let ran = pgveil(&["check", "--config", "/nowhere/pgveil.toml"]);
    assert_eq!(ran.code, 1);
    assert!(ran.out.contains("/nowhere/pgveil.toml"), "{}", ran.out);
}

#[test]
fn check_reads_the_certificates() {
    let files = Files::new("postgres://pgveil@127.0.0.1:1/w");
    let config = files.config();
    files.edit("pgveil.toml", "[server]", "[server.tls]\ncert = \"t.crt\"\nkey = \"t.key\"\n[server]");
    // They need not lie where a check is made …
    let ran = pgveil(&["check", "--config", &config]);
    assert_eq!(ran.code, 0, "{}", ran.out);
    assert!(ran.out.contains("warning: [server.tls]: cannot read the certificate"), "{}", ran.out);
    // … but what lies there must be good.
    files.write("t.crt", "no PEM");
    files.write("t.key", "no PEM");
    let ran = pgveil(&["check", "--config", &config]);
    assert_eq!(ran.code, 1, "{}", ran.out);
    assert!(ran.out.contains("error: [server.tls]: cannot read the certificate"), "{}", ran.out);
}

#[test]
fn check_asks_the_warehouse_and_prints_the_grants_that_lack() {
    let dsn = shop("checked");
    let files = Files::new(&dsn);
    let config = files.config();
    let check = |more: &[&str]| pgveil(&[&["check", "--config", &config, "--warehouse"], more].concat());
    let ran = check(&[]);
    assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
    let json = check(&["--format", "json"]).json();
    assert_eq!((&json["ok"], &json["facts"]), (&true.into(), &"warehouse".into()));

    warehouse().sql("checked", "REVOKE SELECT ON orders FROM pgveil; ALTER TABLE orders ALTER id TYPE text");
    let ran = check(&[]);
    assert_eq!(ran.code, 1, "{}", ran.out);
    assert!(ran.out.contains("column id"), "{}", ran.out);
    let json = check(&["--format", "json"]).json();
    assert!(!json["warehouse"]["findings"].as_array().unwrap().is_empty(), "{json}");

    // The files are right again: only the right is missing.
    files.edit("catalog/orders.toml", "type = \"integer\"", "type = \"string\"");
    let ran = check(&["--grants"]);
    assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
    assert!(ran.out.starts_with("-- warehouse w\n") && ran.out.contains("GRANT SELECT ON"), "{}", ran.out);
    warehouse().sql("checked", &ran.out);
    assert_eq!(check(&[]).code, 0);
    assert_eq!(check(&["--grants"]).out, "");

    // Nobody there is not the same as nothing lacking.
    let nobody = Nobody::listens();
    files.edit("pgveil.toml", &format!(":{}/", warehouse().port), &format!(":{}/", nobody.port()));
    let ran = check(&["--grants"]);
    assert_eq!(ran.code, 1, "{}", ran.out);
    assert!(ran.out.contains("nothing of this warehouse was checked"), "{}", ran.out);
    assert!(!format!("{}{}", ran.out, ran.err).contains("account@"), "{}", ran.out);
}

#[test]
fn init_writes_what_check_accepts_and_serve_serves() {
    let dsn = shop("begun");
    let dir = tempfile::tempdir().unwrap();
    let at = dir.path().join("mine");
    let ran = pgveil(&["init", "--dsn", &dsn, at.to_str().unwrap()]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    let password = ran.out.split("password ").nth(1).unwrap().split(' ').next().unwrap().to_owned();

    let config = at.join("pgveil.toml");
    let ports = (free_port().unwrap(), free_port().unwrap());
    let text = fs::read_to_string(&config).unwrap();
    assert!(text.contains(":6432") && text.contains(":8432") && !text.contains("account"), "{text}");
    let text = text.replace(":6432", &format!(":{}", ports.0)).replace(":8432", &format!(":{}", ports.1));
    fs::write(&config, text).unwrap();
    let config = config.to_str().unwrap();

    let ran = pgveil(&["check", "--config", config]);
    assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
    assert!(ran.out.contains("PGVEIL_WAREHOUSE_PASSWORD is not set"), "{}", ran.out);
    let ran: Ran = command(&["check", "--config", config, "--warehouse"])
        .env("PGVEIL_WAREHOUSE_PASSWORD", "account")
        .output()
        .unwrap()
        .into();
    assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);

    let serving = Serving::start(config, Some("account"));
    let conninfo = format!("host=127.0.0.1 port={} dbname=begun user=analyst", ports.0);
    let asked: Ran = Command::new(psql())
        .args([&conninfo, "-XAtc", "SELECT id, email FROM main.orders ORDER BY id"])
        .env("PGPASSWORD", &password)
        .output()
        .unwrap()
        .into();
    assert_eq!((asked.code, asked.out.as_str()), (0, "1|***.com\n2|***.com\n"), "{}", asked.err);
    serving.stop();

    let log = at.join("audit/audit.jsonl");
    let ran = pgveil(&["audit", "verify", log.to_str().unwrap(), "--format", "json"]);
    assert_eq!(ran.code, 0, "{}", ran.out);
    assert_eq!(ran.json()["allowed"], 1);
    let text = fs::read_to_string(&log).unwrap();
    fs::write(&log, text.replacen("main.orders", "main.others", 1)).unwrap();
    let ran = pgveil(&["audit", "verify", log.to_str().unwrap()]);
    assert_eq!(ran.code, 1);
    assert!(ran.out.contains("NOT ok"), "{}", ran.out);
}

#[test]
fn a_password_from_standard_input_becomes_a_verifier() {
    let mut child = command(&["hash-password"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(b"correct horse\n").unwrap();
    let ran: Ran = child.wait_with_output().unwrap().into();
    assert_eq!(ran.code, 0);
    assert!(ran.out.starts_with("SCRAM-SHA-256$") && !ran.out.contains("horse"), "{}", ran.out);
    // Nothing is no password.
    assert_ne!(pgveil(&["hash-password"]).code, 0);
}
