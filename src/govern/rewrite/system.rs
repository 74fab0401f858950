//! References to system relations and calls that read the catalogs: what takes their places is known when the whole statement
//! has been read once.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::error::{ErrorKind, sqlstate};
use crate::govern::decide::{DecideInput, SearchPath};
use crate::govern::permit::Denial;
use crate::govern::requirements::{Requirements, SystemNeed};
use crate::govern::settings;
use crate::govern::view::ViewColumn;
use crate::govern::visible::Seen;
use crate::introspect::{
    Argument, Asked, Constraints, Domain, Expander, Function as Governed, Links, Map, Maps, Names, Overlay, Overlays,
    Path, Place, SystemColumn,
};
use crate::sql::ast::{
    BinaryOperator, DataType, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments, Ident, Query,
    SelectItem, SetExpr, TableFactor, Value,
};
use crate::sql::resolve::{Column, Columns, Entry, Origin};
use crate::sql::{exact, ident, literal_text, parse_query, render_expr};

use super::Walker;
use super::calls::Called;
use super::refuse::{Walked, construct, denial, foreign};
use super::relations::{derived, dotted};

/// What follows from the first walk over a statement.
pub(super) struct Solved {
    seen: Arc<Seen>,
    maps: Maps,
    overlays: Vec<Option<Arc<Overlay>>>,
    constraints: Vec<Constraints>,
    queries: Vec<Option<Box<Query>>>,
    names: Names,
}

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
            [name] => return self.system_relation_on_path(&ident(name)),
            [schema, name] => (ident(schema), ident(name)),
            [database, schema, name] if ident(database) == self.input.warehouse.as_str() => {
                (ident(schema), ident(name))
            }
            _ => return Ok(None),
        };
        if !is_system_schema(&schema) {
            return Ok(None);
        }
        Ok(overlays(self.input)?.get(&schema, &name).map(Arc::clone))
    }

    /// `information_schema` and `pgveil` are looked in where a client has put them on its path.
    fn system_relation_on_path(&self, name: &str) -> Walked<Option<Arc<Overlay>>> {
        let SearchPath::Explicit(path) = self.input.search_path else { return Ok(None) };
        for schema in path {
            if self.product_named(schema, name).is_some() {
                return Ok(None);
            }
            if is_system_schema(schema)
                && let Some(overlay) = overlays(self.input)?.get(schema, name)
            {
                return Ok(Some(Arc::clone(overlay)));
            }
        }
        Ok(None)
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
        let need = SystemNeed { overlay: Arc::clone(overlay), columns: Arc::clone(&of_view) };
        let reference = self.needs.add_system_reference(need);
        self.introspects();
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
            None => (overlay.name.to_owned(), self.unique_system_name(overlay), Some(reference)),
        };
        let entry = Entry { name: Some(own), written, unaliased, columns, columns_visible: true, lateral_only: false };
        let TableFactor::Table { alias, .. } = &*factor else { return Err(foreign("this in FROM")) };
        let columns = alias.as_ref().map(|alias| alias.columns.clone()).unwrap_or_default();
        *factor = derived(*own_query("SELECT 1")?, entry.written.clone(), columns);
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
            exact(overlay.name)
        }
    }

    /// Puts what was found for a reference into its derived table.
    pub(super) fn show_system(&mut self, reference: usize, query: &mut Query) -> Walked {
        let Some(solved) = &self.solved else { return Ok(()) };
        match solved.queries.get(reference) {
            Some(Some(found)) => {
                *query = (**found).clone();
                Ok(())
            }
            _ => Err(foreign("this in FROM")),
        }
    }

    /// Notes that the statement reads the catalogs. What they show is not in its text, and its constants choose among it.
    pub(super) fn introspects(&mut self) {
        self.needs.introspects = true;
        self.needs.literal_values = true;
        if let Some(solved) = &self.solved {
            self.needs.system = solved.names.clone();
            self.needs.functions.extend(solved.names.functions.iter().cloned());
        }
    }

    /// The references of the FROM clause that is being read.
    pub(super) fn references_here(&mut self) -> BTreeSet<usize> {
        self.scopes.current().entries.iter().flat_map(references_of).collect()
    }

    /// Notes what a condition says of the columns of system relations. Of the references `here` the rows that it rules out do
    /// not matter.
    pub(super) fn link(&mut self, condition: &Expr, here: &BTreeSet<usize>) {
        let mut rest = condition;
        loop {
            match rest {
                Expr::Nested(inner) => rest = inner,
                Expr::BinaryOp { left, op: BinaryOperator::And, right } => {
                    crate::sql::with_deep_stack(|| self.link(right, here));
                    rest = left;
                }
                one => return self.link_one(one, here),
            }
        }
    }

    fn link_one(&mut self, condition: &Expr, here: &BTreeSet<usize>) {
        match condition {
            Expr::BinaryOp { left, op: BinaryOperator::Eq, right } => {
                self.link_equal(left, right, here);
                self.link_equal(right, left, here);
            }
            Expr::BinaryOp { left, op, right } if is_match(op) => {
                let value = constant(right).and_then(|pattern| whole_word(&pattern));
                self.link_values(left, value.map(|value| vec![value]), here);
            }
            Expr::Like { negated: false, any: false, expr, pattern, escape_char: None } => {
                let value = constant(pattern).and_then(|pattern| without_wildcards(&pattern));
                self.link_values(expr, value.map(|value| vec![value]), here);
            }
            Expr::InList { expr, list, negated: false } => {
                self.link_values(expr, list.iter().map(constant).collect(), here);
            }
            Expr::AnyOp { left, compare_op: BinaryOperator::Eq, right, is_some: _ } => {
                let values = match bare(right) {
                    Expr::Array(array) => array.elem.iter().map(constant).collect(),
                    other => constant(other).and_then(|text| plain_array(&text)),
                };
                self.link_values(left, values, here);
            }
            _ => {}
        }
    }

    fn link_equal(&mut self, side: &Expr, other: &Expr, here: &BTreeSet<usize>) {
        if let Some(value) = self.constant_value(other) {
            self.link_values(side, Some(vec![value]), here);
        } else if let (Some(to), Some(from)) = (self.own_place(side, here), self.shown_place(other)) {
            self.links.equal(from, to);
        }
    }

    fn link_values(&mut self, side: &Expr, values: Option<Vec<String>>, here: &BTreeSet<usize>) {
        if let (Some(place), Some(values)) = (self.own_place(side, here), values) {
            self.links.constant(place, Domain::values(values.into_iter().flat_map(spellings)));
        }
    }

    /// The column of a reference `here` that an expression is.
    fn own_place(&self, expr: &Expr, here: &BTreeSet<usize>) -> Option<Place> {
        let column = self.certain_column(bare_column(expr))?;
        match column.origins.as_slice() {
            [origin] if column.shows == Some(*origin) && here.contains(&origin.reference) => self.place_of(*origin),
            _ => None,
        }
    }

    /// The column that an expression shows, through however many derived tables.
    pub(super) fn shown_place(&self, expr: &Expr) -> Option<Place> {
        self.place_of(self.certain_column(bare_column(expr))?.shows?)
    }

    fn place_of(&self, origin: Origin) -> Option<Place> {
        let need = self.needs.system_referenced(origin.reference)?;
        let column = need.columns.get(origin.column)?;
        Some(Place { reference: origin.reference, column: column.name.clone() })
    }

    /// The values that an argument can have.
    pub(super) fn argument_domain(&self, expr: &Expr) -> Domain {
        let Some(solved) = &self.solved else { return Domain::empty() };
        if let Some(value) = self.constant_value(expr) {
            return Domain::values(spellings(value));
        }
        let Some(place) = self.shown_place(expr) else { return Domain::Any };
        let overlay = solved.overlays.get(place.reference).and_then(Option::as_ref);
        let constraints = solved.constraints.get(place.reference);
        let (Some(overlay), Some(constraints)) = (overlay, constraints) else { return Domain::Any };
        let Some(overlays) = self.input.snapshot.overlays(self.input.warehouse) else { return Domain::Any };
        Expander { overlays, maps: &solved.maps }.domain(overlay, constraints, &place.column)
    }

    /// A call that is answered from what is visible.
    pub(super) fn governed_call(&mut self, governed: &Governed, function: &mut Function) -> Walked<Called> {
        let domains = match &function.args {
            FunctionArguments::List(list) => list.args.iter().map(|arg| self.domain_of_argument(arg)).collect(),
            FunctionArguments::None | FunctionArguments::Subquery(_) => Vec::new(),
        };
        self.parts_of_call(function)?;
        let plain = function.within_group.is_empty() && function.filter.is_none() && function.over.is_none();
        if !plain {
            return Err(construct("a clause after this function", "Call it with its arguments alone."));
        }
        let list = match &function.args {
            FunctionArguments::List(list) => list.args.as_slice(),
            FunctionArguments::None | FunctionArguments::Subquery(_) => &[],
        };
        let mut exprs = Vec::new();
        for arg in list {
            let FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) = arg else {
                return Err(construct("a named argument of this function", "Give its arguments in their order."));
            };
            exprs.push(expr);
        }
        self.governed(governed, exprs.into_iter().zip(domains)).map(|answer| Called::Answer(Box::new(answer)))
    }

    fn domain_of_argument(&self, arg: &FunctionArg) -> Domain {
        match arg {
            FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => self.argument_domain(expr),
            _ => Domain::Any,
        }
    }

    /// A template of a function with these arguments.
    pub(super) fn governed<'e>(
        &mut self,
        governed: &Governed,
        arguments: impl Iterator<Item = (&'e Expr, Domain)>,
    ) -> Walked<Expr> {
        self.introspects();
        let arguments: Vec<Argument> = arguments
            .map(|(expr, domain)| Argument { text: render_expr(expr), constant: is_constant(expr), domain })
            .collect();
        let overlays = overlays(self.input)?;
        let path = path(self.input);
        let text = match &self.solved {
            Some(solved) => {
                let expander = Expander { overlays, maps: &solved.maps };
                let asked = Asked { expander, visible: &solved.seen.visible, path: &path };
                governed.call(&arguments, &asked)
            }
            None => {
                let seen = seen(self.input);
                let asked =
                    Asked { expander: Expander { overlays, maps: &seen.maps }, visible: &seen.visible, path: &path };
                governed.call(&arguments, &asked)
            }
        };
        self.needs.system.add(&text);
        let functions = self.needs.system.functions.clone();
        self.needs.functions.extend(functions);
        own_expression(&text)
    }
}

/// The references to whose columns an entry gives names.
pub(super) fn references_of(entry: &Entry) -> BTreeSet<usize> {
    entry.columns.list.iter().flat_map(|column| &column.origins).map(|origin| origin.reference).collect()
}

/// What the subject may see.
pub(super) fn seen(input: &DecideInput<'_>) -> Arc<Seen> {
    input.snapshot.seen(input.subject, input.warehouse, input.today)
}

/// The overlays of the warehouse.
pub(super) fn overlays<'a>(input: &DecideInput<'a>) -> Walked<&'a Overlays> {
    input.snapshot.overlays(input.warehouse).ok_or_else(|| not_known(input))
}

/// Where names without a schema are looked for.
pub(super) fn path(input: &DecideInput<'_>) -> Path {
    match input.search_path {
        SearchPath::Domains => Path { schemas: None },
        SearchPath::Explicit(schemas) => Path { schemas: Some(schemas.clone()) },
    }
}

/// What the first walk found becomes what the second puts into the statement.
pub(super) fn solve(
    input: &DecideInput<'_>,
    needs: &Requirements,
    links: &Links,
    unfenced: &BTreeSet<usize>,
) -> Walked<Solved> {
    let seen = seen(input);
    let overlays = overlays(input)?;
    let references: Vec<Option<&SystemNeed>> = (0..needs.references()).map(|r| needs.system_referenced(r)).collect();
    let settings = references.iter().flatten().any(|need| need.overlay.name == "pg_settings");
    let maps = if settings { seen.maps.with("settings", settings_map(input)) } else { seen.maps.clone() };
    let expander = Expander { overlays, maps: &maps };
    let of_references: Vec<Option<Arc<Overlay>>> =
        references.iter().map(|need| need.map(|need| Arc::clone(&need.overlay))).collect();
    let constraints = links.solve(&of_references, &expander);
    let (mut queries, mut names) = (Vec::new(), Names::default());
    for (reference, need) in references.iter().enumerate() {
        let (Some(need), Some(kept), Some(constraints)) = (need, needs.kept(reference), constraints.get(reference))
        else {
            queries.push(None);
            continue;
        };
        let columns: Vec<&str> =
            kept.iter().filter_map(|place| need.columns.get(*place)).map(|column| column.name.as_str()).collect();
        let text = expander.query(&need.overlay, &columns, constraints, !unfenced.contains(&reference));
        names.add(&text);
        queries.push(Some(own_query(&text)?));
    }
    Ok(Solved { seen, maps, overlays: of_references, constraints, queries, names })
}

/// What SHOW ALL gives.
fn settings_map(input: &DecideInput<'_>) -> Map {
    let row = |setting: &settings::Setting| {
        let changeable = if setting.home == settings::Home::ReadOnly { "f" } else { "t" };
        vec![Some(setting.name.to_owned()), input.session.setting(setting.name), Some(changeable.to_owned())]
    };
    let rows = settings::all().iter().map(row).collect();
    Map { columns: &[("name", "text"), ("setting", "text"), ("changeable", "bool")], rows: Arc::new(rows) }
}

/// A query that pgveil writes.
fn own_query(text: &str) -> Walked<Box<Query>> {
    parse_query(text).map_err(|_| foreign("this in FROM"))
}

/// An expression that pgveil writes.
pub(super) fn own_expression(text: &str) -> Walked<Expr> {
    let query = parse_query(&format!("SELECT {text}")).map_err(|_| foreign("this call"))?;
    let SetExpr::Select(select) = *query.body else { return Err(foreign("this call")) };
    match select.projection.into_iter().next() {
        Some(SelectItem::UnnamedExpr(expr)) => Ok(expr),
        _ => Err(foreign("this call")),
    }
}

/// An overlay's columns as those of a product that hides nothing.
fn view_columns(overlay: &Overlay) -> Vec<ViewColumn> {
    let columns = overlay.columns.iter().zip(1..);
    let column = |(column, number): (&SystemColumn, i16)| ViewColumn {
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

/// A text, and the number that it is where a number is expected: `' 012'`.
fn spellings(text: String) -> Vec<String> {
    let number = text.trim().trim_start_matches('+').parse::<i64>().ok().map(|number| number.to_string());
    std::iter::once(text).chain(number).collect()
}

/// Below parentheses and casts that keep the value of a column.
fn bare_column(expr: &Expr) -> &Expr {
    match expr {
        Expr::Nested(inner) | Expr::Collate { expr: inner, .. } => bare_column(inner),
        Expr::Cast { expr: inner, data_type, .. } if keeps_value(data_type) => bare_column(inner),
        expr => expr,
    }
}

/// Below parentheses and casts that keep the value of a constant: that to "char" would cut a longer one.
fn bare(expr: &Expr) -> &Expr {
    match expr {
        Expr::Nested(inner) | Expr::Collate { expr: inner, .. } => bare(inner),
        Expr::Cast { expr: inner, data_type, .. } if keeps_value(data_type) || is_char(data_type) => bare(inner),
        expr => expr,
    }
}

fn type_name(data_type: &DataType) -> String {
    let name = data_type.to_string().to_ascii_lowercase();
    name.replace('"', "").trim_start_matches("pg_catalog.").trim_end_matches("[]").to_owned()
}

fn keeps_value(data_type: &DataType) -> bool {
    let name = type_name(data_type);
    matches!(name.as_str(), "text" | "oid" | "name" | "int4" | "int8" | "int" | "integer" | "bigint" | "varchar")
}

/// `"char"`, which is written in quotes; CHAR is another type.
fn is_char(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Custom(..)) && type_name(data_type) == "char"
}

/// The value of a constant, as Postgres writes it.
pub(super) fn constant(expr: &Expr) -> Option<String> {
    match bare(expr) {
        Expr::Value(value) => match &value.value {
            Value::Number(digits, _) => digits.parse::<u64>().ok().map(|number| number.to_string()),
            other => literal_text(other),
        },
        _ => None,
    }
}

/// Whether it is a literal or a parameter, which mean the same wherever they stand.
fn is_constant(expr: &Expr) -> bool {
    match expr {
        Expr::Nested(inner) | Expr::Cast { expr: inner, .. } | Expr::UnaryOp { expr: inner, .. } => is_constant(inner),
        Expr::Value(_) | Expr::TypedString(_) => true,
        _ => false,
    }
}

fn is_match(op: &BinaryOperator) -> bool {
    match op {
        BinaryOperator::PGRegexMatch => true,
        BinaryOperator::PGCustomBinaryOperator(parts) => {
            matches!(parts.as_slice(), [schema, op] if schema == "pg_catalog" && op == "~")
        }
        _ => false,
    }
}

/// `^(name)$`, as psql writes a name.
fn whole_word(pattern: &str) -> Option<String> {
    let word = pattern.strip_prefix("^(")?.strip_suffix(")$")?;
    let plain = !word.is_empty() && word.chars().all(|c| c.is_alphanumeric() || c == '_' || c == ' ');
    plain.then(|| word.to_owned())
}

/// A pattern of LIKE that fits one text.
fn without_wildcards(pattern: &str) -> Option<String> {
    let mut text = String::new();
    let mut chars = pattern.chars();
    while let Some(c) = chars.next() {
        match c {
            '%' | '_' => return None,
            '\\' => text.push(chars.next()?),
            c => text.push(c),
        }
    }
    Some(text)
}

/// `{1,2}` of whole numbers.
fn plain_array(text: &str) -> Option<Vec<String>> {
    let inside = text.strip_prefix('{')?.strip_suffix('}')?;
    if inside.trim().is_empty() {
        return Some(Vec::new());
    }
    inside.split(',').map(|item| item.trim().parse::<u64>().ok().map(|number| number.to_string())).collect()
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
    denied.error.hint = Some("pgveil reads them as soon as the warehouse can be reached; try again then.".to_owned());
    denied
}
