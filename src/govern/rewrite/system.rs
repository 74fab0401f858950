//! References to system relations: each becomes a derived table over the WITH query that stands for the relation.

use std::sync::Arc;

use crate::error::{ErrorKind, sqlstate};
use crate::govern::decide::DecideInput;
use crate::govern::permit::Denial;
use crate::govern::requirements::{Requirements, SystemNeed};
use crate::govern::view::ViewColumn;
use crate::introspect::{Cut, Overlay};
use crate::sql::ast::{Expr, Ident, Query, SelectItem, SetExpr, TableFactor};
use crate::sql::resolve::{Column, Columns, Entry, Origin};
use crate::sql::{exact, ident, parse_query};

use super::Walker;
use super::refuse::{Walked, construct, denial, foreign};
use super::relations::{derived, dotted};

/// Whether a schema is the system's, or pgveil's own.
pub(super) fn is_system_schema(schema: &str) -> bool {
    matches!(schema, "pg_catalog" | "information_schema" | "pg_toast" | "pgveil")
}

impl Walker<'_> {
    /// The governed system relation that a name means; `None`: it names something else. Without a schema `pg_catalog` comes
    /// first, as in Postgres.
    pub(super) fn system_relation(&self, parts: &[Ident]) -> Walked<Option<Arc<Overlay>>> {
        let (schema, name) = match parts {
            [name] if ident(name).starts_with("pg_") => ("pg_catalog".to_owned(), ident(name)),
            [schema, name] => (ident(schema), ident(name)),
            [database, schema, name] if ident(database) == self.input.warehouse.as_str() => (ident(schema), ident(name)),
            _ => return Ok(None),
        };
        if !is_system_schema(&schema) {
            return Ok(None);
        }
        let Some(overlays) = self.input.snapshot.overlays(self.input.warehouse) else {
            return Err(not_known(self.input));
        };
        Ok(overlays.get(&schema, &name).map(Arc::clone))
    }

    /// Makes a derived table of a reference to a system relation. It shows no columns yet.
    pub(super) fn system_reference(
        &mut self,
        factor: &mut TableFactor,
        overlay: &Arc<Overlay>,
        names: &[String],
        given: Option<(String, Ident)>,
    ) -> Walked<(Entry, Option<usize>)> {
        let of_view: Arc<[ViewColumn]> = view_columns(overlay).into();
        let need = SystemNeed { overlay: Arc::clone(overlay), columns: Arc::clone(&of_view), cut: Cut::Whole };
        let reference = self.needs.add_system_reference(need);
        // Another user, another day: what is shown is not in the text, and the text's constants choose among it.
        self.needs.literal_values = true;
        let list = of_view.iter().enumerate().map(|(column, of_view)| Column {
            name: of_view.name.clone(),
            origins: vec![Origin { reference, column }],
            shows: Some(Origin { reference, column }),
        });
        let mut columns = Columns { list: list.collect(), complete: true };
        columns.renamed(names);
        if !names.is_empty() {
            self.keep_all(&columns);
        }
        let (own, written, unaliased) = match given {
            Some((own, written)) => (own, written, None),
            None => (overlay.name.clone(), self.unique_system_name(overlay), Some(reference)),
        };
        let entry = Entry { name: Some(own), written, unaliased, columns, columns_visible: true, lateral_only: false };
        let TableFactor::Table { alias, .. } = &*factor else { return Err(foreign("this in FROM")) };
        let columns = alias.as_ref().map(|alias| alias.columns.clone()).unwrap_or_default();
        let fence = if self.unfenced.contains(&reference) { "" } else { " OFFSET 0" };
        let rows = own_query(&format!("SELECT 1 FROM x{fence}"))?;
        *factor = derived(*rows, entry.written.clone(), columns);
        Ok((entry, Some(reference)))
    }

    fn unique_system_name(&self, overlay: &Overlay) -> Ident {
        let another = |reference: usize| match self.needs.system_referenced(reference) {
            Some(other) => other.overlay.schema != overlay.schema,
            None => true,
        };
        let same_name = |entry: &Entry| ident(&entry.written) == overlay.name && entry.unaliased.is_some_and(another);
        if self.scopes.all().any(same_name) {
            exact(&format!("{}.{}", overlay.schema, overlay.name))
        } else {
            exact(&overlay.name)
        }
    }

    /// Gives the derived table of a reference its relation and the columns that are read. All conditions on it are known.
    pub(super) fn show_system(&mut self, reference: usize, query: &mut Query) -> Walked {
        let (Some(need), Some(kept)) = (self.needs.system_referenced(reference), self.needs.kept(reference)) else {
            return Err(foreign("this in FROM"));
        };
        let items: Vec<SelectItem> = need
            .columns
            .iter()
            .enumerate()
            .filter(|(place, _)| kept.contains(place))
            .map(|(_, column)| SelectItem::UnnamedExpr(Expr::Identifier(exact(&column.name))))
            .collect();
        let (overlay, cut) = (Arc::clone(&need.overlay), need.cut.clone());
        let Some(overlays) = self.input.snapshot.overlays(self.input.warehouse) else {
            return Err(not_known(self.input));
        };
        let name = self.needs.plan.overlay(&overlay, &cut, overlays).map_err(|_| not_shown(&[exact(&overlay.name)]))?;
        let SetExpr::Select(select) = &mut *query.body else { return Err(foreign("this in FROM")) };
        select.projection = items;
        if let Some(from) = select.from.first_mut()
            && let TableFactor::Table { name: table, .. } = &mut from.relation
        {
            *table = vec![exact(&name)].into();
        }
        Ok(())
    }
}

/// Puts the WITH queries of the overlays that are needed before a statement.
pub(super) fn prelude(input: &DecideInput<'_>, query: &mut Query, needs: &mut Requirements) -> Walked {
    if needs.plan.is_empty() {
        return Ok(());
    }
    let visible = input.snapshot.visible(input.subject, input.warehouse, input.today);
    let made = needs.plan.prelude(&visible).map_err(|_| construct("this use of the system catalogs", ""))?;
    needs.functions.extend(made.names.functions.iter().cloned());
    needs.system = made.names;
    needs.with_names.extend(made.with_names);
    match &mut query.with {
        Some(own) => {
            own.cte_tables.splice(0..0, made.with.cte_tables);
        }
        none => *none = Some(made.with),
    }
    Ok(())
}

/// A query that pgveil writes.
fn own_query(text: &str) -> Walked<Box<Query>> {
    parse_query(text).map_err(|_| foreign("this in FROM"))
}

/// An overlay's columns as those of a product that hides nothing.
fn view_columns(overlay: &Overlay) -> Vec<ViewColumn> {
    let columns = overlay.columns.iter().zip(1..);
    let column = |(column, number): (&crate::introspect::SystemColumn, i16)| ViewColumn {
        name: column.name.clone(),
        pii: false,
        masked: false,
        mask: None,
        type_oid: column.type_oid,
        base_type: column.type_name.clone(),
        lookup: None,
        number,
    };
    columns.map(column).collect()
}

/// A system relation that has no overlay.
pub(super) fn not_shown(parts: &[Ident]) -> Box<Denial> {
    let message = format!("permission denied for system relation \"{}\"", dotted(parts));
    let mut denied = denial(sqlstate::INSUFFICIENT_PRIVILEGE, "system_relation", message);
    denied.error.hint = Some(
        "pgveil shows the system catalogs as far as they tell of data products: pg_class, pg_attribute, pg_type, \
         information_schema.tables and the like. This one is not shown."
            .to_owned(),
    );
    denied
}

fn not_known(input: &DecideInput<'_>) -> Box<Denial> {
    let message = format!("the system catalogs of warehouse {} are not known yet", input.warehouse);
    let mut denied = denial(sqlstate::CANNOT_CONNECT_NOW, "catalogs_unavailable", message);
    denied.error.kind = ErrorKind::Unavailable;
    denied.error.hint =
        Some("pgveil reads them as soon as the warehouse can be reached; try again then.".to_owned());
    denied
}
