use std::sync::Arc;

use super::super::facts::TypeKind;
use super::super::testing::{binding, build, facts, filter, mask, parts, product, user, view_sql, warehouse};
use super::*;
use crate::sql;

fn users() -> Vec<(&'static str, crate::config::User)> {
    vec![("ana", user(&["analyst"], &[("region", "EU")])), ("root", user(&["admin"], &[]))]
}

#[expect(clippy::result_large_err, reason = "as Snapshot::view")]
fn view(snapshot: &Snapshot, name: &str) -> Result<Arc<ProductView>, Denial> {
    let product = Arc::clone(snapshot.parts.catalog.iter().next().unwrap());
    snapshot.view(&snapshot.subject(name, None).unwrap(), &product)
}

#[test]
fn only_the_contract_columns_show_masked_for_who_may_not_see_them() {
    let snapshot = build(parts(vec![product("crm.people")], users())).unwrap();
    assert_eq!(
        view_sql(&snapshot, "root"),
        r#"SELECT "id", "email", "region", "amount", "at", "seen", "day", "score" FROM "public"."crm_people""#
    );
    let masked = view(&snapshot, "ana").unwrap();
    assert!(masked.guarded && !masked.fenced && !masked.filtered);
    assert_eq!(masked.columns[1].mask, Some("last4"));
    assert!(masked.columns[1].pii && masked.columns[1].masked && !masked.columns[0].masked);
    let right = (Some("pg_catalog".to_owned()), "right".to_owned());
    let called =
        |kept: &[usize]| masked.show(&mut masked.rows.clone(), |column| kept.contains(&column)).contains(&&right);
    assert!(called(&[1]) && !called(&[0, 2]), "a mask's functions come with its column");
    assert!(!view(&snapshot, "root").unwrap().guarded);
    assert!(Arc::ptr_eq(&masked, &view(&snapshot, "ana").unwrap()), "kept for the next statement");
}

#[test]
fn every_view_is_a_fixed_point_of_print_and_parse() {
    let mut people = product("crm.people");
    people.row_filters = vec![
        filter(binding(&["analyst"]), "NOT region = {user.region} AND id - -1 > 0 OR (day < '2026-01-31') IS TRUE"),
        filter(binding(&["analyst"]), "at < (now() AT TIME ZONE 'UTC') - interval '1 day' AND region LIKE 'a\\'"),
    ];
    for (column, with) in [
        ("email", Mask::Email),
        ("region", Mask::Hash),
        ("amount", Mask::Bucket("2.5".to_owned())),
        ("at", Mask::Month),
        ("seen", Mask::Year),
        ("day", Mask::Value("2026-01-31".to_owned())),
        ("score", Mask::Bucket("10".to_owned())),
        ("id", Mask::Sql("-{column} + length(region)".to_owned())),
    ] {
        mask(&mut people, column, with);
    }
    let snapshot = build(parts(vec![people], users())).unwrap();
    let view = view(&snapshot, "ana").unwrap();
    let text = sql::render_query(&view.query());
    let parsed = sql::parse(&text, &sql::TextLimits::default()).unwrap();
    let [parsed] = parsed.as_slice() else { panic!() };
    assert_eq!(parsed.statement, sql::statement::Statement::Query(Box::new(view.query())), "{text}");
    assert!(text.ends_with(" OFFSET 0") && view.fenced && view.filtered);
}

#[test]
fn a_view_without_barrier_is_fenced() {
    let mut leaky = parts(vec![product("crm.people")], users());
    let (_, relation) = &mut leaky.facts.relations.get_mut(&warehouse()).unwrap()[0];
    relation.kind = RelationKind::View;
    relation.barrier = false;
    let mut tight = leaky.clone();
    assert!(view_sql(&build(leaky).unwrap(), "root").ends_with(" OFFSET 0"));
    tight.facts.relations.get_mut(&warehouse()).unwrap()[0].1.barrier = true;
    assert!(!view_sql(&build(tight).unwrap(), "root").ends_with(" OFFSET 0"));
}

#[test]
fn without_facts_or_with_a_missing_column_the_product_waits() {
    let mut parts_without = parts(vec![product("crm.people")], users());
    parts_without.facts = Default::default();
    let denial = view(&build(parts_without).unwrap(), "ana").unwrap_err();
    assert_eq!(denial.error.sqlstate, sqlstate::CANNOT_CONNECT_NOW);
    let mut parts_missing = parts(vec![product("crm.people")], users());
    let mut less = facts();
    less.columns.retain(|column| column.name != "region");
    parts_missing.facts.relations.get_mut(&warehouse()).unwrap()[0].1 = less;
    let (snapshot, findings) = Snapshot::build(parts_missing).unwrap();
    assert!(findings.to_string().starts_with("warning:"), "{findings}");
    assert!(view(&snapshot, "ana").unwrap_err().error.message.contains("\"region\""));
}

#[test]
fn a_type_outside_of_the_path_is_a_load_error_with_its_line() {
    let mut parts = parts(vec![product("crm.people")], users());
    let relation = &mut parts.facts.relations.get_mut(&warehouse()).unwrap()[0].1;
    let column = &mut relation.columns[1];
    column.type_schema = "extensions".to_owned();
    column.type_name = "citext".to_owned();
    column.sql_type = "extensions.citext".to_owned();
    let text = "[[schema]]\ncolumn = \"email\"\ntype = \"string\"\n";
    let mut people = product("crm.people");
    people.places.text = text.into();
    people.places.columns.insert("email".to_owned(), 20..27);
    parts.catalog = crate::catalog::Catalog::new([Arc::new(people)]);
    let findings = build(parts.clone()).unwrap_err().to_string();
    assert!(findings.contains("people.toml:2:10") && findings.contains("extension_schemas"), "{findings}");
    let rules = super::super::snapshot::WarehouseRules { extension_schemas: vec!["extensions".to_owned()] };
    parts.warehouses.insert(warehouse(), rules);
    let snapshot = build(parts.clone()).unwrap();
    assert_eq!(snapshot.exposed_types(&warehouse()).count(), 1);
    parts.warehouses.clear();
    parts.facts.relations.get_mut(&warehouse()).unwrap()[0].1.columns[1].type_kind = TypeKind::Enum;
    assert!(build(parts).is_ok(), "enums are excepted");
}

#[test]
fn a_hash_mask_needs_a_key() {
    let mut people = product("crm.people");
    mask(&mut people, "email", Mask::Hash);
    let mut parts = parts(vec![people], users());
    parts.has_hash_key = false;
    assert!(build(parts).unwrap_err().to_string().contains("[masking] hash_key"));
}
