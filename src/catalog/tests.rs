//! Product files: one mistake each, as it is told.

mod files;
mod masks;
mod rules;
mod texts;

use std::collections::BTreeMap;
use std::path::Path;

use super::*;
use crate::document::{Environment, SourceFile, Unset};
use crate::error::{Diagnostics, Level};
use crate::names::{DomainName, ProductId, RoleName, WarehouseName};

const PRODUCT: &str = r#"id = "marketing.orders"
domain = "marketing"
name = "Orders"
description = "Every order."
version = 1
status = "published"
[owner]
team = "Data"
contact = "data@example.com"
[[schema]]
column = "id"
type = "integer"
nullable = false
[[schema]]
column = "email"
type = "string"
pii = true
[[schema]]
column = "at"
type = "timestamp"
"#;

fn rules() -> CatalogRules {
    CatalogRules {
        warehouses: Some(BTreeMap::from([(WarehouseName::new("w"), "public".to_owned())])),
        roles: Some([RoleName::new("analyst"), RoleName::new("admin")].into()),
        require_pii: vec!["*email*".to_owned()],
        column_names: Some("^[a-z][a-z0-9_]*$".to_owned()),
        domains: BTreeMap::from([(DomainName::new("marketing"), vec!["public.marketing_*".to_owned()])]),
        ..CatalogRules::default()
    }
}

fn compile_all(texts: &[&str], rules: &CatalogRules) -> Result<(Catalog, Diagnostics), Diagnostics> {
    let files: Vec<_> = texts.iter().enumerate().map(|(n, t)| SourceFile::new(format!("c/{n}.toml"), *t)).collect();
    compile(&files, rules, &Environment, Unset::Error)
}

/// Products by id, name, description and columns.
pub(super) fn catalog_of(products: &[(&str, &str, &str, &[&str])]) -> Catalog {
    let text = |(id, name, description, columns): &(&str, &str, &str, &[&str])| {
        let (domain, _) = id.split_once('.').unwrap();
        let column = |name: &&str| format!("[[schema]]\ncolumn = \"{name}\"\ntype = \"string\"\n");
        format!(
            "id = \"{id}\"\ndomain = \"{domain}\"\nname = \"{name}\"\ndescription = \"{description}\"\nversion = 1\n\
             status = \"published\"\n[owner]\nteam = \"Data\"\ncontact = \"data@example.com\"\n{}",
            columns.iter().map(column).collect::<String>()
        )
    };
    let texts: Vec<String> = products.iter().map(text).collect();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let rules = CatalogRules { domains: BTreeMap::new(), ..rules() };
    compile_all(&texts, &rules).unwrap_or_else(|e| panic!("{e}")).0
}

fn told(findings: &Diagnostics) -> Vec<String> {
    let hint = |h: &Option<String>| h.as_ref().map(|h| format!(" | {h}")).unwrap_or_default();
    findings.iter().map(|f| format!("{}:{} {}{}", f.line, f.column, f.message, hint(&f.hint))).collect()
}

fn one(text: &str) -> Product {
    let (catalog, _) = compile_all(&[text], &rules()).unwrap_or_else(|e| panic!("{e}"));
    Product::clone(catalog.iter().next().unwrap())
}

/// Every finding about the product with one change.
fn changed(from: &str, to: &str) -> Vec<String> {
    assert!(PRODUCT.contains(from), "{from}");
    let text = PRODUCT.replacen(from, to, 1);
    match compile_all(&[&text], &rules()) {
        Ok((_, warnings)) => panic!("{to} was accepted: {warnings}"),
        Err(findings) => told(&findings),
    }
}

/// Every finding about the product with this at its end.
fn with(end: &str) -> Vec<String> {
    changed("column = \"at\"\ntype = \"timestamp\"\n", &format!("column = \"at\"\ntype = \"timestamp\"\n{end}"))
}

fn assert_told(told: &[String], expected: &str) {
    assert!(told.iter().any(|t| t == expected), "expected: {expected}\ntold: {told:#?}");
}

#[test]
fn a_product_is_compiled_with_its_defaults() {
    let product = one(PRODUCT);
    assert_eq!(product.id, ProductId::parse("marketing.orders").unwrap());
    assert_eq!(product.relation.to_string(), "public.marketing_orders");
    assert_eq!((product.warehouse.as_str(), product.on_breach), ("w", OnBreach::Notice));
    let nullable: Vec<_> = product.columns.iter().map(|c| c.nullable).collect();
    assert_eq!(nullable, [false, true, true]);
    assert_eq!(product.columns[1].pii, Pii::Yes);
    assert_eq!(product.columns[1].mask, None);
    assert_eq!(product.digest.len(), 64);
    let finding = product.finding_at_column("email", "x");
    assert_eq!((finding.line, finding.source_line.as_str()), (15, "column = \"email\""));
}

#[test]
fn mistakes_at_the_top() {
    for (from, to, expected) in [
        (
            "id = \"marketing.orders\"",
            "id = \"Marketing.Orders\"",
            "1:6 \"Marketing.Orders\" is not a product id | write DOMAIN.PRODUCT in lower case; the domain may have digits \
             and dashes, the product digits and underscores",
        ),
        (
            "domain = \"marketing\"",
            "domain = \"sales\"",
            "2:10 the domain \"sales\" is not that of the id marketing.orders | write domain = \"marketing\", or change \
             the id",
        ),
        (
            "id = \"marketing.orders\"",
            "id = \"pg-x.orders\"",
            "1:6 the domain \"pg-x\" is reserved | public, pgveil, information_schema and names that begin with pg_ are \
             Postgres' and pgveil's own",
        ),
        (
            "id = \"marketing.orders\"",
            "id = \"information-schema.orders\"",
            "1:6 the domain \"information-schema\" is reserved | public, pgveil, information_schema and names that begin \
             with pg_ are Postgres' and pgveil's own",
        ),
        (
            "id = \"marketing.orders\"",
            "id = \"marketing.a23456789012345678901234567890123456789012345678901234567890\"",
            "1:6 the flat name has 70 bytes; Postgres cuts names at 63",
        ),
        ("name = \"Orders\"\n", "", "1:1 \"name\" is missing"),
        ("name = \"Orders\"", "name = \" \"", "3:8 \"name\" must not be empty"),
        ("version = 1", "version = 0", "5:11 \"version\" must be a whole number from 1 to 2147483647"),
        ("version = 1", "version = \"1\"", "5:11 \"version\" must be a whole number, not a string"),
        (
            "status = \"published\"",
            "status = \"publishd\"",
            "6:10 \"publishd\" is no value of \"status\" | did you mean \"published\"?",
        ),
        (
            "version = 1",
            "version = 1\npublished_at = 2025-03-01",
            "6:16 \"published_at\" must be a time with its offset | write the day, the time and its offset, such as \
             2025-03-01T00:00:00Z",
        ),
        ("version = 1", "version = 1\ntags = [\"a\", \"\", \"a\"]", "6:18 the tag \"a\" stands twice"),
        ("version = 1", "version = 1\ntags = [\"a\", \"\", \"a\"]", "6:14 a tag must not be empty"),
        ("version = 1", "version = 1\nwarehouse = \"ww\"", "6:13 there is no warehouse \"ww\" | did you mean \"w\"?"),
        (
            "version = 1",
            "version = 1\nrelation = \"a.b.c\"",
            "6:12 \"a.b.c\" is not the name of a relation | write SCHEMA.TABLE; names with capitals or other characters in \
             double quotes",
        ),
        (
            "version = 1",
            "version = 1\nrelation = \"pg_catalog.pg_authid\"",
            "6:12 relations of pg_catalog cannot be published",
        ),
        (
            "version = 1",
            "version = 1\nrelation = \"public.finance_orders\"",
            "6:12 the domain \"marketing\" may not publish the relation public.finance_orders | [domains.marketing] \
             relations of the policy is [\"public.marketing_*\"]",
        ),
        (
            "version = 1",
            "version = 1\non_breach = \"stop\"",
            "6:13 \"stop\" is no value of \"on_breach\" | write one of \"notice\", \"deny\", \"ignore\"",
        ),
    ] {
        assert_told(&changed(from, to), expected);
    }
    assert_told(&changed("version = 1", "verson = 1"), "5:1 unknown key \"verson\" | did you mean \"version\"?");
    assert_told(&changed("version = 1", "verson = 1"), "1:1 \"version\" is missing");
}

#[test]
fn mistakes_of_the_owner() {
    for (from, to, expected) in [
        (
            "contact = \"data@example.com\"",
            "contact = \"#data\"",
            "9:11 \"#data\" is not an e-mail address | denials name it so that people know whom to ask; write \
             \"team@example.com\"",
        ),
        ("team = \"Data\"\n", "", "7:1 \"team\" in [owner] is missing"),
        (
            "team = \"Data\"\n",
            "team = \"Data\"\nslack = \"#x\"\n",
            "9:1 unknown key \"slack\" in [owner] | known keys here: team, contact, slack_channel",
        ),
        (
            "[owner]\nteam = \"Data\"\ncontact = \"data@example.com\"\n",
            "",
            "1:1 [owner] is missing | name the team and its contact",
        ),
    ] {
        assert_told(&changed(from, to), expected);
    }
}

#[test]
fn mistakes_in_columns() {
    let email = "column = \"email\"\ntype = \"string\"\npii = true\n";
    for (from, to, expected) in [
        ("column = \"at\"", "column = \"id\"", "19:10 column \"id\" is already defined at c/0.toml:11"),
        (
            "column = \"at\"",
            "column = \"At\"",
            "19:10 the column name \"At\" does not follow the naming standard | [governance] column_names of the policy is \
             ^[a-z][a-z0-9_]*$",
        ),
        (
            "column = \"at\"",
            "column = \"ctid\"",
            "19:10 \"ctid\" is a system column of Postgres and cannot be published | leave it out",
        ),
        (
            "column = \"at\"",
            "column = \"a234567890123456789012345678901234567890123456789012345678901234\"",
            "19:10 a column's name has at most 63 bytes",
        ),
        (
            "type = \"timestamp\"",
            "type = \"timestamptz\"",
            "20:8 \"timestamptz\" is no value of \"schema.type\" | did you mean \"timestamp\"?",
        ),
        (
            email,
            "column = \"work_EMAIL\"\ntype = \"string\"\n",
            "15:10 column \"work_EMAIL\" is named like personal data (*email*) and is not marked | write pii = true, or \
             pii_exempt = \"the reason why it is not\"",
        ),
        (
            email,
            "column = \"email\"\ntype = \"string\"\npii = false\n",
            "17:7 column \"email\" is named like personal data (*email*) and is not marked | write pii = true, or \
             pii_exempt = \"the reason why it is not\"",
        ),
        (
            email,
            "column = \"email\"\ntype = \"string\"\npii = true\npii_exempt = \"no\"\n",
            "18:14 column \"email\" is PII and exempt from it at once | keep pii = true, or pii_exempt with its reason",
        ),
        (
            email,
            "column = \"email\"\ntype = \"string\"\npii_exempt = \"\"\n",
            "17:14 \"schema.pii_exempt\" must not be empty",
        ),
        ("type = \"timestamp\"\n", "", "18:1 \"type\" in [[schema]] is missing"),
    ] {
        assert_told(&changed(from, to), expected);
    }
    let no_columns = PRODUCT.split("[[schema]]").next().unwrap();
    assert_told(&told(&compile_all(&[no_columns], &rules()).unwrap_err()), "1:1 \"schema\" is missing");
    let empty = no_columns.replace("version = 1", "version = 1\nschema = []");
    let found = told(&compile_all(&[&empty], &rules()).unwrap_err());
    assert_told(&found, "1:1 [[schema]] has no column | name at least one column");
}
