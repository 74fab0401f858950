//! Product files: one mistake each, as it is told; the rules over all files; the directory.

use std::collections::BTreeMap;
use std::path::Path;

use proptest::prelude::*;

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

fn masked(contract_type: &str, mask: &str) -> Result<Mask, Vec<String>> {
    let rules = CatalogRules { has_hash_key: true, ..rules() };
    let text = format!("{PRODUCT}[[schema]]\ncolumn = \"x\"\ntype = \"{contract_type}\"\nmask = {mask}\n");
    match compile_all(&[&text], &rules) {
        Ok((catalog, _)) => Ok(catalog.iter().next().unwrap().column("x").unwrap().mask.clone().unwrap()),
        Err(findings) => Err(told(&findings)),
    }
}

#[test]
fn every_mask_suits_the_types_of_the_table_and_no_other() {
    let all = [
        "string",
        "integer",
        "float",
        "boolean",
        "timestamp",
        "json",
        "array",
        "decimal",
        "date",
        "time",
        "uuid",
        "bytes",
        "interval",
    ];
    for (mask, suited, compiled) in [
        ("\"last4\"", &["string"][..], Mask::Last4),
        ("\"redact\"", &["string"], Mask::Redact),
        ("\"email\"", &["string"], Mask::Email),
        ("\"hash\"", &["string"], Mask::Hash),
        ("\"null\"", &all, Mask::Null),
        ("\"year\"", &["date", "timestamp"], Mask::Year),
        ("\"month\"", &["date", "timestamp"], Mask::Month),
        ("{ bucket = 10 }", &["integer", "float", "decimal"], Mask::Bucket("10".to_owned())),
        ("{ bucket = 0.5 }", &["float", "decimal"], Mask::Bucket("0.5".to_owned())),
        ("{ sql = \"upper({column})\" }", &all, Mask::Sql("upper({column})".to_owned())),
    ] {
        for contract_type in all {
            let result = masked(contract_type, mask);
            if suited.contains(&contract_type) {
                assert_eq!(result.as_ref(), Ok(&compiled), "{mask} on {contract_type}");
            } else {
                assert!(result.is_err(), "{mask} on {contract_type}");
            }
        }
    }
}

#[test]
fn constants_are_of_the_columns_type() {
    for (contract_type, good, bad) in [
        ("integer", &["0", "\"7\"", "-3"][..], &["\"x\"", "1.5", "true"][..]),
        ("float", &["0", "1.5"], &["\"x\"", "inf", "nan"]),
        ("boolean", &["true", "\"false\""], &["\"yes\"", "1"]),
        ("date", &["1970-01-01", "\"1970-01-01\""], &["\"1970-13-01\"", "\"x\""]),
        ("uuid", &["\"00000000-0000-0000-0000-000000000000\""], &["\"x\""]),
        ("json", &["\"{}\""], &["\"{\""]),
        ("string", &["\"***\"", "\"\""], &["[]", "{}"]),
    ] {
        for value in good {
            assert!(masked(contract_type, &format!("{{ value = {value} }}")).is_ok(), "{value} as {contract_type}");
        }
        for value in bad {
            assert!(masked(contract_type, &format!("{{ value = {value} }}")).is_err(), "{value} as {contract_type}");
        }
    }
    assert_eq!(masked("string", "{ value = \"n/a\" }"), Ok(Mask::Value("n/a".to_owned())));
}

#[test]
fn mistakes_in_masks() {
    for (contract_type, mask, expected) in [
        (
            "date",
            "\"last4\"",
            "24:8 the mask \"last4\" does not suit a column of type date | \"last4\" is for strings; \"null\", \
             { value = … } and { sql = … } suit every type",
        ),
        ("string", "\"last5\"", "24:8 \"last5\" is no mask | did you mean \"last4\"?"),
        (
            "string",
            "\"hide\"",
            "24:8 \"hide\" is no mask | write one of \"last4\", \"redact\", \"email\", \"hash\", \"null\", \"year\", \
             \"month\", { bucket = 10 }, { value = \"…\" }, { sql = \"…\" }",
        ),
        ("integer", "{ bucket = 0 }", "24:19 the step of a bucket must be above 0"),
        ("integer", "{ bucket = -5 }", "24:19 the step of a bucket must be above 0"),
        (
            "float",
            "{ bucket = 1e3 }",
            "24:19 the step of a bucket must have no exponent | write it out: 1000, or 0.001",
        ),
        (
            "integer",
            "{ bucket = 0.5 }",
            "24:8 the step of a bucket of integers must be a whole number | write { bucket = 10 }",
        ),
        (
            "integer",
            "{ bucket = 1, sql = \"x\" }",
            "24:8 a mask has exactly one of bucket, value and sql | write { bucket = 10 }, { value = \"…\" } or \
             { sql = \"…\" }",
        ),
        ("integer", "{ buckt = 1 }", "24:10 unknown key \"buckt\" in [schema.mask] | did you mean \"bucket\"?"),
        ("string", "{ sql = \"\" }", "24:16 \"schema.mask.sql\" must not be empty"),
        (
            "string",
            "4",
            "24:8 \"schema.mask\" must be a mask's name, or one of { bucket = 10 }, { value = \"…\" } and { sql = \"…\" }, \
             not an integer",
        ),
    ] {
        assert_told(&masked(contract_type, mask).expect_err(mask), expected);
    }
    let text = format!("{PRODUCT}mask = \"month\"\n[[schema]]\ncolumn = \"x\"\ntype = \"string\"\nmask = \"hash\"\n");
    let found = told(&compile_all(&[&text], &rules()).unwrap_err());
    assert_told(&found, "25:8 the mask \"hash\" needs [masking] hash_key | set it in pgveil.toml to 32 bytes or more");
}

#[test]
fn checks_are_compiled() {
    let product = one(&format!(
        "{PRODUCT}\n\
         [[quality_checks]]\nname = \"a\"\ntype = \"not_null\"\ncolumn = \"id\"\n\
         [[quality_checks]]\nname = \"b\"\ntype = \"unique\"\nparams = {{ columns = [\"id\", \"at\"] }}\n\
         [[quality_checks]]\nname = \"c\"\ntype = \"range\"\ncolumn = \"id\"\nparams = {{ min = -1, max = 2.5 }}\n\
         [[quality_checks]]\nname = \"d\"\ntype = \"freshness\"\ncolumn = \"at\"\nparams = {{ max_stale_hours = 1.5 }}\n\
         [[quality_checks]]\nname = \"e\"\ntype = \"row_count\"\nparams = {{ min_rows = 1 }}\nseverity = \"warning\"\n\
         [[quality_checks]]\nname = \"f\"\ntype = \"custom_sql\"\nparams = {{ sql = \"SELECT 0\" }}\n"
    ));
    let kinds: Vec<_> = product.checks.iter().map(|c| c.kind.clone()).collect();
    assert_eq!(
        kinds,
        [
            CheckKind::NotNull { column: "id".to_owned() },
            CheckKind::Unique { columns: vec!["id".to_owned(), "at".to_owned()] },
            CheckKind::Range { column: "id".to_owned(), min: Some("-1".to_owned()), max: Some("2.5".to_owned()) },
            CheckKind::Freshness { column: "at".to_owned(), max_stale: std::time::Duration::from_secs(5400) },
            CheckKind::RowCount { min: Some(1), max: None },
            CheckKind::CustomSql { sql: "SELECT 0".to_owned() },
        ]
    );
    assert_eq!((product.checks[0].severity, product.checks[4].severity), (Severity::Error, Severity::Warning));
    // Nothing else says how fresh the product is.
    assert_eq!(product.sla.freshness_column.as_deref(), Some("at"));
}

#[test]
fn mistakes_in_checks() {
    let check = |body: &str| with(&format!("[[quality_checks]]\nname = \"c\"\n{body}\n"));
    for (body, expected) in [
        ("type = \"notnull\"", "23:8 \"notnull\" is no value of \"quality_checks.type\" | did you mean \"not_null\"?"),
        ("type = \"not_null\"", "21:1 a not_null check needs \"column\""),
        (
            "type = \"not_null\"\ncolumn = \"emial\"",
            "24:10 the schema has no column \"emial\" | did you mean \"email\"?",
        ),
        ("type = \"unique\"", "21:1 a unique check needs \"column\", or params = { columns = […] }"),
        ("type = \"unique\"\nparams = { columns = [\"id\", \"nope\"] }", "24:29 the schema has no column \"nope\""),
        ("type = \"unique\"\nparams = { columns = [\"id\", \"id\"] }", "24:29 column \"id\" stands twice in the key"),
        (
            "type = \"unique\"\ncolumn = \"id\"\nparams = { columns = [\"at\"] }",
            "24:10 a unique check has \"column\" and params.columns at once | keep one of them; params.columns is for a \
             compound key",
        ),
        ("type = \"range\"\ncolumn = \"id\"", "21:1 a range check needs params = { min = …, max = … }"),
        ("type = \"range\"\ncolumn = \"id\"\nparams = {}", "25:10 a range check needs min, max or both"),
        ("type = \"range\"\ncolumn = \"id\"\nparams = { min = 3, max = 2 }", "25:10 min is above max"),
        (
            "type = \"freshness\"\ncolumn = \"id\"\nparams = { max_stale_hours = 2 }",
            "24:10 column \"id\" does not suit this | freshness is told by a timestamp or a date",
        ),
        ("type = \"freshness\"\ncolumn = \"at\"", "21:1 a freshness check needs params = { max_stale_hours = … }"),
        (
            "type = \"freshness\"\ncolumn = \"at\"\nparams = { max_stale_hours = 0 }",
            "25:30 max_stale_hours must be above 0 and at most a century",
        ),
        ("type = \"row_count\"\nparams = { min_rows = 5, max_rows = 4 }", "24:10 min_rows is above max_rows"),
        (
            "type = \"row_count\"\nparams = { min_row = 5 }",
            "24:12 unknown key \"min_row\" in [quality_checks.params] | did you mean \"min_rows\"?",
        ),
        ("type = \"custom_sql\"", "21:1 a custom_sql check needs params = { sql = \"…\" }"),
        (
            "type = \"not_null\"\ncolumn = \"id\"\nseverity = \"fatal\"",
            "25:12 \"fatal\" is no value of \"quality_checks.severity\" | write one of \"error\", \"warning\"",
        ),
        (
            "type = \"not_null\"\ncolumn = \"id\"\n[[quality_checks]]\nname = \"c\"\ntype = \"not_null\"\ncolumn = \"id\"",
            "26:8 the check \"c\" is already defined at c/0.toml:22",
        ),
    ] {
        assert_told(&check(body), expected);
    }
}

#[test]
fn deprecation_takes_effect_with_the_status() {
    let early = format!("{PRODUCT}[deprecation]\nsunset = 2027-01-31");
    let (catalog, warnings) = compile_all(&[&early], &rules()).unwrap();
    assert_eq!(catalog.iter().next().unwrap().deprecation, None);
    let expected = "[deprecation] has no effect before status = \"deprecated\" | write status = \"deprecated\" when it is to \
                    take effect";
    assert!(told(&warnings).iter().any(|t| t.ends_with(expected)), "{:?}", told(&warnings));
    let bare = PRODUCT.replace("\"published\"", "\"deprecated\"");
    assert_eq!(one(&bare).deprecation, Some(Deprecation::default()));
    assert_eq!(
        one(&early.replace("\"published\"", "\"deprecated\"")).deprecation.unwrap().sunset.unwrap().year(),
        2027
    );
}

#[test]
fn mistakes_in_filters_sla_deprecation_and_contract() {
    for (end, expected) in [
        (
            "[[row_filters]]\nroles = [\"analist\"]\nwhere = \"true\"",
            "22:10 there is no role \"analist\" | did you mean \"analyst\"?",
        ),
        ("[[row_filters]]\nexcept = [\"root\"]\nwhere = \"true\"", "22:11 there is no role \"root\""),
        (
            "[[row_filters]]\nwhere = \"true\"",
            "21:1 a row filter has either roles or except | roles names whom it binds; except binds everyone else",
        ),
        (
            "[[row_filters]]\nroles = [\"admin\"]\nexcept = [\"analyst\"]\nwhere = \"true\"",
            "21:1 a row filter has either roles or except | roles names whom it binds; except binds everyone else",
        ),
        (
            "[[row_filters]]\nroles = []\nwhere = \"true\"",
            "21:1 the row filter binds nobody: roles is empty | name a role, or write except = [] to bind everyone",
        ),
        ("[[row_filters]]\nroles = [\"admin\"]", "21:1 \"where\" in [[row_filters]] is missing"),
        ("[sla]\nfreshness = \"30s\"", "22:13 freshness must be 1m or longer | \"realtime\" is 1m"),
        (
            "[sla]\nfreshness = \"hourly\"",
            "22:13 \"hourly\" is not a freshness | write \"realtime\", or a whole number and a unit, such as \"500ms\", \
             \"30s\", \"5m\", \"1h\" or \"7d\"",
        ),
        ("[sla]\nfreshness_column = \"att\"", "22:20 the schema has no column \"att\" | did you mean \"at\"?"),
        (
            "[sla]\nfreshness_column = \"email\"",
            "22:20 column \"email\" does not suit this | freshness is told by a timestamp or a date",
        ),
        ("[sla]\navailability = 98.9", "22:16 availability is a percentage from 99 to 100"),
        ("[sla]\navailability = 100.1", "22:16 availability is a percentage from 99 to 100"),
        (
            "[sla]\nquery_latency_p95_ms = 0",
            "22:24 \"sla.query_latency_p95_ms\" must be a whole number from 1 to 86400000",
        ),
        (
            "[contract]\ninterval = \"1h\"\ncron = \"0 6 * * *\"",
            "21:1 [contract] has either interval or cron | write interval = \"15m\", or cron = \"0 6 * * *\"",
        ),
        (
            "[contract]\ncron = \"0 25 * * *\"",
            "22:8 the hour must be *, a number from 0 to 23, a range, a list or a step | write minute, hour, day, month \
             and weekday, such as \"0 6 * * *\"",
        ),
        ("[contract]\ninterval = \"1s\"", "22:12 \"contract.interval\" must be 1m or longer"),
    ] {
        assert_told(&with(end), expected);
    }
    let deprecated = |end: &str| {
        let text = format!("{PRODUCT}{end}").replace("\"published\"", "\"deprecated\"");
        told(&compile_all(&[&text], &rules()).unwrap_err())
    };
    assert_told(
        &deprecated("[deprecation]\nreplaced_by = \"marketing.orders\""),
        "22:15 a product cannot be replaced by itself",
    );
    assert_told(
        &deprecated("[deprecation]\nreplaced_by = \"sales.revenue\""),
        "22:15 there is no product sales.revenue",
    );
    assert_told(
        &deprecated("[deprecation]\nreplaced_by = \"marketing\""),
        "22:15 \"marketing\" is not a product id | write DOMAIN.PRODUCT",
    );
    assert_told(
        &deprecated("[deprecation]\nsunset = \"2027-01-31\""),
        "22:10 \"deprecation.sunset\" must be a date without quotes, such as 2027-01-31, not a string",
    );
}

#[test]
fn a_filter_keeps_its_scope_and_place() {
    let product = one(&format!(
        "{PRODUCT}[[row_filters]]\nroles = [\"analyst\"]\nwhere = \"id > 0\"\n[[row_filters]]\nexcept = []\nwhere = \"true\"\n"
    ));
    assert_eq!(product.row_filters[0].scope, FilterScope::Roles(vec![RoleName::new("analyst")]));
    assert_eq!(product.row_filters[1].scope, FilterScope::Except(vec![]));
    let finding = product.finding_at(product.row_filters[0].span.clone(), "x");
    assert_eq!((finding.line, finding.column, finding.width), (23, 9, 8));
}

#[test]
fn equality_predicates_need_a_hash() {
    let with = |mask: &str, predicates: &str| {
        let column = format!("pii = true\n{mask}predicates = {predicates}\n");
        compile_all(&[&PRODUCT.replace("pii = true\n", &column)], &CatalogRules { has_hash_key: true, ..rules() })
    };
    let (catalog, _) = with("mask = \"hash\"\n", "\"equality\"").unwrap();
    let equality: Vec<bool> = catalog.iter().flat_map(|p| p.columns.iter().map(|c| c.equality)).collect();
    assert_eq!(equality, [false, true, false]);
    for mask in ["", "mask = \"last4\"\n"] {
        let wrong = told(&with(mask, "\"equality\"").unwrap_err());
        assert!(wrong.iter().any(|t| t.contains("predicates needs mask = \"hash\"")), "{wrong:#?}");
    }
    let wrong = told(&with("mask = \"hash\"\n", "\"range\"").unwrap_err());
    assert!(wrong.iter().any(|t| t.contains("equality")), "{wrong:#?}");
}

#[test]
fn keys_of_later_issues_are_counted_over_all_files() {
    let text = format!("{PRODUCT}[sla]\nfreshness = \"1h\"\n[[sources]]\nx = 1\n[[caveats]]\n[[changelog]]\n");
    let other = text.replace("marketing.orders", "marketing.others");
    let (_, warnings) = compile_all(&[&text, &other], &rules()).unwrap();
    let expected = ["[[caveats]]", "[[changelog]]", "[[sources]]", "[sla]"];
    let told = told(&warnings);
    assert_eq!(told.len(), expected.len(), "{told:#?}");
    for name in expected {
        let end = format!("{name} is accepted, but not yet in force (in 2 places, this is the first)");
        assert!(told.iter().any(|t| t.ends_with(&end)), "{name}: {told:#?}");
    }
}

#[test]
fn two_products_cannot_have_one_name() {
    let other = PRODUCT.replace("marketing.orders", "marketing.others").replace("name = ", "relation = \"x\"\nname = ");
    let rules = CatalogRules { domains: BTreeMap::new(), ..rules() };
    assert!(compile_all(&[PRODUCT, &other], &rules).is_ok());

    let found = compile_all(&[PRODUCT, PRODUCT], &rules).unwrap_err();
    assert_eq!(
        told(&found),
        [
            "1:6 the product marketing.orders is defined at c/1.toml:1 too",
            "1:6 the product marketing.orders is defined at c/0.toml:1 too",
        ]
    );
    let flat = |id: &str, domain: &str| PRODUCT.replace("marketing.orders", id).replace("\"marketing\"", domain);
    let (first, second) = (flat("a-b.c", "\"a-b\""), flat("a.b_c", "\"a\""));
    let found = compile_all(&[&first, &second], &rules).unwrap_err();
    assert_eq!(
        told(&found),
        [
            "1:6 the flat name a_b_c is defined at c/1.toml:1 too",
            "1:6 the flat name a_b_c is defined at c/0.toml:1 too"
        ]
    );
    // In two warehouses no client can take one for the other.
    let warehouses = ["w", "v"].map(|n| (WarehouseName::new(n), "public".to_owned()));
    let two = CatalogRules { warehouses: Some(BTreeMap::from(warehouses)), ..rules };
    let at = |text: &str, w: &str| text.replacen("version = 1", &format!("version = 1\nwarehouse = \"{w}\""), 1);
    assert!(compile_all(&[&at(&first, "w"), &at(&second, "v")], &two).is_ok());
    let found = told(&compile_all(&[&first], &two).unwrap_err());
    assert_told(&found, "1:1 \"warehouse\" is missing | write one of \"v\", \"w\"");
}

#[test]
fn products_are_found_by_what_clients_write() {
    let rules = CatalogRules { domains: BTreeMap::new(), ..rules() };
    let dashed = PRODUCT.replace("marketing.orders", "growth-team.orders").replace("\"marketing\"", "\"growth-team\"");
    let (catalog, _) = compile_all(&[PRODUCT, &dashed], &rules).unwrap();
    let warehouse = WarehouseName::new("w");
    let qualified = |schema, table| catalog.by_qualified_name(&warehouse, schema, table).map(|p| p.id.to_string());
    assert_eq!(qualified("marketing", "orders").as_deref(), Some("marketing.orders"));
    assert_eq!(qualified("growth-team", "orders").as_deref(), Some("growth-team.orders"));
    assert_eq!(qualified("growth_team", "orders").as_deref(), Some("growth-team.orders"));
    for (schema, table) in [("growth", "team_orders"), ("Marketing", "orders"), ("", "orders"), ("public", "orders")] {
        assert_eq!(qualified(schema, table), None, "{schema}.{table}");
    }
    let flat = |table| catalog.by_flat_name(&warehouse, table).map(|p| p.id.to_string());
    assert_eq!(flat("growth_team_orders").as_deref(), Some("growth-team.orders"));
    assert_eq!(flat("orders"), None);
    assert_eq!(catalog.by_flat_name(&WarehouseName::new("v"), "marketing_orders"), None);
}

#[test]
fn a_column_that_is_personal_in_one_product_alone_is_reported() {
    let rules = CatalogRules { require_pii: Vec::new(), ..rules() };
    let other = PRODUCT
        .replace("marketing.orders", "marketing.mails")
        .replace("version = 1", "version = 1\nrelation = \"marketing_orders\"")
        .replace("pii = true\n", "");
    let (_, warnings) = compile_all(&[PRODUCT, &other], &rules).unwrap();
    assert_eq!(
        told(&warnings),
        [
            "16:10 public.marketing_orders.email is PII in marketing.orders and not in marketing.mails | mark it in both, or \
          say why it is none with pii_exempt"
        ]
    );
}

#[test]
fn a_product_file_reads_no_secret() {
    let with_description = |text: &str| PRODUCT.replace("Every order.", text);
    let found = told(&compile_all(&[&with_description("${PATH}")], &rules()).unwrap_err());
    assert_told(
        &found,
        "4:16 this file may not use the variable PATH | add \"PATH\" to [catalog] env in pgveil.toml, or write $${ for a \
         literal ${",
    );
    let found = told(&compile_all(&[&with_description("${file:/etc/passwd}")], &rules()).unwrap_err());
    assert_told(
        &found,
        "4:16 this file may not read other files | write $${ for a literal ${; product files may use the variables of \
         [catalog] env alone",
    );
    let allowed = CatalogRules { env: vec!["PATH".to_owned()], ..rules() };
    let (catalog, _) = compile_all(&[&with_description("${PATH}")], &allowed).unwrap();
    assert_eq!(catalog.iter().next().unwrap().description, std::env::var("PATH").unwrap());
}

#[test]
fn quarantine_withholds_the_invalid_product_alone() {
    let rules = CatalogRules { quarantine: true, ..rules() };
    let bad = PRODUCT.replace("marketing.orders", "marketing.bad").replace("version = 1", "version = 0");
    let (catalog, warnings) = compile_all(&[PRODUCT, &bad], &rules).unwrap();
    assert_eq!(catalog.iter().map(|p| p.id.to_string()).collect::<Vec<_>>(), ["marketing.orders"]);
    assert!(warnings.iter().all(|w| w.level == Level::Warning));
    assert_eq!(
        told(&warnings),
        [
            "0:0 the product of this file is withheld: its file is invalid",
            "5:11 \"version\" must be a whole number from 1 to 2147483647",
        ]
    );
    // Which of two is the right one nobody knows.
    let (catalog, _) = compile_all(&[PRODUCT, PRODUCT], &rules).unwrap();
    assert!(catalog.is_empty());
}

#[test]
fn a_config_map_counts_each_file_once() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path();
    std::fs::create_dir_all(root.join("..2025_01_01")).unwrap();
    std::fs::write(root.join("..2025_01_01/orders.toml"), PRODUCT).unwrap();
    std::os::unix::fs::symlink("..2025_01_01", root.join("..data")).unwrap();
    std::os::unix::fs::symlink("..data/orders.toml", root.join("orders.toml")).unwrap();
    std::os::unix::fs::symlink("orders.toml", root.join("again.toml")).unwrap();
    std::os::unix::fs::symlink(".", root.join("loop")).unwrap();
    std::fs::write(root.join(".hidden.toml"), "nonsense").unwrap();
    std::fs::write(root.join("orders.toml~"), "nonsense").unwrap();
    std::fs::create_dir(root.join("sub")).unwrap();
    let other = PRODUCT.replace("marketing.orders", "marketing.others");
    std::fs::write(root.join("sub/others.toml"), other).unwrap();

    let (files, findings) = read_files(root);
    let names: Vec<_> = files.iter().map(|f| f.path.strip_prefix(root).unwrap().to_owned()).collect();
    assert_eq!(names, [Path::new("again.toml"), Path::new("sub/others.toml")], "{findings}");
    let (catalog, _) = load(root, &rules()).unwrap();
    assert_eq!(catalog.len(), 2);
}

#[test]
fn what_cannot_be_read_refuses_or_is_withheld() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("orders.toml"), PRODUCT).unwrap();
    std::fs::write(dir.path().join("binary.toml"), b"\xff").unwrap();
    std::os::unix::fs::symlink("nowhere.toml", dir.path().join("gone.toml")).unwrap();
    let found = load(dir.path(), &rules()).unwrap_err();
    assert_eq!(found.iter().filter(|f| f.level == Level::Error).count(), 2, "{found}");
    let (catalog, warnings) = load(dir.path(), &CatalogRules { quarantine: true, ..rules() }).unwrap();
    assert_eq!((catalog.len(), warnings.iter().count()), (1, 2), "{warnings}");

    let missing = load(&dir.path().join("none"), &CatalogRules { quarantine: true, ..rules() }).unwrap_err();
    assert!(missing.has_errors());
    let empty = tempfile::tempdir().unwrap();
    let (catalog, _) = load(empty.path(), &rules()).unwrap();
    assert!(catalog.is_empty());
    let (_, warnings) = read_files(empty.path());
    assert!(told(&warnings)[0].contains("holds no product"), "{warnings}");
}

/// Golden: a dozen typical mistakes as they look on a terminal.
#[test]
fn findings_as_they_are_printed() {
    let text = PRODUCT
        .replace("status = \"published\"", "status = \"publishd\"")
        .replace("contact = \"data@example.com\"", "contact = \"#data\"")
        .replace("type = \"timestamp\"", "type = \"timestamp\"\nmask = \"last4\"");
    let printed = compile_all(&[&text], &rules()).unwrap_err().to_string();
    assert_eq!(
        printed,
        r##"error: "publishd" is no value of "status"
  --> c/0.toml:6:10
  |
6 | status = "publishd"
  |          ^^^^^^^^^^
  help: did you mean "published"?

error: "#data" is not an e-mail address
  --> c/0.toml:9:11
  |
9 | contact = "#data"
  |           ^^^^^^^
  help: denials name it so that people know whom to ask; write "team@example.com"

error: the mask "last4" does not suit a column of type timestamp
  --> c/0.toml:21:8
   |
21 | mask = "last4"
   |        ^^^^^^^
  help: "last4" is for strings; "null", { value = … } and { sql = … } suit every type"##
    );
}

fn fragment() -> impl Strategy<Value = String> {
    let key = prop::sample::select(vec![
        "id",
        "domain",
        "name",
        "version",
        "status",
        "published_at",
        "tags",
        "relation",
        "warehouse",
        "owner",
        "contact",
        "sla",
        "freshness",
        "availability",
        "column",
        "type",
        "pii",
        "mask",
        "bucket",
        "value",
        "params",
        "min",
        "max",
        "columns",
        "sql",
        "max_stale_hours",
        "roles",
        "except",
        "where",
        "deprecation",
        "replaced_by",
        "sunset",
        "contract",
        "interval",
        "cron",
        "meta",
    ]);
    let value = prop_oneof![
        Just("1".to_owned()),
        Just("1e300".to_owned()),
        Just("nan".to_owned()),
        Just("\"a.b\"".to_owned()),
        Just("\"\\\"é\\\".x\"".to_owned()),
        Just("\"1h\"".to_owned()),
        Just("2027-01-31".to_owned()),
        Just("9999-12-31T23:59:60.999999999999Z".to_owned()),
        Just("{ sql = \"x\", min = 3 }".to_owned()),
        Just("[\"a\", 3]".to_owned()),
        prop::sample::select(vec![
            "\"string\"",
            "\"integer\"",
            "\"date\"",
            "\"unique\"",
            "\"range\"",
            "\"freshness\"",
            "\"row_count\"",
            "\"year\"",
        ])
        .prop_map(str::to_owned),
        ".{0,8}",
    ];
    let line =
        (prop::collection::vec(key, 1..3), value).prop_map(|(keys, value)| format!("{} = {value}\n", keys.join(".")));
    let header = prop::sample::select(vec![
        "[owner]\n",
        "[sla]\n",
        "[[schema]]\n",
        "[[quality_checks]]\n",
        "[[row_filters]]\n",
        "[deprecation]\n",
        "[contract]\n",
        "[meta]\n",
    ])
    .prop_map(str::to_owned);
    prop::collection::vec(prop_oneof![3 => line, 2 => header], 0..16).prop_map(|parts| parts.concat())
}

proptest! {
    #[test]
    fn no_text_makes_the_reader_panic(text in prop_oneof![".*", "[\\x00-\\x7f]{0,200}", fragment()], end in fragment()) {
        for text in [text, format!("{PRODUCT}{end}")] {
            for quarantine in [false, true] {
                let rules = CatalogRules { quarantine, ..rules() };
                let result = compile_all(&[&text, PRODUCT], &rules);
                prop_assert!(!quarantine || result.is_ok());
                if let Err(findings) = result {
                    let _ = findings.to_string();
                }
            }
        }
    }
}
