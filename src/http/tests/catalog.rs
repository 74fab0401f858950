//! The catalog's API: who sees what, and what is answered to whom.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::*;
use crate::audit::Audit;
use crate::catalog::{Product, Status};
use crate::config::{Policy, ScramVerifier, SecretString, Token};
use crate::govern::access::Access;
use crate::govern::testing::{build, parts, product, role, user};
use crate::names::{ProductPattern, RoleName, UserName};
use crate::statement::{Queues, Shutdown, today};

fn products() -> Vec<Product> {
    let mut all: Vec<Product> =
        ["marketing.campaigns", "marketing.visits", "sales.orders", "hr.salaries", "hr.plans"].map(product).into();
    all[2].name = "Orders".to_owned();
    all[2].tags = vec!["Money".to_owned()];
    all[3].owner.team = "People Office".to_owned();
    all[4].status = Status::Draft;
    all
}

fn policy(policy: &mut Policy) {
    let pattern = |text: &&str| ProductPattern::parse(text).unwrap();
    for (name, products, discover, drafts) in [
        ("seller", &["sales.*"][..], &["marketing.*"][..], &[][..]),
        ("narrow", &["sales.orders"], &[], &[]),
        ("drafter", &["hr.plans"], &[], &["hr.plans"]),
    ] {
        let mut role = role(products, &[]);
        role.discover = discover.iter().map(pattern).collect();
        role.drafts = drafts.iter().map(pattern).collect();
        policy.roles.insert(RoleName::new(name), role);
    }
    for (name, roles) in
        [("ana", &["seller"][..]), ("ben", &["narrow"]), ("dora", &["drafter"]), ("root", &["admin"]), ("none", &[])]
    {
        let mut user = user(roles, &[]);
        let verifier = postgres_protocol::password::scram_sha_256(format!("{name}-pass").as_bytes());
        user.password = Some(ScramVerifier::parse(&verifier).unwrap());
        policy.users.insert(UserName::new(name), user);
    }
    for (name, expires) in [("ci", None), ("old", Some(jiff::civil::date(2020, 1, 1)))] {
        let sha256 = SecretString::new(crate::hex::text(sha2::Digest::finalize(sha2::Digest::chain_update(
            <sha2::Sha256 as sha2::Digest>::new(),
            format!("{name}-token"),
        ))));
        policy.tokens.insert(name.to_owned(), Token { user: UserName::new("ben"), sha256, expires });
    }
}

fn server(toml: &str) -> ServerConfig {
    let file = crate::document::SourceFile::new("/srv/pgveil.toml", toml);
    crate::config::parse_server(&file, crate::document::Substitution::any(&crate::document::Environment)).unwrap().0
}

/// What all sessions share, of these products and users.
pub(super) fn shared(directory: &std::path::Path) -> Arc<Shared> {
    let mut parts = parts(products(), Vec::new());
    policy(&mut parts.policy);
    let toml = format!(
        "[warehouses.w]\ndsn = \"postgres://u@127.0.0.1:1/db\"\n[audit]\npath = \"{}\"\n",
        directory.join("audit.jsonl").display()
    );
    let config = server(&toml);
    let (_, shutdown) = tokio::sync::watch::channel(Shutdown::Running);
    Arc::new(Shared {
        snapshot: arc_swap::ArcSwap::from_pointee(build(parts).unwrap()),
        pools: arc_swap::ArcSwap::from_pointee(Default::default()),
        breaches: arc_swap::ArcSwap::default(),
        breaches_changed: tokio::sync::Notify::new(),
        audit: Audit::open(&config.audit, str::to_owned).unwrap(),
        queues: Queues::default(),
        versions: dashmap::DashMap::default(),
        doubts: tokio::sync::Notify::new(),
        max_message: 1 << 20,
        shutdown,
    })
}

pub(super) fn store(directory: &std::path::Path) -> Store {
    Store::open(&directory.join("state.db")).unwrap()
}

struct Api {
    running: Running,
    shared: Arc<Shared>,
    desk: Desk,
    directory: tempfile::TempDir,
}

impl Api {
    async fn start() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let shared = shared(directory.path());
        let desk = Desk::new(Arc::clone(&shared), MockSecret::random(), store(directory.path()));
        let running = start_with(not_ready(), None, desk.clone()).await;
        Self { running, shared, desk, directory }
    }

    async fn raw(&self, path: &str, authorization: &str) -> String {
        let header =
            if authorization.is_empty() { String::new() } else { format!("Authorization: {authorization}\r\n") };
        ask(self.running.address, &format!("GET {path} HTTP/1.1\r\nHost: x\r\n{header}Connection: close\r\n\r\n")).await
    }

    /// Status and body.
    async fn as_user(&self, path: &str, user: &str) -> (u16, Value) {
        split(&self.raw(path, &basic(user, &format!("{user}-pass"))).await)
    }

    async fn ids(&self, query: &str, user: &str) -> Vec<String> {
        let (status, body) = self.as_user(&format!("/v1/catalog/search?{query}"), user).await;
        assert_eq!(status, 200, "{body}");
        body["products"].as_array().unwrap().iter().map(|p| p["id"].as_str().unwrap().to_owned()).collect()
    }
}

fn basic(user: &str, password: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{user}:{password}")))
}

fn split(answer: &str) -> (u16, Value) {
    let status = answer.split(' ').nth(1).unwrap().parse().unwrap();
    let body = answer.split_once("\r\n\r\n").map(|(_, body)| body).unwrap_or_default();
    (status, serde_json::from_str(body).unwrap_or(Value::Null))
}

#[tokio::test]
async fn everybody_sees_what_sql_would_tell_him_of() {
    let api = Api::start().await;
    let snapshot = api.shared.snapshot();
    for name in ["ana", "ben", "dora", "root", "none"] {
        let subject = snapshot.subject(name, None).unwrap();
        let known: Vec<&Arc<Product>> = snapshot
            .parts
            .catalog
            .iter()
            .filter(|product| !matches!(snapshot.access(&subject, product, today()), Access::Hidden))
            .collect();
        let ids: Vec<String> = known.iter().map(|product| product.id.to_string()).collect();
        let mut found = api.ids("limit=100", name).await;
        found.sort();
        assert_eq!(found, ids, "{name}");
        for product in snapshot.parts.catalog.iter() {
            let (status, body) = api.as_user(&format!("/v1/catalog/products/{}", product.id), name).await;
            let expected = if ids.contains(&product.id.to_string()) { 200 } else { 404 };
            assert_eq!(status, expected, "{name}: {body}");
            let granted = matches!(snapshot.access(&subject, product, today()), Access::Granted(_));
            assert!(status == 404 || body["granted"] == granted, "{name}: {body}");
        }
        let (_, domains) = api.as_user("/v1/catalog/domains", name).await;
        let count = |domain: &Value| domain["product_count"].as_u64().unwrap();
        assert_eq!(domains.as_array().unwrap().iter().map(count).sum::<u64>(), ids.len() as u64, "{name}: {domains}");
    }
    assert_eq!(api.ids("", "ben").await, ["sales.orders"]);
    // One that is hidden is told like one that is not there.
    let hidden = api.as_user("/v1/catalog/products/hr.salaries", "ben").await;
    assert_eq!(hidden, api.as_user("/v1/catalog/products/hr.nothing", "ben").await);
}

#[tokio::test]
async fn filters_pages_and_facets() {
    let api = Api::start().await;
    assert_eq!(api.ids("q=ordres", "root").await, ["sales.orders"]);
    assert_eq!(api.ids("domain=HR", "root").await, ["hr.plans", "hr.salaries"]);
    assert_eq!(api.ids("tag=money", "root").await, ["sales.orders"]);
    assert_eq!(api.ids("owner=people%20office", "root").await, ["hr.salaries"]);
    assert_eq!(api.ids("status=draft", "root").await, ["hr.plans"]);
    assert_eq!(api.ids("pii=false", "root").await, [""; 0]);
    let (_, page) = api.as_user("/v1/catalog/search?limit=2&offset=1", "root").await;
    assert_eq!((page["count"].as_u64(), page["products"].as_array().unwrap().len()), (Some(5), 2));
    assert_eq!(page["facets"]["domain"], serde_json::json!({"hr": 2, "marketing": 2, "sales": 1}));
    for wrong in ["status=gone", "limit=many", "colour=red", "pii=perhaps", "limit=-1"] {
        let (status, problem) = api.as_user(&format!("/v1/catalog/search?{wrong}"), "root").await;
        assert_eq!((status, problem["status"].as_u64()), (400, Some(400)), "{wrong}: {problem}");
        assert!(problem["error"].as_str().is_some_and(|error| !error.is_empty()), "{problem}");
    }
}

#[tokio::test]
async fn nobody_comes_in_without_being_somebody() {
    let api = Api::start().await;
    let path = "/v1/catalog/domains";
    let refused = [
        String::new(),
        basic("ana", "wrong"),
        basic("nobody", "ana-pass"),
        basic("ana", ""),
        "Basic !!!".to_owned(),
        "Basic".to_owned(),
        format!("Basic {}", STANDARD.encode(b"\xff\xfe:x")),
        format!("Bearer {}", "x".repeat(8000)),
        "Bearer old-token".to_owned(),
        "Bearer ci-token2".to_owned(),
        "Digest username=\"ana\"".to_owned(),
    ];
    for authorization in refused {
        let answer = api.raw(path, &authorization).await;
        assert!(answer.starts_with("HTTP/1.1 401"), "{authorization}: {answer}");
        assert!(answer.contains("www-authenticate: Basic") && !answer.contains("marketing"), "{answer}");
    }
    // What is told of a wrong password is told of an unknown name.
    let told = |answer: String| split(&answer);
    assert_eq!(told(api.raw(path, &basic("ana", "wrong")).await), told(api.raw(path, &basic("nobody", "x")).await));
    assert_eq!(split(&api.raw(path, "bearer ci-token").await).0, 200);
    // Twice: the second time it is remembered, and a wrong one is still wrong.
    for _ in 0..2 {
        assert_eq!(split(&api.raw(path, &basic("ana", "ana-pass")).await).0, 200);
        assert_eq!(split(&api.raw(path, &basic("ben", "ana-pass")).await).0, 401);
    }
    let record = |line: &str| serde_json::from_str::<Value>(line).unwrap();
    let audit = api.shared.audit.clone();
    tokio::task::spawn_blocking(move || audit.close()).await.unwrap();
    let log = std::fs::read_to_string(api.directory.path().join("audit.jsonl")).unwrap();
    let reasons: Vec<Value> =
        log.lines().map(record).filter(|r| r["event"] == "auth_failure").map(|r| r["reason"].clone()).collect();
    for reason in ["password", "unknown_user", "token", "token_expired"] {
        assert!(reasons.contains(&Value::from(reason)), "{reason}: {reasons:?}");
    }
    assert!(!log.contains("wrong") && !log.contains("-pass") && !log.contains("-token"), "{log}");
}

#[tokio::test]
async fn nobody_in_particular_sees_what_every_role_may_know_of() {
    let api = Api::start().await;
    let config = server(
        "[warehouses.w]\ndsn = \"postgres://u@127.0.0.1:1/db\"\n[http]\nlisten = \"127.0.0.1:1\"\nanonymous_read = true\n",
    );
    api.desk.configure(&config);
    let (status, body) = split(&api.raw("/v1/catalog/search", "").await);
    assert_eq!((status, body["count"].as_u64()), (200, Some(0)), "some roles discover nothing");
    let mut parts = parts(products(), Vec::new());
    parts.policy.roles.retain(|name, _| name.as_str() == "analyst");
    api.shared.snapshot.store(Arc::new(build(parts).unwrap()));
    let (_, body) = split(&api.raw("/v1/catalog/search", "").await);
    assert_eq!(body["count"].as_u64(), Some(5));
    assert!(body["products"][0].get("granted").is_none());
    // Whoever says who he is has to be right.
    assert_eq!(split(&api.raw("/v1/catalog/search", &basic("ana", "wrong")).await).0, 401);
}

#[tokio::test]
async fn an_answer_that_is_known_is_not_sent_again() {
    let api = Api::start().await;
    let path = "/v1/catalog/products/sales.orders";
    let answer = api.raw(path, &basic("ana", "ana-pass")).await;
    let tag = answer.lines().find_map(|line| line.strip_prefix("etag: ")).unwrap().to_owned();
    assert!(answer.contains("cache-control: private, no-cache") && answer.contains("vary: Authorization"));
    let again = |tag: &str| format!("{}\r\nIf-None-Match: {tag}", basic("ana", "ana-pass"));
    assert!(api.raw(path, &again(&format!("\"x\", W/{tag}"))).await.starts_with("HTTP/1.1 304"));
    assert!(api.raw(path, &again("\"x\"")).await.starts_with("HTTP/1.1 200"));
    // Who may not see it is not told that it is unchanged.
    let stranger = format!("{}\r\nIf-None-Match: {tag}", basic("none", "none-pass"));
    assert!(api.raw("/v1/catalog/products/hr.salaries", &stranger).await.starts_with("HTTP/1.1 404"));
}

#[test]
fn a_password_in_the_clear_is_taken_on_the_loopback_alone() {
    let directory = tempfile::tempdir().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let gate = login::Gate::new(shared(directory.path()), MockSecret::random());
        let mut headers = axum::http::HeaderMap::new();
        headers.insert(header::AUTHORIZATION, basic("ana", "ana-pass").parse().unwrap());
        let from = |peer: &str, tls| login::Connection { peer: peer.parse().unwrap(), tls };
        let status = |result: Result<login::Reader, Problem>| result.err().map(|problem| problem.status());
        assert_eq!(status(gate.admit(&headers, from("10.0.0.7:99", false)).await), Some(StatusCode::FORBIDDEN));
        assert_eq!(status(gate.admit(&headers, from("10.0.0.7:99", true)).await), None);
        assert_eq!(status(gate.admit(&headers, from("127.0.0.1:99", false)).await), None);
        gate.configure(false, true);
        assert_eq!(status(gate.admit(&headers, from("10.0.0.7:99", false)).await), None);
    });
}

#[tokio::test]
async fn who_uses_a_product_is_registered_and_shown() {
    let api = Api::start().await;
    let path = "/v1/catalog/products/sales.orders";
    let post = async |path: &str, authorization: &str, kind: &str, body: &str| {
        let length = body.len();
        let request = format!(
            "POST {path}/consumers HTTP/1.1\r\nHost: x\r\nAuthorization: {authorization}\r\nContent-Type: {kind}\r\n\
             Content-Length: {length}\r\nConnection: close\r\n\r\n{body}"
        );
        split(&ask(api.running.address, &request).await)
    };
    let ana = basic("ana", "ana-pass");
    let good = r#"{"team": "BI", "use_case": "<b>churn</b>", "contact": "bi@example.com"}"#;
    let json = "application/json";
    assert_eq!(post(path, &ana, json, good).await, (201, serde_json::json!({"registered": true})));
    let (_, product) = api.as_user(path, "ana").await;
    assert_eq!(product["consumers"][0]["use_case"], "<b>churn</b>");
    assert_eq!((product["consumers"].as_array().unwrap().len(), &product["validations"]), (1, &serde_json::json!([])));
    let long = format!(r#"{{"team": "{}", "use_case": "x", "contact": "x"}}"#, "x".repeat(501));
    let huge = format!(r#"{{"team": "{}"}}"#, "x".repeat(64 << 10));
    for (path, authorization, kind, body, status) in [
        (path, basic("ana", "wrong"), json, good, 401),
        ("/v1/catalog/products/hr.salaries", basic("ben", "ben-pass"), json, good, 404),
        // A page of another origin can send no JSON without asking first.
        (path, ana.clone(), "text/plain", good, 415),
        (path, ana.clone(), json, "{", 400),
        (path, ana.clone(), json, r#"{"team": "BI", "use_case": "x"}"#, 422),
        (path, ana.clone(), json, r#"{"team": " ", "use_case": "x", "contact": "x"}"#, 400),
        (path, ana.clone(), json, r#"{"team": "a\u0000b", "use_case": "x", "contact": "x"}"#, 400),
        (path, ana.clone(), json, r#"{"team": "B", "use_case": "x", "contact": "x", "admin": true}"#, 422),
        (path, ana.clone(), json, &long, 400),
        (path, ana.clone(), json, &huge, 413),
    ] {
        let (told, problem) = post(path, &authorization, kind, body).await;
        assert_eq!(told, status, "{body}: {problem}");
        assert!(problem["detail"].as_str().is_some_and(|detail| !detail.is_empty()), "{problem}");
    }
    assert_eq!(api.as_user(path, "ana").await.1["consumers"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn what_the_checks_found_is_told_without_their_values() {
    use crate::contracts::{CheckOutcome, CheckSeverity, CheckType, Validation};
    let api = Api::start().await;
    let run = |at: &str, passed| Validation {
        product: crate::names::ProductId::parse("sales.orders").unwrap(),
        version: 1,
        digest: String::new(),
        started_at: at.parse().unwrap(),
        duration_ms: 12,
        passed,
        reached: true,
        checks: vec![CheckOutcome {
            name: "ids".to_owned(),
            kind: CheckType::NotNull,
            severity: CheckSeverity::Error,
            passed,
            ran: true,
            message: "4711 null values in id".to_owned(),
            value: Some(4711.0),
            duration_ms: 12,
        }],
        warnings: Vec::new(),
        rows: Some(4711),
        stale_seconds: None,
        breach: None,
    };
    let store = store(api.directory.path());
    for run in [run("2026-11-20T00:00:00Z", true), run("2026-11-21T00:00:00Z", false)] {
        let kept = crate::state::KeptRun {
            product: run.product.clone(),
            started_at: run.started_at,
            passed: run.passed,
            rows: run.rows,
            stale_seconds: None,
            document: serde_json::to_string(&run).unwrap(),
        };
        store.save_run(kept).await.unwrap();
    }
    let (_, product) = api.as_user("/v1/catalog/products/sales.orders", "ana").await;
    assert_eq!(product["last_validated"], "2026-11-21T00:00:00Z");
    assert_eq!(product["quality_score"], 47);
    let of = |run: usize| (&product["validations"][run]["passed"], &product["validations"][run]["checks"][0]["name"]);
    assert_eq!(of(0), (&Value::from(false), &Value::from("ids")));
    assert_eq!(of(1).0, &Value::from(true));
    assert!(!product.to_string().contains("4711"), "{product}");
    let (_, found) = api.as_user("/v1/catalog/search?q=orders", "ana").await;
    assert_eq!(found["products"][0]["quality_score"], 47);
}
