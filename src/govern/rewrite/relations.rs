//! Relation names: WITH queries, data products by their several names, and what is neither.

use std::sync::Arc;

use crate::catalog::Product;
use crate::error::{ErrorKind, sqlstate};
use crate::govern::access::Access;
use crate::govern::decide::SearchPath;
use crate::govern::fence::Fence;
use crate::govern::permit::Denial;
use crate::govern::requirements::ProductNeed;
use crate::sql::ast::{Ident, TableAlias, TableAliasColumnDef, TableFactor};
use crate::sql::resolve::{Column, Columns, Entry, Origin};
use crate::sql::{exact, ident, is_reserved};

use super::Walker;
use super::columns::identifiers;
use super::query::plain_names;
use super::refuse::{Pointing, Walked, denial, foreign, span_of};
use super::system::{is_system_schema, not_shown};

impl Walker<'_> {
    /// A relation in FROM. A WITH query stays as it is; a product becomes its derived table, which shows no columns yet, and
    /// is told with the number of the reference.
    pub(super) fn relation(&mut self, factor: &mut TableFactor) -> Walked<(Entry, Option<usize>)> {
        let TableFactor::Table { name, alias, .. } = &*factor else { return Err(foreign("this in FROM")) };
        let parts = identifiers(name)?;
        let Some(last) = parts.last() else { return Err(foreign("an empty name")) };
        let (names, given) = match alias {
            Some(alias) => (plain_names(alias)?, Some((self.alias_name(alias)?, alias.name.clone()))),
            None => (Vec::new(), None),
        };
        if let [single] = parts.as_slice()
            && let Some(cte) = self.scopes.cte(&ident(single))
        {
            let mut columns = cte.columns.clone();
            columns.renamed(&names);
            let own = given.map_or_else(|| cte.name.clone(), |(name, _)| name);
            return Ok((Entry::aliased(&own, columns), None));
        }

        let place = self.place(span_of(&parts));
        if let Some(overlay) = self.system_relation(&parts).map_err(|denied| denied.pointing(place))? {
            return self.system_reference(factor, &overlay, &names, given);
        }
        let product = self.product(&parts).map_err(|denied| denied.pointing(place))?;
        let at = self.need(&product).map_err(|denied| denied.pointing(place))?;
        let reference = self.needs.add_reference(at);
        let Some(need) = self.needs.referenced(reference) else { return Err(foreign("this in FROM")) };
        let view = Arc::clone(&need.view);
        let list = view.columns.iter().enumerate();
        let list = list.map(|(column, of_view)| Column {
            name: of_view.name.clone(),
            origins: vec![Origin { reference, column }],
            shows: Some(Origin { reference, column }),
        });
        let mut columns = Columns { list: list.collect(), complete: true };
        columns.renamed(&names);
        if !names.is_empty() {
            // The names are given to columns by their order.
            self.keep_all(&columns);
        }

        let (own, written, unaliased) = match given {
            Some((own, written)) => (own, written, None),
            None => {
                let own = ident(last);
                let written = self.unique_name(&own, &product);
                (own, written, Some(reference))
            }
        };
        let entry = Entry { name: Some(own), written, unaliased, columns, columns_visible: true, lateral_only: false };
        let columns = alias.as_ref().map(|alias| alias.columns.clone()).unwrap_or_default();
        let rows = match &view.unfenced {
            Some(unfenced) if self.unfenced.contains(&reference) => unfenced,
            Some(_) | None => &view.rows,
        };
        *factor = derived(rows.clone(), entry.written.clone(), columns);
        Ok((entry, Some(reference)))
    }

    /// The name of an unaliased reference to a product. It is the product's as the client wrote it, unless a product of the
    /// same name and another schema can be referred to at the same place: `schema.table.column` must go on telling them
    /// apart when both are derived tables.
    fn unique_name(&self, own: &str, product: &Product) -> Ident {
        let another = |reference: usize| match self.needs.referenced(reference) {
            Some(other) => other.product.id != product.id,
            None => true,
        };
        let taken = self.scopes.all().any(|entry| ident(&entry.written) == own && entry.unaliased.is_some_and(another));
        if taken { exact(&product.id.to_string()) } else { exact(own) }
    }

    /// Notes that the statement needs the product; gives its place among the needs.
    fn need(&mut self, product: &Arc<Product>) -> Walked<usize> {
        if let Some(place) = self.needs.place_of(&product.id) {
            return Ok(place);
        }
        let snapshot = self.input.snapshot;
        let named = |mut denied: Denial| {
            denied.products.push(product.id.clone());
            Box::new(denied)
        };
        let granted = match snapshot.access(self.input.subject, product, self.input.today) {
            Access::Granted(granted) => granted,
            Access::Denied(denied) => return Err(named(denied)),
            Access::Hidden => return Err(self.unknown(&[exact(product.id.product())])),
        };
        let view = snapshot.view(self.input.subject, product).map_err(named)?;
        self.needs.products.push(ProductNeed { product: Arc::clone(product), granted, view, fence: Fence::None });
        Ok(self.needs.products.len() - 1)
    }

    /// The product that a relation name means.
    fn product(&self, parts: &[Ident]) -> Walked<Arc<Product>> {
        let found = match parts {
            [table] => self.along_search_path(&ident(table))?,
            [schema, table] => self.in_schema(parts, &ident(schema), &ident(table))?,
            [database, schema, table] if ident(database) == self.input.warehouse.as_str() => {
                self.in_schema(parts, &ident(schema), &ident(table))?
            }
            [_, _, _] => return Err(self.other_database(parts)),
            _ => {
                let message = format!("improper qualified name (too many dotted names): {}", dotted(parts));
                return Err(denial(sqlstate::SYNTAX_ERROR, "syntax", message));
            }
        };
        found.ok_or_else(|| self.unknown(parts))
    }

    fn in_schema(&self, parts: &[Ident], schema: &str, table: &str) -> Walked<Option<Arc<Product>>> {
        if is_system_schema(schema) {
            return Err(not_shown(parts));
        }
        Ok(self.product_named(schema, table))
    }

    /// The product that `schema.table` names, unless it is hidden.
    pub(super) fn product_named(&self, schema: &str, table: &str) -> Option<Arc<Product>> {
        let catalog = &self.input.snapshot.parts.catalog;
        let by_domain = catalog.by_qualified_name(self.input.warehouse, schema, table);
        let found = by_domain.or_else(|| {
            let flat = (schema == "public").then(|| catalog.by_flat_name(self.input.warehouse, table));
            flat.flatten()
        });
        found.filter(|product| !matches!(self.access(product), Access::Hidden)).cloned()
    }

    /// What a name without a schema means: along the search path, else a flat name.
    fn along_search_path(&self, table: &str) -> Walked<Option<Arc<Product>>> {
        let found = match self.input.search_path {
            SearchPath::Domains => self.in_any_domain(table)?,
            SearchPath::Explicit(schemas) => schemas.iter().find_map(|schema| self.product_named(schema, table)),
        };
        if found.is_some() {
            return Ok(found);
        }
        if let Some(flat) = self.product_named("public", table) {
            return Ok(Some(flat));
        }
        if table.starts_with("pg_") {
            return Err(not_shown(&[exact(table)]));
        }
        Ok(None)
    }

    /// The one product of this name among those that may be queried, else among those that may be discovered.
    fn in_any_domain(&self, table: &str) -> Walked<Option<Arc<Product>>> {
        let (mut granted, mut denied) = (Vec::new(), Vec::new());
        for product in self.input.snapshot.parts.catalog.iter() {
            if product.warehouse == *self.input.warehouse && product.id.product() == table {
                match self.access(product) {
                    Access::Granted(_) => granted.push(product),
                    Access::Denied(_) => denied.push(product),
                    Access::Hidden => {}
                }
            }
        }
        let candidates = if granted.is_empty() { denied } else { granted };
        match candidates.as_slice() {
            [] => Ok(None),
            [one] => Ok(Some(Arc::clone(one))),
            several => {
                let names: Vec<_> = several.iter().map(|product| written(product)).collect();
                let message = format!("relation name \"{table}\" is ambiguous");
                let mut ambiguous = denial(sqlstate::AMBIGUOUS_ALIAS, "ambiguous", message);
                ambiguous.error.detail = Some(format!("It fits {}.", names.join(", ")));
                ambiguous.error.hint = Some(format!(
                    "Write the full name, for example {}, or set search_path.",
                    names.first().map_or("", String::as_str)
                ));
                Err(ambiguous)
            }
        }
    }

    fn access(&self, product: &Product) -> Access {
        self.input.snapshot.access(self.input.subject, product, self.input.today)
    }

    /// A relation that is not there for this subject.
    fn unknown(&self, parts: &[Ident]) -> Box<Denial> {
        let name = dotted(parts);
        if let [word] = parts
            && is_reserved(word)
        {
            // `FROM WHERE`: the parser took a keyword for a name.
            let mut denied =
                denial(sqlstate::SYNTAX_ERROR, "syntax", format!("syntax error at or near \"{}\"", word.value));
            denied.error.kind = ErrorKind::Client;
            return denied;
        }
        let mut denied =
            denial(sqlstate::UNDEFINED_TABLE, "relation_unknown", format!("relation \"{name}\" does not exist"));
        denied.error.hint = Some(match self.nearest(parts) {
            Some((product, near)) if near => format!("Perhaps you meant {}.", written(&product)),
            Some((product, _)) => {
                format!("No data product has this name. The nearest that you may query is {}.", written(&product))
            }
            None => "No data product has this name, and there is none that you may query: ask for a role.".to_owned(),
        });
        denied
    }

    /// The visible product with the most similar name, and whether it is similar at all.
    fn nearest(&self, parts: &[Ident]) -> Option<(Arc<Product>, bool)> {
        let table = parts.last().map(ident).unwrap_or_default();
        let schema = parts.len().checked_sub(2).and_then(|at| parts.get(at)).map(ident);
        let likeness = |product: &Product| {
            let id = &product.id;
            match &schema {
                Some(schema) if schema != "public" => {
                    strsim::normalized_damerau_levenshtein(&format!("{schema}.{table}"), &id.to_string())
                }
                _ => strsim::normalized_damerau_levenshtein(&table, id.product())
                    .max(strsim::normalized_damerau_levenshtein(&table, &id.flat_name())),
            }
        };
        let visible = self.input.snapshot.parts.catalog.iter().filter(|product| {
            product.warehouse == *self.input.warehouse && matches!(self.access(product), Access::Granted(_))
        });
        visible
            .map(|product| (likeness(product), product))
            .max_by(|(a, first), (b, second)| a.total_cmp(b).then_with(|| second.id.cmp(&first.id)))
            .map(|(likeness, product)| (Arc::clone(product), likeness >= 0.5))
    }

    pub(super) fn other_database(&self, parts: &[Ident]) -> Box<Denial> {
        let message = format!("cross-database references are not implemented: \"{}\"", dotted(parts));
        let mut denied = denial(sqlstate::FEATURE_NOT_SUPPORTED, "other_database", message);
        denied.error.hint = Some(format!("You are connected to the database {}.", self.input.warehouse));
        denied
    }
}

/// A derived table in the place of a relation.
pub(super) fn derived(query: crate::sql::ast::Query, name: Ident, columns: Vec<TableAliasColumnDef>) -> TableFactor {
    TableFactor::Derived {
        lateral: false,
        subquery: Box::new(query),
        alias: Some(TableAlias { explicit: true, name, columns, at: None }),
        sample: None,
    }
}

/// A product as a client writes it: the domain quoted where it has a dash.
fn written(product: &Product) -> String {
    let domain = product.client_schema();
    if domain.contains('-') { format!("\"{domain}\".{}", product.id.product()) } else { product.id.to_string() }
}

/// A name in the words of an error.
pub(super) fn dotted(parts: &[Ident]) -> String {
    parts.iter().map(ident).collect::<Vec<_>>().join(".")
}
