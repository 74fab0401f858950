//! An overlay: a template laid over the columns that the relation has in the warehouse at hand.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

use crate::names::quote_identifier;
use crate::sql::ast::{SelectItem, SetExpr};
use crate::sql::{self, SqlError};

use super::scan::{Names, Piece, scan};
use super::system::{SystemColumn, SystemRelation};
use super::templates::{TEMPLATES, Template};

/// The schema of relations that no warehouse has.
const OWN_SCHEMA: &str = "pgveil";

/// A governed relation of one warehouse.
#[derive(Clone, Debug, PartialEq)]
pub struct Overlay {
    /// `pg_catalog`, `information_schema` or `pgveil`.
    pub schema: &'static str,
    /// Its name.
    pub name: String,
    /// All of them, in order.
    pub columns: Vec<SystemColumn>,
    /// The query, with the names of other overlays and maps left open.
    pub(super) pieces: Vec<Piece>,
    /// What it adds to a statement.
    pub(super) names: Names,
}

/// The governed relations of one warehouse.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Overlays {
    by_name: BTreeMap<(&'static str, String), Arc<Overlay>>,
}

impl Overlays {
    /// Lays every template over its relation; relations that this warehouse does not have are left out.
    pub fn build(relations: &[SystemRelation]) -> Result<Self, String> {
        let mut by_name = BTreeMap::new();
        for template in TEMPLATES {
            let real = relations.iter().find(|r| r.schema == template.schema && r.name == template.name);
            if template.schema != OWN_SCHEMA && real.is_none() {
                continue;
            }
            let overlay = overlay(template, real.map(|real| real.columns.as_slice()))
                .map_err(|error| format!("{}.{}: {error}", template.schema, template.name))?;
            by_name.insert((overlay.schema, overlay.name.clone()), Arc::new(overlay));
        }
        Ok(Self { by_name })
    }

    /// The overlay of a relation.
    pub fn get(&self, schema: &str, name: &str) -> Option<&Arc<Overlay>> {
        self.iter().find(|overlay| overlay.schema == schema && overlay.name == name)
    }
    /// Whether nothing is known of the warehouse's catalogs.
    pub fn is_empty(&self) -> bool {
        self.by_name.keys().all(|(schema, _)| *schema == OWN_SCHEMA)
    }
    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Overlay>> {
        self.by_name.values()
    }
}

fn overlay(template: &Template, real: Option<&[SystemColumn]>) -> Result<Overlay, SqlError> {
    let text = template.text.trim().trim_end_matches(';');
    let (mut inner, names) = scan(text)?;
    let shown = output_columns(template)?;
    let columns: Vec<SystemColumn> = match real {
        Some(real) => real.to_vec(),
        // Its types are what the template casts to: nobody compares them here.
        None => shown.iter().map(|name| unknown(name)).collect(),
    };
    let mut list = String::new();
    for (at, column) in columns.iter().enumerate() {
        let name = quote_identifier(&column.name);
        let value = if shown.contains(&column.name) { format!("t.{name}") } else { "NULL".to_owned() };
        let comma = if at > 0 { ", " } else { "" };
        let _ = match (real, type_of(column)) {
            (Some(_), Some(of)) => write!(list, "{comma}CAST({value} AS {of}) AS {name}"),
            (Some(_), None) => write!(list, "{comma}CAST(NULL AS pg_catalog.text) AS {name}"),
            (None, _) => write!(list, "{comma}{value} AS {name}"),
        };
    }
    let mut pieces = vec![Piece::Text(format!("SELECT {list} FROM (\n"))];
    pieces.append(&mut inner);
    pieces.push(Piece::Text("\n) AS t".to_owned()));
    Ok(Overlay { schema: template.schema, name: template.name.to_owned(), columns, pieces, names })
}

/// The type that a column is cast to; `None`: no value can be cast to it.
fn type_of(column: &SystemColumn) -> Option<String> {
    if column.type_name.starts_with("any") && column.type_schema == "pg_catalog" {
        return None;
    }
    Some(format!("{}.{}", quote_identifier(&column.type_schema), quote_identifier(&column.type_name)))
}

fn unknown(name: &str) -> SystemColumn {
    SystemColumn {
        name: name.to_owned(),
        type_schema: "pg_catalog".to_owned(),
        type_name: "text".to_owned(),
        type_oid: 0,
    }
}

/// The names of a template's output columns, each of which must have one.
fn output_columns(template: &Template) -> Result<Vec<String>, SqlError> {
    let query = sql::parse_query(template.text.trim().trim_end_matches(';'))?;
    let mut body = &*query.body;
    let items = loop {
        match body {
            SetExpr::Select(select) => break select.projection.as_slice(),
            SetExpr::SetOperation { left, .. } => body = left,
            SetExpr::Query(query) => body = &query.body,
            _ => break &[],
        }
    };
    Ok(items
        .iter()
        .filter_map(|item| match item {
            SelectItem::UnnamedExpr(expr) => Some(sql::output_name(expr)),
            SelectItem::ExprWithAlias { alias, .. } => Some(sql::ident(alias)),
            _ => None,
        })
        .collect())
}
