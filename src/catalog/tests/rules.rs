//! Checks, filters, deprecation and contract of one product.

use super::*;

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
            "type = \"range\"\ncolumn = \"id\"\nparams = { min = 0, max = \"ten\" }",
            "25:27 the bound does not suit the column's type | write a number",
        ),
        (
            "type = \"range\"\ncolumn = \"at\"\nparams = { min = 2025 }",
            "25:18 the bound does not suit the column's type | write a moment, such as 2025-03-01T00:00:00Z",
        ),
        (
            "type = \"range\"\ncolumn = \"at\"\nparams = { min = 2025-03-02, max = 2025-03-01T00:00:00Z }",
            "25:10 min is above max",
        ),
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
