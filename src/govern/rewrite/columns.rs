//! References to columns and to whole rows.

use std::sync::Arc;

use crate::error::sqlstate;
use crate::govern::permit::Denial;
use crate::sql::ast::{Expr, Ident, ObjectName, ObjectNamePart};
use crate::sql::ident;
use crate::sql::resolve::{Ambiguous, Column, ColumnLookup, Columns, Entry};

use super::Walker;
use super::refuse::{Pointing, Walked, construct, denial, foreign, span_of};
use super::system::is_system_schema;

/// Columns that Postgres gives every table, and no data product has.
const SYSTEM_COLUMNS: [&str; 7] = ["ctid", "xmin", "cmin", "xmax", "cmax", "tableoid", "oid"];

impl Walker<'_> {
    /// A name in an expression: a column, a whole row, or a keyword that looks like a name.
    pub(super) fn column_reference(&mut self, expr: &mut Expr) -> Walked {
        match expr {
            Expr::Identifier(name) => {
                if let Some(answer) = self.keyword(name)? {
                    *expr = answer;
                    return Ok(());
                }
                let before = self.log.len();
                let parts = self.column_parts(vec![name.clone()])?;
                if let Some(rewritten) = parts.into_iter().next() {
                    *name = rewritten;
                }
                let read = self.log.get(before..).unwrap_or_default().to_vec();
                self.lift(expr, &read);
                Ok(())
            }
            Expr::CompoundIdentifier(parts) => {
                let before = self.log.len();
                *parts = self.column_parts(std::mem::take(parts))?;
                let read = self.log.get(before..).unwrap_or_default().to_vec();
                self.lift(expr, &read);
                Ok(())
            }
            _ => Err(foreign("this expression")),
        }
    }

    /// Resolves a reference and gives it as the rewritten statement writes it.
    pub(super) fn column_parts(&mut self, parts: Vec<Ident>) -> Walked<Vec<Ident>> {
        if let Some(bad) = parts.iter().find(|part| !matches!(part.quote_style, None | Some('"'))) {
            return Err(construct("a name in such quotes", "Use double quotes.").pointing(self.place(bad.span)));
        }
        match parts.as_slice() {
            [name] => self.bare_name(name).map(|name| vec![name]),
            [qualifier @ .., column] => {
                let entry = self.qualifier(qualifier)?;
                let name = ident(column);
                if !entry.columns.has(&name) {
                    return Err(self.no_column_of(entry, qualifier, column));
                }
                let origins: Vec<_> = entry.columns.origins(&name).collect();
                let written = self.qualifier_as_written(entry, qualifier);
                let touched: Vec<_> = entry.columns.list.iter().filter(|column| column.name == name).cloned().collect();
                touched.iter().for_each(|column| self.touched.column(column));
                self.read(origins);
                Ok(vec![written, column.clone()])
            }
            [] => Err(foreign("an empty name")),
        }
    }

    /// A name without a qualifier: a column, else a whole row.
    fn bare_name(&mut self, name: &Ident) -> Walked<Ident> {
        let exact_name = ident(name);
        match self.scopes.column(&exact_name) {
            ColumnLookup::Found(origins) => {
                match self.scopes.only_column(&exact_name).cloned() {
                    Some(column) => self.touched.column(&column),
                    None => self.touched.anything(),
                }
                self.read(origins);
                return Ok(name.clone());
            }
            ColumnLookup::Perhaps(origins) => {
                self.touched.anything();
                self.read(origins);
                // It may also be the relation of that name, of which every column then counts.
                if let Ok(Some(entry)) = self.scopes.relation(&exact_name) {
                    let columns = entry.columns.clone();
                    self.read_all(&columns);
                }
                return Ok(name.clone());
            }
            ColumnLookup::Missing => {}
        }
        match self.scopes.relation(&exact_name) {
            Ok(Some(entry)) => {
                let entry = entry.clone();
                self.read_all(&entry.columns);
                Ok(self.qualifier_as_written(&entry, std::slice::from_ref(name)))
            }
            Ok(None) => Err(self.no_column(name)),
            Err(Ambiguous) => Err(self.ambiguous_table(name)),
        }
    }

    /// The relation that the part of a reference before its column means.
    pub(super) fn qualifier(&self, qualifier: &[Ident]) -> Walked<&Entry> {
        let found = match qualifier {
            [table] => self.scopes.relation(&ident(table)),
            [schema, table] => self.unaliased(&ident(schema), &ident(table)),
            [database, schema, table] if ident(database) == self.input.warehouse.as_str() => {
                self.unaliased(&ident(schema), &ident(table))
            }
            [_, _, _] => return Err(self.other_database(qualifier)),
            _ => {
                let message =
                    format!("improper qualified name (too many dotted names): {}", super::relations::dotted(qualifier));
                return Err(denial(sqlstate::SYNTAX_ERROR, "syntax", message).pointing(self.place(span_of(qualifier))));
            }
        };
        match found {
            Ok(Some(entry)) if qualifier.len() == 1 || self.reaches(entry) => Ok(entry),
            Ok(Some(_)) => {
                Err(qualifier.last().map_or_else(|| foreign("an empty name"), |table| self.ambiguous_table(table)))
            }
            Ok(None) => Err(self.no_table(qualifier)),
            Err(Ambiguous) => {
                Err(qualifier.last().map_or_else(|| foreign("an empty name"), |table| self.ambiguous_table(table)))
            }
        }
    }

    /// Whether the written name of an unaliased reference means that reference here, and not an inner alias of that name.
    fn reaches(&self, entry: &Entry) -> bool {
        let written = ident(&entry.written);
        let first = self.scopes.reachable().find(|other| other.name.is_some() && ident(&other.written) == written);
        first.is_some_and(|first| first.unaliased == entry.unaliased)
    }

    /// The reference to a product that `schema.table` means.
    fn unaliased(&self, schema: &str, table: &str) -> Result<Option<&Entry>, Ambiguous> {
        if is_system_schema(schema) {
            let is_it = |reference| {
                let need = self.needs.system_referenced(reference);
                need.is_some_and(|need| need.overlay.schema == schema && need.overlay.name == table)
            };
            return self.scopes.unaliased(is_it);
        }
        let Some(product) = self.product_named(schema, table) else { return Ok(None) };
        let is_it = |reference| self.needs.referenced(reference).is_some_and(|need| need.product.id == product.id);
        self.scopes.unaliased(is_it)
    }

    /// The client's own qualifier where it has one part and still holds, else the written one.
    fn qualifier_as_written(&self, entry: &Entry, qualifier: &[Ident]) -> Ident {
        match qualifier {
            [table] if ident(table) == ident(&entry.written) => table.clone(),
            _ => Ident { span: span_of(qualifier), ..entry.written.clone() },
        }
    }

    /// `t.*`, `schema.t.*`: the relation's columns, all of which are read. The name becomes what is written.
    pub(super) fn whole_relation(&mut self, name: &mut ObjectName) -> Walked<Columns> {
        let parts = identifiers(name)?;
        let entry = self.qualifier(&parts)?;
        let (columns, written) = (entry.columns.clone(), self.qualifier_as_written(entry, &parts));
        self.read_all(&columns);
        name.0 = vec![ObjectNamePart::Identifier(written)];
        Ok(columns)
    }

    /// `*`: the columns of the current FROM clause, all of which are read.
    pub(super) fn star(&mut self) -> Columns {
        let mut columns = Columns { list: Vec::new(), complete: true };
        for entry in self.scopes.current().entries.iter().filter(|entry| entry.columns_visible) {
            columns.complete &= entry.columns.complete;
            columns.list.extend(entry.columns.list.iter().cloned());
        }
        self.read_all(&columns);
        columns
    }

    pub(super) fn read_all(&mut self, columns: &Columns) {
        columns.list.iter().for_each(|column| self.touched.column(column));
        self.read(columns.list.iter().flat_map(|column| column.origins.iter().copied()));
    }

    /// The fields of the whole row that an expression is: of a relation by its name, of a column that shows one, or of a call.
    pub(super) fn row_of(&self, expr: &Expr) -> Option<Arc<[String]>> {
        match expr {
            Expr::Nested(inner) => self.row_of(inner),
            Expr::Identifier(name) => match self.scopes.column(&ident(name)) {
                ColumnLookup::Found(_) => self.scopes.only_column(&ident(name))?.row.clone(),
                ColumnLookup::Perhaps(_) => None,
                ColumnLookup::Missing => {
                    let entry = self.scopes.relation(&ident(name)).ok()??;
                    let fields = entry.columns.list.iter().map(|column| column.name.clone());
                    entry.columns.complete.then(|| fields.collect())
                }
            },
            Expr::CompoundIdentifier(parts) => {
                let [qualifier @ .., column] = parts.as_slice() else { return None };
                let columns = &self.qualifier(qualifier).ok()?.columns;
                let name = ident(column);
                let mut named = columns.list.iter().filter(|column| column.name == name);
                let row = named.next().filter(|_| columns.complete)?.row.clone();
                row.filter(|_| named.next().is_none())
            }
            Expr::Function(function) => super::tables::fields(function).map(Arc::from),
            _ => None,
        }
    }

    /// Notes that columns must stay where they are, read or not.
    pub(super) fn keep_all(&mut self, columns: &Columns) {
        for origin in columns.list.iter().flat_map(|column| &column.origins) {
            self.needs.keep(*origin);
        }
    }

    /// Notes what may be behind a name that was taken for an output column.
    pub(super) fn read_behind(&mut self, name: &str) {
        match self.scopes.column(name) {
            ColumnLookup::Found(origins) | ColumnLookup::Perhaps(origins) => self.read(origins),
            ColumnLookup::Missing => {}
        }
    }

    fn no_column(&self, name: &Ident) -> Box<Denial> {
        let exact_name = ident(name);
        let message = format!("column \"{exact_name}\" does not exist");
        let mut denied = denial(sqlstate::UNDEFINED_COLUMN, "column_unknown", message);
        let qualified = |entry: &Entry, column: &Column| match &entry.name {
            Some(table) => format!("{table}.{}", column.name),
            None => column.name.clone(),
        };
        let candidates = self.scopes.reachable().filter(|entry| entry.columns_visible || entry.name.is_some());
        let candidates = candidates.flat_map(|entry| {
            entry.columns.list.iter().map(move |column| (column.name.as_str(), qualified(entry, column)))
        });
        denied.error.hint = column_hint(&exact_name, candidates);
        denied.pointing(self.place(name.span))
    }

    fn no_column_of(&self, entry: &Entry, qualifier: &[Ident], column: &Ident) -> Box<Denial> {
        let exact_name = ident(column);
        let table = qualifier.last().map(ident).unwrap_or_default();
        let message = format!("column {table}.{exact_name} does not exist");
        let mut denied = denial(sqlstate::UNDEFINED_COLUMN, "column_unknown", message);
        let known = entry.columns.list.iter();
        let known = known.map(|column| (column.name.as_str(), format!("{table}.{}", column.name)));
        denied.error.hint = if entry.columns.complete {
            column_hint(&exact_name, known)
        } else {
            Some("The columns of this relation are not known here: name them in a list after its alias.".to_owned())
        };
        denied.pointing(self.place(span_of(qualifier)))
    }

    fn no_table(&self, qualifier: &[Ident]) -> Box<Denial> {
        let table = qualifier.last().map(ident).unwrap_or_default();
        let hidden = self.scopes.all().any(|entry| entry.name.as_deref() == Some(table.as_str()));
        let (message, hint) = if hidden {
            (
                format!("invalid reference to FROM-clause entry for table \"{table}\""),
                "There is an entry for it, but it cannot be referenced from this part of the statement. Perhaps you \
                 meant its alias, or LATERAL.",
            )
        } else {
            (
                format!("missing FROM-clause entry for table \"{table}\""),
                "A relation is referred to by its alias, or by its own name where it has none.",
            )
        };
        let mut denied = denial(sqlstate::UNDEFINED_TABLE, "relation_unknown", message);
        denied.error.hint = Some(hint.to_owned());
        denied.pointing(self.place(span_of(qualifier)))
    }

    fn ambiguous_table(&self, table: &Ident) -> Box<Denial> {
        let message = format!("table reference \"{}\" is ambiguous", ident(table));
        let mut denied = denial(sqlstate::AMBIGUOUS_ALIAS, "ambiguous", message);
        denied.error.hint = Some("Give the relations different aliases.".to_owned());
        denied.pointing(self.place(table.span))
    }
}

/// The parts of a name, each an identifier.
pub(super) fn identifiers(name: &ObjectName) -> Walked<Vec<Ident>> {
    name.0
        .iter()
        .map(|part| match part {
            ObjectNamePart::Identifier(part) => Ok(part.clone()),
            ObjectNamePart::Function(_) => Err(foreign("a function in a name")),
        })
        .collect()
}

/// What to write instead of a column that is not there.
fn column_hint<'c>(name: &str, candidates: impl Iterator<Item = (&'c str, String)>) -> Option<String> {
    if SYSTEM_COLUMNS.contains(&name) {
        return Some("A data product has the columns of its contract and no system columns.".to_owned());
    }
    candidates
        .map(|(column, shown)| (strsim::damerau_levenshtein(name, column), shown))
        .filter(|(distance, _)| *distance <= name.chars().count().div_ceil(2))
        .min()
        .map(|(_, shown)| format!("Perhaps you meant to reference the column \"{shown}\"."))
}
