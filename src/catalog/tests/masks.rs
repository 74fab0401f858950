//! Masks in product files: which type suits which, and mistakes.

use super::*;

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
