//! The files of FORMATS, the example in `config/`, and rules over all files.

use std::collections::BTreeMap;
use std::path::Path;

use super::*;
use crate::catalog::{Mask, Pii};
use crate::config::Attribute;
use crate::error::Level;
use crate::names::ProductId;

/// The three blocks of FORMATS, as they stand there.
const SERVER: &str = include_str!("../../tests/formats/pgveil.toml");
const POLICY: &str = include_str!("../../tests/formats/policy.toml");
const PRODUCT: &str = include_str!("../../tests/formats/product.toml");

struct Given(BTreeMap<&'static str, &'static str>);

impl Variables for Given {
    fn variable(&self, name: &str) -> Option<String> {
        self.0.get(name).map(|v| (*v).to_owned())
    }
    fn file(&self, _: &Path) -> Result<String, String> {
        Err("no such file".to_owned())
    }
}

fn secrets() -> Given {
    Given(BTreeMap::from([
        ("PGVEIL_WAREHOUSE_PASSWORD", "s3cret"),
        ("PGVEIL_HASH_KEY", "0123456789abcdef0123456789abcdef"),
    ]))
}

fn product_id(id: &str) -> ProductId {
    ProductId::parse(id).unwrap()
}

/// The policy with values where FORMATS has dots.
fn policy_with_values() -> String {
    let verifier = postgres_protocol::password::scram_sha_256(b"ana-demo");
    POLICY
        .replace("SCRAM-SHA-256$4096:…$…:…", &verifier)
        .replace("sha256 = \"…\"", &format!("sha256 = \"{}\"", "0".repeat(64)))
}

/// The product with the columns that it speaks of, and the status that its `[deprecation]` belongs to.
fn product_with_columns() -> String {
    let columns = "\n[[schema]]\ncolumn = \"touchpoint_at\"\ntype = \"timestamp\"\n\n[[schema]]\ncolumn = \"region\"\ntype = \"string\"\n";
    format!("{}{columns}", PRODUCT.replace("status = \"published\"", "status = \"deprecated\""))
}

const REPLACEMENT: &str = "id = \"marketing.attribution\"\ndomain = \"marketing\"\nname = \"Attribution\"\n\
    description = \"The successor.\"\nversion = 1\nstatus = \"published\"\nowner = { team = \"M\", contact = \"m@example.com\" }\n\
    [[schema]]\ncolumn = \"id\"\ntype = \"string\"\n";

fn texts(server: &str, policy: &str, catalog: &[&str]) -> SourceTexts {
    SourceTexts {
        server: SourceFile::new("/srv/pgveil.toml", server),
        policy: vec![SourceFile::new("/srv/policy.toml", policy)],
        catalog: catalog
            .iter()
            .enumerate()
            .map(|(n, t)| SourceFile::new(format!("/srv/catalog/{n}.toml"), *t))
            .collect(),
    }
}

fn messages(findings: &Diagnostics, level: Level) -> Vec<String> {
    let of_level = findings.iter().filter(|f| f.level == level);
    of_level.map(|f| format!("{}:{} {}", f.file.file_name().unwrap().display(), f.line, f.message)).collect()
}

#[test]
fn the_files_of_formats_load() {
    let texts = texts(SERVER, &policy_with_values(), &[&product_with_columns(), REPLACEMENT]);
    let (sources, warnings) = texts.compile(&secrets(), Unset::Error).unwrap_or_else(|e| panic!("{e}"));

    let server = &sources.server;
    assert_eq!(server.server.tls.as_ref().unwrap().client_ca.as_deref(), Some(Path::new("/srv/tls/clients.crt")));
    assert_eq!(server.warehouses["analytics"].password.as_ref().unwrap().expose(), "s3cret");
    assert_eq!(server.catalog.path, Path::new("/srv/catalog"));
    assert_eq!(server.audit.keep, std::time::Duration::from_secs(400 * 86_400));

    let ana = &sources.policy.users["ana"];
    assert_eq!(ana.attributes["region"], Attribute::One("EU".to_owned()));
    assert_eq!(sources.policy.users["svc-superset"].certificate.as_deref(), Some("CN=superset,O=Example"));
    assert_eq!(sources.policy.defaults.max_concurrent, Some(8));
    assert_eq!(sources.policy.tokens["ci"].expires, Some(jiff::civil::date(2027, 1, 31)));

    let product = sources.catalog.get(&product_id("marketing.campaign_attribution")).unwrap();
    assert_eq!((product.version, product.sla.availability), (3, Some(99.5)));
    assert_eq!(product.columns[0].mask, Some(Mask::Last4));
    assert_eq!(product.row_filters[0].predicate, "region = {user.region}");

    assert_eq!(
        messages(&warnings, Level::Warning),
        [
            "pgveil.toml:53 [contracts] probe_interval is accepted, but not yet in force",
            "pgveil.toml:54 [contracts] unvalidated is accepted, but not yet in force",
            "policy.toml:45 [users.svc-superset] on_behalf_of is accepted, but not yet in force",
            "0.toml:21 [sla] availability is accepted, but not yet in force (in 1 place, this is the first)",
            "0.toml:22 [sla] query_latency_p95_ms is accepted, but not yet in force (in 1 place, this is the first)",
            "policy.toml:21 the catalog has no product sales.orders",
        ]
    );
}

fn example() -> (Sources, Diagnostics) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    load_with(&root.join("config/pgveil.toml"), &secrets(), Unset::Error).unwrap_or_else(|e| panic!("{e}"))
}

#[test]
fn the_example_loads() {
    let (sources, warnings) = example();
    let unexpected: Vec<_> =
        warnings.iter().filter(|w| !w.message.contains("is accepted, but not yet in force")).collect();
    assert!(unexpected.is_empty(), "{unexpected:?}");
    let ids: Vec<_> = sources.catalog.iter().map(|p| p.id.to_string()).collect();
    assert_eq!(ids, ["finance.orders", "marketing.campaign_attribution", "product.funnel", "product.signups"]);
}

#[test]
fn the_example_has_the_mission_s_product() {
    let (sources, _) = example();
    let product = sources.catalog.get(&product_id("marketing.campaign_attribution")).unwrap();
    assert_eq!(product.relation.to_string(), "public.marketing_campaign_attribution");
    assert_eq!(product.tags, ["marketing", "attribution", "campaigns", "revenue"]);
    let columns: Vec<_> = product.columns.iter().map(|c| (c.name.as_str(), c.pii == Pii::Yes, c.nullable)).collect();
    assert_eq!(
        columns,
        [
            ("attribution_id", false, false),
            ("user_id", true, false),
            ("campaign_id", false, false),
            ("channel", false, false),
            ("touchpoint_at", false, false),
            ("conversion_at", false, true),
            ("revenue_cents", false, true),
            ("attribution_model", false, false),
        ]
    );
    let checks: Vec<_> = product.checks.iter().map(|c| c.name.as_str()).collect();
    assert_eq!(checks, ["no_null_campaign_ids", "valid_channels", "hourly_freshness", "daily_row_count"]);
}

/// A value that nobody wrote down must not be what an example depends on.
#[test]
fn the_example_can_be_checked_without_its_secrets() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let nothing = Given(BTreeMap::new());
    let (_, warnings) = load_with(&root.join("config/pgveil.toml"), &nothing, Unset::Warning).unwrap();
    assert_eq!(messages(&warnings, Level::Warning).iter().filter(|w| w.contains("is not set")).count(), 2);
    assert!(load_with(&root.join("config/pgveil.toml"), &nothing, Unset::Error).is_err());
}

const SMALL: &str = "[warehouses.w]\ndsn = \"postgres://u@h/w\"\n";

#[test]
fn errors_of_all_files_come_at_once() {
    let server =
        "[server]\nmax_clients = 0\n[warehouses.w]\ndsn = 3\npassword = \"${NOT_SET}\"\n[masking]\nhash_key = \"x\"\n";
    let policy = "[roles.analyst]\nproduct = []\n";
    // Neither the key that is wrong nor the role whose table is wrong is a second error.
    let product = REPLACEMENT.replace("version = 1", "version = 0")
        + "mask = \"hash\"\n[[row_filters]]\nroles = [\"analyst\"]\nwhere = \"true\"\n";
    let found = texts(server, policy, &[&product]).compile(&secrets(), Unset::Error).unwrap_err();
    assert_eq!(
        messages(&found, Level::Error),
        [
            "pgveil.toml:2 \"server.max_clients\" must be a whole number from 1 to 1000000",
            "pgveil.toml:4 \"warehouses.w.dsn\" must be a string, not an integer",
            "pgveil.toml:5 the environment variable NOT_SET is not set",
            "pgveil.toml:7 hash_key has 1 bytes; it must have 32 or more",
            "policy.toml:2 unknown key \"product\" in [roles.analyst]",
            "0.toml:5 \"version\" must be a whole number from 1 to 2147483647",
        ]
    );
}

#[test]
fn a_broken_file_makes_no_other_file_wrong() {
    let product =
        REPLACEMENT.to_owned() + "mask = \"hash\"\n[[row_filters]]\nroles = [\"analyst\"]\nwhere = \"true\"\n";
    let found = texts("[warehouses", "[roles", &[&product]).compile(&secrets(), Unset::Error).unwrap_err();
    let told = messages(&found, Level::Error);
    assert!(told.iter().all(|m| m.contains("not valid TOML")), "{told:#?}");
    assert!(told.iter().any(|m| m.starts_with("pgveil")) && told.iter().any(|m| m.starts_with("policy")), "{told:#?}");
}

#[test]
fn patterns_that_fit_nothing_are_reported() {
    let policy = "[domains.sales]\nrelations = [\"*\"]\n[roles.a]\n\
                  products = [\"*\", \"marketing.*\", \"marketing.atribution\", \"marketting.*\"]\n\
                  unmask = [\"*.*.id\", \"*.*.email\", \"marketing.attribution.idd\", \"marketing.other.*\"]\n";
    let (_, warnings) = texts(SMALL, policy, &[REPLACEMENT]).compile(&secrets(), Unset::Error).unwrap();
    assert_eq!(
        messages(&warnings, Level::Warning),
        [
            "policy.toml:1 the catalog has no product in the domain \"sales\"",
            "policy.toml:4 the catalog has no product marketing.atribution",
            "policy.toml:4 the catalog has no product in the domain \"marketting\"",
            "policy.toml:5 no product that this pattern covers has a column \"email\"",
            "policy.toml:5 no product that this pattern covers has a column \"idd\"",
            "policy.toml:5 the catalog has no product marketing.other",
        ]
    );
    let hints: Vec<_> = warnings.iter().filter_map(|w| w.hint.clone()).collect();
    assert_eq!(
        hints,
        ["did you mean \"marketing.attribution\"?", "did you mean \"marketing\"?", "did you mean \"id\"?"]
    );
}

#[test]
fn kept_texts_compile_as_the_files_did() {
    let (sources, warnings) = example();
    let kept = serde_json::to_string(&sources.texts).unwrap();
    assert!(!kept.contains("s3cret"), "variables are kept as variables");
    let kept: SourceTexts = serde_json::from_str(&kept).unwrap();
    let (again, warned) = kept.compile(&secrets(), Unset::Error).unwrap();
    assert_eq!((&again.server, &again.policy, &again.catalog), (&sources.server, &sources.policy, &sources.catalog));
    assert_eq!(warned, warnings);
}

#[test]
fn missing_files_are_told_together() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("pgveil.toml"), SMALL).unwrap();
    let found = load_with(&dir.path().join("pgveil.toml"), &secrets(), Unset::Error).unwrap_err();
    let files: Vec<_> = found.iter().map(|f| f.file.file_name().unwrap().to_owned()).collect();
    assert_eq!(files, ["policy.toml", "catalog"], "{found}");
}

/// Every key that a file may have, as the examples and FORMATS show them, is described.
#[test]
fn the_docs_name_every_key() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let read = |path: &str| std::fs::read_to_string(root.join(path)).unwrap();
    // Keys that stand commented out count, too.
    let key = |line: &str| {
        let line = line.trim_start_matches("# ");
        let (key, _) = line.split_once(" = ")?;
        key.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_').then(|| key.to_owned())
    };
    for (doc, files) in [
        ("docs/config.md", vec!["config/pgveil.toml", "tests/formats/pgveil.toml"]),
        ("docs/policy.md", vec!["config/policy.toml", "tests/formats/policy.toml"]),
        (
            "docs/catalog.md",
            vec![
                "config/catalog/marketing/campaign_attribution.toml",
                "config/catalog/finance/orders.toml",
                "config/catalog/product/signups.toml",
                "tests/formats/product.toml",
            ],
        ),
    ] {
        let text = read(doc);
        let headings: Vec<&str> =
            text.lines().filter(|l| l.starts_with('#')).flat_map(|l| l.split([' ', ','])).collect();
        let mut seen = 0;
        for file in files {
            for key in read(file).lines().filter_map(key).filter(|k| k != "runbook") {
                seen += 1;
                let described = headings.contains(&key.as_str()) || text.contains(&format!("`{key}`"));
                assert!(described, "{doc} does not describe {key} of {file}");
            }
        }
        assert!(seen > 10, "{doc}: {seen}");
    }
}
