use super::*;
use crate::govern::snapshot::{Snapshot, SnapshotParts};
use crate::sql::ast;

fn rule(schema: Option<&str>, name: &str) -> FunctionRule {
    let (snapshot, _) = Snapshot::build(SnapshotParts::default()).unwrap();
    lookup(schema, name, &snapshot)
}

#[test]
fn the_table_reads_whole_and_names_nothing_twice() {
    assert_eq!(table::faults(), &[] as &[String]);
    assert!(entries().count() > 2_600);
    assert!(entries().filter(|e| matches!(e.rule, Rule::Allowed)).count() > 380);
}

#[test]
fn what_analysts_need_is_allowed_and_what_reaches_further_is_not() {
    for name in ["upper", "date_trunc", "string_agg", "row_number", "jsonb_path_query", "percentile_cont"] {
        assert_eq!(rule(None, name), FunctionRule::Allowed, "{name}");
        assert_eq!(rule(Some("pg_catalog"), name), FunctionRule::Allowed, "{name}");
    }
    for name in [
        "pg_sleep",
        "query_to_xml",
        "set_config",
        "nextval",
        "lo_import",
        "pg_read_file",
        "txid_current",
        "dblink",
        "pg_advisory_lock",
        "to_regclass",
        "pg_get_viewdef",
        "regclassin",
        "textin",
        "setseed",
        "pg_stat_get_activity",
        "ts_stat",
        "has_table_privilege",
        "pg_input_is_valid",
        "no_such_function",
        "UPPER",
    ] {
        assert!(matches!(rule(None, name), FunctionRule::Refused { .. }), "{name}");
    }
    assert!(matches!(rule(Some("public"), "upper"), FunctionRule::Refused { .. }));
    assert_eq!(rule(None, "pg_terminate_backend"), FunctionRule::Answered(Answer::TerminateBackend));
    assert_eq!(rule(None, "current_user"), FunctionRule::Answered(Answer::CurrentUser));
    assert_eq!(rule(None, "pg_typeof"), FunctionRule::AsText);
}

#[test]
fn a_refusal_says_what_to_use_instead() {
    let FunctionRule::Refused { hint, .. } = rule(None, "uppper") else { panic!() };
    assert_eq!(hint.as_deref(), Some("Perhaps you meant upper."));
    let FunctionRule::Refused { reason, hint } = rule(None, "set_config") else { panic!() };
    let refusal = refusal(None, "set_config", reason, hint);
    assert_eq!(refusal.message, "function set_config is not allowed: it changes settings inside a query");
    assert_eq!(refusal.hint.as_deref(), Some("Use SET."));
}

#[test]
fn grammar_is_never_qualified() {
    assert_eq!(rule(None, "coalesce"), FunctionRule::Grammar);
    assert!(matches!(rule(Some("pg_catalog"), "coalesce"), FunctionRule::Refused { .. }));
}

#[test]
fn policy_adds_functions_of_the_warehouse_by_their_whole_name() {
    let mut parts = SnapshotParts::default();
    parts.policy.functions = vec!["tools.quarter_of".to_owned()];
    let (snapshot, _) = Snapshot::build(parts).unwrap();
    assert_eq!(lookup(Some("tools"), "quarter_of", &snapshot), FunctionRule::Allowed);
    assert!(matches!(lookup(Some("public"), "quarter_of", &snapshot), FunctionRule::Refused { .. }));
    assert!(matches!(lookup(None, "quarter_of", &snapshot), FunctionRule::Refused { .. }));
}

/// Applies the function's bound to the call that `sql` is; the call as it is then, or the refusal.
fn bounded(sql: &str) -> Result<String, String> {
    let dialect = sqlparser::dialect::PostgreSqlDialect {};
    let expr = sqlparser::parser::Parser::new(&dialect).try_with_sql(sql).unwrap().parse_expr().unwrap();
    let ast::Expr::Function(mut function) = expr else { panic!("{sql}") };
    let name = function.name.to_string();
    let FunctionRule::Bounded(bound) = rule(None, &name) else { panic!("{name} is not bounded") };
    let ast::FunctionArguments::List(list) = &mut function.args else { panic!() };
    bound.apply(&name, &mut list.args).map_err(|refusal| refusal.message)?;
    Ok(function.to_string())
}

#[test]
fn constants_are_checked_and_other_counts_are_wrapped() {
    assert_eq!(bounded("repeat('x', 10)").unwrap(), "repeat('x', 10)");
    assert_eq!(bounded("repeat('x', n + 1)").unwrap(), "repeat('x', least(n + 1, 1000000))");
    assert_eq!(bounded("lpad(name, $1, '0')").unwrap(), "lpad(name, least($1, 1000000), '0')");
    assert_eq!(bounded("generate_series(a, b, '1 day')").unwrap(), "generate_series(a, b, '1 day')");
    assert_eq!(bounded("generate_series(1, 366)").unwrap(), "generate_series(1, 366)");
    assert_eq!(bounded("format('%s-%5s', a, b)").unwrap(), "format('%s-%5s', a, b)");
    assert_eq!(bounded("array_fill(0, ARRAY[3, 4])").unwrap(), "array_fill(0, ARRAY[3, 4])");
    for refused in [
        "repeat('x', 1000000000)",
        "repeat('x', 99999999999999999999)",
        "generate_series(1, 1000000000)",
        "generate_series(1000000000, 1, -1)",
        "format('%1000000000s', a)",
        "format('%*s', a, b)",
        "format(t, a)",
        "array_fill(0, ARRAY[100000, 100000])",
        "array_fill(0, sizes)",
    ] {
        assert!(bounded(refused).is_err(), "{refused}");
    }
}

#[test]
fn a_text_search_configuration_is_a_plain_name() {
    for allowed in [
        "to_tsvector('english', body)",
        "to_tsvector('pg_catalog.german', body)",
        "to_tsvector(('simple'), body)",
        "to_tsvector(body)",
        "to_tsvector('a.b.c')",
        "to_tsquery($1)",
        "ts_headline('see www.example.com', q)",
        "ts_headline('english', body, q)",
        "jsonb_to_tsvector(j, '[\"all\"]')",
    ] {
        assert_eq!(bounded(allowed).unwrap(), allowed);
    }
    for refused in [
        "to_tsvector('raw.english', body)",
        "to_tsvector('\"raw\".english', body)",
        "to_tsvector(('raw.english'), body)",
        "to_tsvector(E'raw\\x2eenglish', body)",
        "to_tsvector($$raw.english$$, body)",
        "to_tsquery($1, 'a')",
        "websearch_to_tsquery('raw.english', 'a')",
        "ts_headline('raw.english', body, q)",
        "jsonb_to_tsvector('raw.english', j, '[\"all\"]')",
    ] {
        assert!(bounded(refused).is_err(), "{refused}");
    }
}

#[test]
fn versions_are_told_apart() {
    let versions = |name| entry(name).unwrap().versions;
    assert_eq!(versions("upper"), Versions::Fifteen);
    assert_eq!(versions("any_value"), Versions::From(16));
    assert_eq!(versions("pg_start_backup"), Versions::To(14));
    assert_eq!(versions("dblink"), Versions::None);
    assert_eq!(Versions::From(16).include(15), Some(false));
    assert_eq!(Versions::To(14).include(14), Some(true));
    assert_eq!(Versions::Fifteen.include(17), None);
}
