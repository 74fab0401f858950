//! TOML files: the server's, the policy and products, alone and held against each other.

use std::path::Path;

use pgveil::document::{SourceFile, Unset, Variables};
use pgveil::sources::SourceTexts;

use super::fuzz;

const SECRET: &str = "s3cret-0123456789abcdef0123456789abcdef";

/// Every variable and file is one secret.
struct Secrets;

impl Variables for Secrets {
    fn variable(&self, _: &str) -> Option<String> {
        Some(SECRET.to_owned())
    }
    fn file(&self, _: &Path) -> Result<String, String> {
        Ok(SECRET.to_owned())
    }
}

const WORDS: [&str; 30] = [
    "[",
    "]",
    "[[",
    "]]",
    "=",
    "\"",
    "'''",
    "\"\"\"",
    "true",
    "0",
    "-1",
    "1e400",
    "2025-13-01",
    "{",
    "}",
    ",",
    ".",
    "#",
    "\n",
    "${X}",
    "${file:x}",
    "$${",
    "*",
    "{user.region}",
    "{column}",
    "999999999999d",
    "ü",
    "\\u0000",
    "schema",
    "roles",
];

fn read(file: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).unwrap()
}

/// Compiles the three files; what is found must name no secret.
fn compile(server: &str, policy: &str, product: &str) {
    let texts = SourceTexts {
        server: SourceFile::new("/srv/pgveil.toml", server),
        policy: vec![SourceFile::new("/srv/policy.toml", policy)],
        catalog: vec![SourceFile::new("/srv/catalog/product.toml", product)],
    };
    let findings = match texts.compile(&Secrets, Unset::Error) {
        Ok((_, findings)) | Err(findings) => findings.to_string(),
    };
    assert!(!findings.contains(SECRET), "a secret is told: {findings}");
}

fn fuzz_one(name: &str, seeds: &[&str], compile: impl Fn(&str) + Send + Sync) {
    let seeds: Vec<Vec<u8>> = seeds.iter().map(|text| text.as_bytes().to_vec()).collect();
    fuzz(name, &seeds, &WORDS, 1_200, |input| compile(&String::from_utf8_lossy(input)));
}

#[test]
fn server_files_are_read_or_refused() {
    let (policy, product) = (read("config/policy.toml"), read("tests/formats/product.toml"));
    let seeds = [read("config/pgveil.toml"), read("tests/formats/pgveil.toml")];
    fuzz_one("server_toml", &seeds.each_ref().map(String::as_str), |text| compile(text, &policy, &product));
}

#[test]
fn policies_are_read_or_refused() {
    let (server, product) = (read("config/pgveil.toml"), read("tests/formats/product.toml"));
    let seeds = [read("config/policy.toml"), read("tests/formats/policy.toml"), read("tests/golden/policy.toml")];
    fuzz_one("policy_toml", &seeds.each_ref().map(String::as_str), |text| compile(&server, text, &product));
}

#[test]
fn products_are_read_or_refused() {
    let (server, policy) = (read("config/pgveil.toml"), read("config/policy.toml"));
    let seeds = [
        read("tests/formats/product.toml"),
        read("tests/golden/catalog/sales_customers.toml"),
        read("config/demo/catalog/finance/orders.toml"),
    ];
    fuzz_one("product_toml", &seeds.each_ref().map(String::as_str), |text| compile(&server, &policy, text));
}
