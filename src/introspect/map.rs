//! What pgveil itself knows, as rows: the products that a subject may query, under which names and OIDs. It travels in the SQL
//! as array literals.

use std::fmt::Write as _;
use std::sync::Arc;

use crate::names::quote_literal;

use super::oids::{ARRAY_TYPE, ROW_TYPE};
use super::plan::Cut;

/// What a subject may see of a warehouse.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Visible {
    /// Each domain with a visible product, in the order of names.
    pub schemas: Vec<ShownSchema>,
    /// In the order of ids.
    pub products: Vec<Arc<ShownProduct>>,
    /// Who asks, and where.
    pub session: Session,
}

/// A schema.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShownSchema {
    /// Its OID.
    pub oid: u32,
    /// Its name.
    pub name: String,
    /// For people.
    pub description: String,
}

/// A product as a relation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShownProduct {
    /// `DOMAIN.PRODUCT`.
    pub id: String,
    /// The first OID of its block.
    pub oid: u32,
    /// `pg_class.oid` of the physical relation.
    pub relid: u32,
    /// Its schema.
    pub schema_oid: u32,
    /// The name of its schema.
    pub schema: String,
    /// Its name.
    pub name: String,
    /// For people.
    pub description: String,
    /// In the contract's order.
    pub columns: Vec<ShownColumn>,
}

/// A column of a product.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShownColumn {
    /// Its name.
    pub name: String,
    /// `attnum` in the warehouse.
    pub number: i16,
    /// Whether the subject sees a mask in some rows at least.
    pub masked: bool,
    /// For people.
    pub description: String,
}

/// Who asks, and where.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Session {
    /// The user's name.
    pub user: String,
    /// The user's OID.
    pub user_oid: u32,
    /// The database's name.
    pub database: String,
    /// Its OID.
    pub database_oid: u32,
}

/// The query of a map; `None`: there is no such map.
pub(super) fn query(name: &str, visible: &Visible, cut: &Cut) -> Option<String> {
    let products = || visible.products.iter().filter(|product| cut.keeps(product));
    Some(match name {
        "products" => products_map(products()),
        "schemas" => {
            let schemas = || visible.schemas.iter();
            rows(&[
                Array::of("oid", "oid", schemas().map(|schema| schema.oid.to_string())),
                Array::of("nspname", "name", schemas().map(|schema| schema.name.clone())),
                Array::of("description", "text", schemas().map(|schema| schema.description.clone())),
            ])
        }
        "column_descriptions" => {
            let columns = || products().flat_map(|product| product.columns.iter().zip(1..).map(move |column| (product, column)));
            let columns = || columns().filter(|(_, (column, _))| !column.description.is_empty());
            rows(&[
                Array::of("oid", "oid", columns().map(|(product, _)| product.oid.to_string())),
                Array::of("attnum", "int2", columns().map(|(_, (_, number))| i32::to_string(&number))),
                Array::of("description", "text", columns().map(|(_, (column, _))| column.description.clone())),
            ])
        }
        "session" => {
            let session = &visible.session;
            format!(
                "SELECT CAST({} AS pg_catalog.name) AS usename, CAST({} AS pg_catalog.oid) AS useroid, \
                 CAST({} AS pg_catalog.name) AS datname, CAST({} AS pg_catalog.oid) AS datoid",
                quote_literal(&session.user),
                quote_literal(&session.user_oid.to_string()),
                quote_literal(&session.database),
                quote_literal(&session.database_oid.to_string()),
            )
        }
        _ => return None,
    })
}

fn products_map<'a>(products: impl Iterator<Item = &'a Arc<ShownProduct>> + Clone) -> String {
    let list = |items: Vec<String>| format!("{{{}}}", items.join(","));
    let attnums = |product: &ShownProduct| list(product.columns.iter().map(|column| column.number.to_string()).collect());
    let masked = |product: &ShownProduct| {
        list(product.columns.iter().map(|column| if column.masked { "t" } else { "f" }.to_owned()).collect())
    };
    let all = || products.clone();
    let inner = rows(&[
        Array::of("relid", "oid", all().map(|product| product.relid.to_string())),
        Array::of("oid", "oid", all().map(|product| product.oid.to_string())),
        Array::of("schema_oid", "oid", all().map(|product| product.schema_oid.to_string())),
        Array::of("relname", "name", all().map(|product| product.name.clone())),
        Array::of("attnums", "text", all().map(|product| attnums(product))),
        Array::of("masked", "text", all().map(|product| masked(product))),
        Array::of("description", "text", all().map(|product| product.description.clone())),
    ]);
    let offset = |place: u32| format!("CAST(CAST(u.oid AS pg_catalog.int8) + {place} AS pg_catalog.oid)");
    format!(
        "SELECT u.relid, u.oid, {} AS type_oid, {} AS array_oid, u.schema_oid, u.relname, \
         CAST(u.attnums AS pg_catalog.int2[]) AS attnums, CAST(u.masked AS pg_catalog.bool[]) AS masked, u.description \
         FROM ({inner}) AS u",
        offset(ROW_TYPE),
        offset(ARRAY_TYPE),
    )
}

/// A column of rows, as an array literal.
struct Array {
    name: &'static str,
    type_name: &'static str,
    literal: String,
}

impl Array {
    fn of(name: &'static str, type_name: &'static str, values: impl Iterator<Item = String>) -> Self {
        let mut literal = String::from("{");
        for (at, value) in values.enumerate() {
            if at > 0 {
                literal.push(',');
            }
            element(&value, &mut literal);
        }
        literal.push('}');
        Self { name, type_name, literal }
    }
}

/// An element as Postgres reads it inside of braces.
fn element(value: &str, out: &mut String) {
    if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) {
        out.push_str(value);
        return;
    }
    out.push('"');
    for c in value.chars() {
        if matches!(c, '"' | '\\') {
            out.push('\\');
        }
        out.push(c);
    }
    out.push('"');
}

/// Rows of several arrays side by side.
fn rows(arrays: &[Array]) -> String {
    let (mut names, mut literals) = (String::new(), String::new());
    for (at, Array { name, type_name, literal }) in arrays.iter().enumerate() {
        let comma = if at > 0 { ", " } else { "" };
        let _ = write!(names, "{comma}\"{name}\"");
        let _ = write!(literals, "{comma}CAST({} AS pg_catalog.{type_name}[])", quote_literal(literal));
    }
    format!("SELECT {names} FROM unnest({literals}) AS u({names})")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_a_text_holds_stays_in_its_element() {
        let mut literal = String::new();
        element("a\"b\\c,{}'d", &mut literal);
        assert_eq!(literal, r#""a\"b\\c,{}'d""#);
        let sql = rows(&[Array::of("x", "text", ["it's".to_owned(), String::new()].into_iter())]);
        assert_eq!(sql, r#"SELECT "x" FROM unnest(CAST('{"it''s",""}' AS pg_catalog.text[])) AS u("x")"#);
        crate::sql::parse_query(&sql).unwrap();
    }

    #[test]
    fn every_map_is_a_query() {
        for name in ["products", "schemas", "column_descriptions", "session"] {
            let sql = query(name, &Visible::default(), &Cut::Whole).unwrap();
            crate::sql::parse_query(&sql).unwrap_or_else(|error| panic!("{name}: {error}\n{sql}"));
        }
        assert!(query("other", &Visible::default(), &Cut::Whole).is_none());
    }
}
