use super::super::testing::{binding, build, filter, parts, product, user, view_sql};
use crate::catalog::{FilterScope, RowFilter};
use crate::names::RoleName;

/// What follows WHERE for a user with these roles and attributes.
fn rows(filters: Vec<RowFilter>, roles: &[&str], attributes: &[(&str, &str)]) -> Option<String> {
    let mut people = product("crm.people");
    people.row_filters = filters;
    let snapshot = build(parts(vec![people], vec![("ana", user(roles, attributes))])).unwrap();
    let sql = view_sql(&snapshot, "ana");
    let (_, condition) = sql.split_once(" WHERE ")?;
    Some(condition.strip_suffix(" OFFSET 0").expect("a filter is fenced").to_owned())
}

fn faults(predicate: &str) -> String {
    let mut people = product("crm.people");
    people.row_filters = vec![filter(binding(&["analyst"]), predicate)];
    build(parts(vec![people], vec![])).map(|_| "accepted".to_owned()).unwrap_or_else(|findings| findings.to_string())
}

#[test]
fn within_a_role_and_over_roles_or() {
    let filters =
        || vec![filter(binding(&["analyst"]), "region = 'EU'"), filter(binding(&["analyst", "support"]), "amount > 0")];
    assert_eq!(rows(filters(), &["analyst"], &[]).unwrap(), r#"("region" = 'EU') AND ("amount" > 0)"#);
    assert_eq!(
        rows(filters(), &["analyst", "support"], &[]).unwrap(),
        r#"(("region" = 'EU') AND ("amount" > 0)) OR ("amount" > 0)"#
    );
    assert_eq!(rows(filters(), &["analyst", "admin"], &[]), None, "a role without a filter shows every row");
    let except = vec![filter(FilterScope::Except(vec![RoleName::new("admin")]), "amount > 0")];
    assert_eq!(rows(except.clone(), &["admin"], &[]), None);
    assert_eq!(rows(except, &["support"], &[]).unwrap(), r#""amount" > 0"#);
}

#[test]
fn attributes_become_literals_and_an_absent_one_shows_no_row() {
    let own = || vec![filter(binding(&["analyst"]), "region = {user.region} OR amount > 5")];
    assert_eq!(rows(own(), &["analyst"], &[("region", "EU")]).unwrap(), r#""region" = 'EU' OR "amount" > 5"#);
    assert_eq!(
        rows(own(), &["analyst"], &[("region", "O'Neil' OR '1")]).unwrap(),
        r#""region" = 'O''Neil'' OR ''1' OR "amount" > 5"#
    );
    assert_eq!(rows(own(), &["analyst"], &[]).unwrap(), "false");
    let many = vec![filter(binding(&["analyst"]), "region = ANY({user.regions})")];
    assert_eq!(rows(many, &["analyst"], &[("regions", "EU,U\"S")]).unwrap(), r#""region" = ANY('{"EU","U\"S"}')"#);
    let text = vec![filter(binding(&["analyst"]), "region <> '{user.region}'")];
    assert_eq!(rows(text, &["analyst"], &[]).unwrap(), r#""region" <> '{user.region}'"#, "a literal is a literal");
}

#[test]
fn functions_and_columns_are_written_so_that_nothing_else_is_meant() {
    let of = |predicate: &str| rows(vec![filter(binding(&["analyst"]), predicate)], &["analyst"], &[]).unwrap();
    assert_eq!(of("upper(region) LIKE 'E%'"), r#"pg_catalog."upper"("region") LIKE 'E%'"#);
    assert_eq!(of("Region IN ('EU', 'US')"), r#""region" IN ('EU', 'US')"#);
    assert_eq!(of("seen > now()"), r#""seen" > pg_catalog."now"()"#);
    assert_eq!(
        of("at >= (now() AT TIME ZONE 'UTC') - interval '30 days'"),
        r#""at" >= (pg_catalog."now"() AT TIME ZONE 'UTC') - INTERVAL '30 days'"#
    );
    for accepted in [
        "day >= '2026-01-31'",
        "day >= date '2026-01-31'",
        "seen >= '2026-01-31 00:00:00+00'",
        "coalesce(region, 'EU') = 'EU'",
        "CASE WHEN amount > 5 THEN region = 'EU' ELSE false END",
        "extract(year from at) = 2026",
        "date_trunc('month', at) = '2026-01-01'",
        "(seen AT TIME ZONE 'UTC')::date = '2026-01-31'",
        "score::numeric > 0.5",
        "encode(sha256(decode(region, 'hex')), 'hex') = 'ab'",
        "int4(amount) = 5 AND region = ANY(ARRAY['EU', 'US'])",
        "id BETWEEN 1 AND 5 AND at BETWEEN '2026-01-01' AND '2026-12-31'",
        "extract(year from at)::int IN (2025, 2026)",
        "amount BETWEEN 1 AND 2 AND region IS NOT NULL",
        "region ~ '^E'",
        "id::text || region = '1EU'",
    ] {
        assert_eq!(faults(accepted), "accepted", "{accepted}");
    }
}

#[test]
fn what_depends_on_settings_reads_more_or_is_unknown_is_a_load_error() {
    for (predicate, word) in [
        ("region = (SELECT max(region) FROM people)", "subquery"),
        ("EXISTS (SELECT 1)", "subquery"),
        ("regoin = 'EU'", "the nearest is \"region\""),
        ("people.region = 'EU'", "without its relation"),
        ("count(*) > 1", "count"),
        ("row_number() OVER () > 1", "window"),
        ("to_char(seen, 'YYYY') = '2026'", "extract"),
        ("seen > now() - interval '1 day'", "AT TIME ZONE 'UTC'"),
        ("seen::date = '2026-01-31'", "TimeZone"),
        ("date_trunc('day', seen) = seen", "AT TIME ZONE 'UTC'"),
        ("date_trunc('day', day) = at", "settings"),
        ("day = seen", "settings"),
        ("seen > '2026-01-31'", "settings"),
        ("day > '31.01.2026'", "settings"),
        ("day > 'today'", "settings"),
        ("at > {user.since}", "DateStyle"),
        ("day = current_date", "TimeZone"),
        ("score::text = '0.5'", "settings"),
        ("'x' || score = 'x0.5'", "settings"),
        ("concat(region, 'x') = 'y'", "||"),
        ("random() < 0.5", "immutable"),
        ("pg_sleep(1) IS NULL", "pg_sleep"),
        ("region = current_user", "{user.NAME}"),
        ("current_setting('pgveil.ko') = 'x'", "current_setting"),
        ("{user.since}::date = day", "settings"),
        ("'{01/02/2026}'::date[] IS NULL", "settings"),
        ("'[01/02/2026,)'::daterange @> day", "settings"),
        ("ARRAY[day] = '{01/02/2026}'", "DateStyle"),
        ("text(score) = '0.1'", "settings"),
        ("float8(id) || 'x' = '1x'", "settings"),
        ("(id ^ 2)::text = '4'", "settings"),
        ("substr(decode(region, 'hex'), 1, 2)::text = 'x'", "settings"),
        ("interval('1-2') IS NULL", "settings"),
        ("extract(year from at)::text = '2026'", "settings"),
        ("region = ANY(ARRAY[day])", "settings"),
        ("public.leak(region)", "policy.toml"),
        ("region::regclass IS NULL", "regclass"),
        ("region = {user}", "placeholder"),
        ("region = {column}", "masked column"),
        ("region = 'EU' -- comment", "comments"),
        ("region = 'EU'; DROP TABLE people", ""),
        ("region = 'EU' region", ""),
        ("region = $1", "$"),
        ("region", "neither true nor false"),
        ("(id + 1)", "neither true nor false"),
        ("'EU'", "neither true nor false"),
        ("", ""),
    ] {
        let shown = faults(predicate);
        assert!(shown.starts_with("error: row filter") && shown.contains(word), "{predicate}: {shown}");
        assert!(shown.contains("people.toml"));
    }
}

#[test]
fn a_filter_for_an_unknown_role_is_a_load_error_and_all_errors_come_at_once() {
    let mut people = product("crm.people");
    people.row_filters =
        vec![filter(binding(&["analysts"]), "region = 'EU'"), filter(binding(&["analyst"]), "nowhere")];
    let findings = build(parts(vec![people], vec![])).unwrap_err();
    assert_eq!(findings.iter().count(), 2);
    assert!(findings.to_string().contains("unknown role \"analysts\""));
}

#[test]
fn a_column_is_raw_only_in_rows_that_an_unmasking_role_shows() {
    let sql = |filters: Vec<RowFilter>, roles: &[&str]| {
        let mut people = product("crm.people");
        people.row_filters = filters;
        view_sql(&build(parts(vec![people], vec![("ana", user(roles, &[]))])).unwrap(), "ana")
    };
    let eu = || filter(binding(&["support"]), "region = 'EU'");
    let shown = sql(vec![eu()], &["analyst", "support"]);
    assert!(
        shown.contains(r#"CASE WHEN "region" = 'EU' THEN "email" ELSE CASE WHEN pg_catalog.length("email") >= 8 THEN"#),
        "{shown}"
    );
    assert!(!shown.contains(" WHERE "), "{shown}");
    let shown = sql(vec![eu()], &["support"]);
    assert!(shown.starts_with(r#"SELECT "id", "email", "region""#), "{shown}");
    let shown = sql(vec![filter(binding(&["analyst", "support"]), "region = 'EU'")], &["analyst", "support"]);
    assert!(shown.starts_with(r#"SELECT "id", "email", "region""#), "the same rows for both: {shown}");
    let shown = sql(vec![filter(binding(&["analyst"]), "region = 'EU'")], &["analyst", "support"]);
    assert!(shown.starts_with(r#"SELECT "id", "email", "region""#), "support shows every row raw: {shown}");
}
