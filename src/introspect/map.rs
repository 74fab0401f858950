//! What pgveil itself knows, as rows: the products that a subject may query, under which names and OIDs. It travels in the SQL
//! as array literals, as far as a statement reads it.

use std::fmt::Write as _;
use std::sync::Arc;

use crate::names::{quote_identifier, quote_literal};

use super::template::keeps_text;

/// A map: named columns, and rows of texts as Postgres reads them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Map {
    /// Name and type (of `pg_catalog`) of each column.
    pub columns: &'static [(&'static str, &'static str)],
    /// The rows; `None` is NULL.
    pub rows: Arc<Vec<Vec<Option<String>>>>,
}

/// Types of which an array can hold values side by side; a value of another one travels as a text.
const PLAIN: [&str; 7] = ["oid", "name", "text", "int2", "int4", "bool", "char"];

impl Map {
    /// The place of a column.
    pub fn place(&self, column: &str) -> Option<usize> {
        self.columns.iter().position(|(name, _)| *name == column)
    }
    /// Whether the values of a column are equal when and only when their texts are.
    pub(super) fn keeps_text(&self, place: usize) -> bool {
        keeps_text(self.columns.get(place).map(|(_, kind)| *kind))
    }
    /// A value.
    pub fn value(&self, row: usize, place: usize) -> Option<&str> {
        self.rows.get(row)?.get(place)?.as_deref()
    }

    /// These rows and columns as an item of FROM.
    pub(super) fn item(&self, rows: &[usize], columns: &[usize], alias: &str) -> String {
        let columns: Vec<(usize, &str, &str)> = columns
            .iter()
            .filter_map(|place| self.columns.get(*place).map(|(name, kind)| (*place, *name, *kind)))
            .collect();
        let alias = quote_identifier(alias);
        match rows {
            [] => {
                let nulls = list(&columns, |(_, name, kind)| format!("CAST(NULL AS {}) AS {name}", written(kind)));
                format!("(SELECT {nulls} WHERE false) AS {alias}")
            }
            [row] => {
                let value = |place| self.value(*row, place).map_or_else(|| "NULL".to_owned(), quote_literal);
                let values = list(&columns, |(place, _, kind)| format!("CAST({} AS {})", value(*place), written(kind)));
                format!("(VALUES ({values})) AS {alias}({})", list(&columns, |(_, name, _)| (*name).to_owned()))
            }
            rows => self.arrays(rows, &columns, &alias),
        }
    }

    fn arrays(&self, rows: &[usize], columns: &[(usize, &str, &str)], alias: &str) -> String {
        let sent = |kind: &str| if PLAIN.contains(&kind) { written(kind) } else { written("text") };
        let literals = list(columns, |(place, _, kind)| {
            let literal = array(rows.iter().map(|row| self.value(*row, *place)));
            format!("CAST({} AS {}[])", quote_literal(&literal), sent(kind))
        });
        let names = list(columns, |(_, name, _)| (*name).to_owned());
        if columns.iter().all(|(_, _, kind)| PLAIN.contains(kind)) {
            return format!("unnest({literals}) AS {alias}({names})");
        }
        // Cast once a row here, and not once a row of what it is joined with.
        let items = list(columns, |(_, name, kind)| match PLAIN.contains(kind) {
            true => format!("x.{name}"),
            false => format!("CAST(x.{name} AS {}) AS {name}", written(kind)),
        });
        format!("(SELECT {items} FROM unnest({literals}) AS x({names}) OFFSET 0) AS {alias}")
    }
}

fn list<T>(items: &[T], text: impl Fn(&T) -> String) -> String {
    items.iter().map(text).collect::<Vec<_>>().join(", ")
}

/// A type of `pg_catalog`, perhaps an array.
fn written(kind: &str) -> String {
    match kind.strip_suffix("[]") {
        Some(element) => format!("pg_catalog.{}[]", quote_identifier(element)),
        None => format!("pg_catalog.{}", quote_identifier(kind)),
    }
}

/// Values as an array's text.
pub fn array<'a>(values: impl IntoIterator<Item = Option<&'a str>>) -> String {
    let mut out = String::from("{");
    for (at, value) in values.into_iter().enumerate() {
        if at > 0 {
            out.push(',');
        }
        match value {
            None => out.push_str("NULL"),
            Some(value) if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) => out.push_str(value),
            Some(value) => {
                out.push('"');
                for c in value.chars() {
                    if matches!(c, '"' | '\\') {
                        out.push('\\');
                    }
                    let _ = out.write_char(c);
                }
                out.push('"');
            }
        }
    }
    out.push('}');
    out
}

/// Every map of a subject in a warehouse.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Maps {
    by_name: Vec<(&'static str, Map)>,
}

impl Maps {
    /// The maps under their names.
    pub fn new(by_name: Vec<(&'static str, Map)>) -> Self {
        Self { by_name }
    }
    /// The map of this name.
    pub fn get(&self, name: &str) -> Option<&Map> {
        self.by_name.iter().find(|(own, _)| *own == name).map(|(_, map)| map)
    }
    /// These maps and others.
    #[must_use]
    pub fn and(mut self, more: &[(&'static str, Map)]) -> Self {
        self.by_name.extend(more.iter().cloned());
        self
    }
    /// These maps and one more.
    #[must_use]
    pub fn with(&self, name: &'static str, map: Map) -> Self {
        let mut maps = self.clone();
        maps.by_name.push((name, map));
        maps
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map() -> Map {
        let row = |values: [Option<&str>; 3]| values.map(|value| value.map(str::to_owned)).to_vec();
        Map {
            columns: &[("oid", "oid"), ("name", "text"), ("numbers", "int2[]")],
            rows: Arc::new(vec![
                row([Some("1"), Some("it's \"\\,{}"), Some("{1,2}")]),
                row([Some("2"), None, Some("{}")]),
            ]),
        }
    }

    #[test]
    fn rows_become_an_item_of_from_that_holds_them_exactly() {
        let map = map();
        assert_eq!(
            map.item(&[0, 1], &[0, 1], "m"),
            r#"unnest(CAST('{1,2}' AS pg_catalog."oid"[]), CAST('{"it''s \"\\,{}",NULL}' AS pg_catalog."text"[])) AS "m"(oid, name)"#
        );
        for (rows, columns) in [(&[0, 1][..], &[2, 0][..]), (&[0], &[0, 1, 2]), (&[], &[1])] {
            let text = format!("SELECT 1 FROM {}", map.item(rows, columns, "m"));
            crate::sql::parse_query(&text).unwrap_or_else(|error| panic!("{text}: {error}"));
        }
        assert!(map.item(&[1], &[1], "m").contains("CAST(NULL AS"));
    }
}
