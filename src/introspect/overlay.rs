//! An overlay: a template laid over the columns that the relation has in the warehouse at hand, and what of it a reference
//! needs.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, LazyLock};

use crate::names::quote_identifier;
use crate::sql::{Word, WordKind};

use super::domain::Domain;
use super::map::{Map, Maps};
use super::system::{SystemColumn, SystemRelation};
use super::template::{From, Leaf, Piece, Source, Template, Value, placed};
use super::templates::TEMPLATES;

/// The schema of relations that no warehouse has.
const OWN_SCHEMA: &str = "pgveil";

/// A governed relation of one warehouse.
#[derive(Clone, Debug, PartialEq)]
pub struct Overlay {
    /// `pg_catalog`, `information_schema` or `pgveil`.
    pub schema: &'static str,
    /// Its name.
    pub name: &'static str,
    /// `pg_class.oid`; 0: it has none.
    pub oid: u32,
    /// OID of its schema in the warehouse.
    pub schema_oid: u32,
    /// All of them, in order.
    pub columns: Vec<SystemColumn>,
    template: Arc<Template>,
}

/// The governed relations of one warehouse.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Overlays {
    all: Vec<Arc<Overlay>>,
}

/// What constants and equalities leave of an overlay's columns, by name.
pub type Constraints = BTreeMap<String, Domain>;

/// Every template, read once.
static READ: LazyLock<Vec<Result<Arc<Template>, String>>> = LazyLock::new(|| {
    let read = |text| Template::read(text).map(Arc::new).map_err(|error| error.to_string());
    TEMPLATES.iter().map(|template| read(template.text)).collect()
});

impl Overlays {
    /// Lays every template over its relation; relations that this warehouse does not have are left out.
    pub fn build(relations: &[SystemRelation]) -> Self {
        let mut all = Vec::new();
        for (template, read) in TEMPLATES.iter().zip(READ.iter()) {
            // A test reads them all.
            let Ok(read) = read else { continue };
            let real = relations.iter().find(|r| r.schema == template.schema && r.name == template.name);
            let columns = match real {
                Some(real) => real.columns.clone(),
                None if template.schema == OWN_SCHEMA => read.columns.iter().map(|name| untyped(name)).collect(),
                None => continue,
            };
            let (schema, name, template) = (template.schema, template.name, Arc::clone(read));
            let (oid, schema_oid) = real.map_or((0, 0), |real| (real.oid, real.schema_oid));
            all.push(Arc::new(Overlay { schema, name, oid, schema_oid, columns, template }));
        }
        Self { all }
    }

    /// The overlay of a relation.
    pub fn get(&self, schema: &str, name: &str) -> Option<&Arc<Overlay>> {
        self.all.iter().find(|overlay| overlay.schema == schema && overlay.name == name)
    }
    /// Whether nothing is known of the warehouse's catalogs.
    pub fn is_empty(&self) -> bool {
        self.all.iter().all(|overlay| overlay.schema == OWN_SCHEMA)
    }
    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Overlay>> {
        self.all.iter()
    }
}

/// A column whose type is what the template casts to.
fn untyped(name: &str) -> SystemColumn {
    SystemColumn { name: name.to_owned(), type_schema: String::new(), type_name: "text".to_owned(), type_oid: 0 }
}

/// What expands templates for one subject.
#[derive(Clone, Copy, Debug)]
pub struct Expander<'a> {
    /// The overlays of the warehouse.
    pub overlays: &'a Overlays,
    /// What the subject may see.
    pub maps: &'a Maps,
}

/// The rows of each map of a leaf that are left, by alias; and what is left of the columns of other overlays.
struct Left {
    rows: BTreeMap<String, Vec<usize>>,
    shown: BTreeMap<String, Constraints>,
}

/// Overlays are made of overlays; none is so deep.
const DEPTH: usize = 8;

impl Expander<'_> {
    /// The query of an overlay: of the named columns, without rows that the constraints rule out. `fenced`: a condition that is
    /// not leak-proof may be evaluated on its columns, so that it must not come below what hides rows.
    pub fn query(&self, overlay: &Overlay, columns: &[&str], constraints: &Constraints, fenced: bool) -> String {
        self.query_at(overlay, columns, constraints, fenced, 0)
    }

    fn query_at(
        &self,
        overlay: &Overlay,
        columns: &[&str],
        constraints: &Constraints,
        fenced: bool,
        depth: usize,
    ) -> String {
        let mut parts = Vec::new();
        for leaf in &overlay.template.leaves {
            let Some(left) = self.left(overlay, leaf, constraints) else { continue };
            let mut items = Vec::new();
            for name in columns {
                let Some(column) = overlay.columns.iter().find(|column| column.name == **name) else { continue };
                let item = overlay.place(name).and_then(|place| leaf.items.get(place));
                items.push(laid(column, item.map(|item| self.spliced(item, leaf, &left, None, depth))));
            }
            let list = if items.is_empty() { "1 AS \"?\"".to_owned() } else { items.join(", ") };
            let used = used_names(overlay, leaf, columns);
            let rest = self.spliced(&leaf.rest, leaf, &left, Some(&used), depth);
            // A leaf of maps alone has no row that is hidden.
            let hides = leaf.from.values().any(|from| !matches!(from, From::Map(_)));
            parts.push(match fenced && hides {
                true => format!("(SELECT {list} {rest} OFFSET 0)"),
                false => format!("SELECT {list} {rest}"),
            });
        }
        if parts.is_empty() {
            let nulls = columns.iter().filter_map(|name| {
                let column = overlay.columns.iter().find(|column| column.name == **name)?;
                Some(laid(column, None))
            });
            let nulls: Vec<String> = nulls.collect();
            let list = if nulls.is_empty() { "1 AS \"?\"".to_owned() } else { nulls.join(", ") };
            return format!("SELECT {list} WHERE false");
        }
        parts.join(" UNION ALL ")
    }

    /// The values that a column can have under these constraints.
    pub fn domain(&self, overlay: &Overlay, constraints: &Constraints, column: &str) -> Domain {
        let mut domain = Domain::empty();
        for leaf in &overlay.template.leaves {
            let Some(left) = self.left(overlay, leaf, constraints) else { continue };
            domain = domain.or(self.leaf_domain(overlay, leaf, &left, column));
        }
        domain
    }

    fn leaf_domain(&self, overlay: &Overlay, leaf: &Leaf, left: &Left, column: &str) -> Domain {
        let Some(place) = overlay.place(column) else { return Domain::empty() };
        let of_maps = leaf.from.values().any(|from| matches!(from, From::Map(_)));
        if let Some(sources) = overlay.template.domains.get(column).filter(|_| of_maps) {
            return sources.iter().fold(Domain::empty(), |domain, source| {
                domain.or(match source {
                    Source::System => Domain::system(),
                    Source::Map(name, column) => match self.maps.get(name) {
                        Some(map) => map_domain(map, 0..map.rows.len(), column),
                        None => Domain::Any,
                    },
                })
            });
        }
        match leaf.values.get(place) {
            Some(Value::Constant(value)) => Domain::values([value.clone()]),
            Some(Value::Null) => Domain::empty(),
            Some(Value::Column(alias, name)) => match (leaf.from.get(alias), left.rows.get(alias)) {
                (Some(From::Map(map)), Some(rows)) => match self.maps.get(map) {
                    Some(map) => map_domain(map, rows.iter().copied(), name),
                    None => Domain::Any,
                },
                (Some(From::Real), _) if !of_maps && overlay.is_oid(column) => Domain::system(),
                (Some(From::Shown(schema, inner)), _) => {
                    match (self.overlays.get(schema, inner), left.shown.get(alias)) {
                        (Some(inner), Some(constraints)) => self.domain(inner, constraints, name),
                        _ => Domain::Any,
                    }
                }
                _ => Domain::Any,
            },
            Some(Value::Other) | None => Domain::Any,
        }
    }

    /// What constraints leave of a leaf; `None`: nothing.
    fn left(&self, overlay: &Overlay, leaf: &Leaf, constraints: &Constraints) -> Option<Left> {
        if leaf.never {
            return None;
        }
        let mut left = Left { rows: BTreeMap::new(), shown: BTreeMap::new() };
        let mut of_maps = false;
        for (alias, from) in &leaf.from {
            match from {
                From::Map(name) => {
                    of_maps = true;
                    left.rows.insert(alias.clone(), (0..self.maps.get(name)?.rows.len()).collect());
                }
                From::Shown(..) => drop(left.shown.insert(alias.clone(), Constraints::new())),
                From::Real => {}
            }
        }
        for (column, domain) in constraints {
            // A column that the template does not name is NULL, and equal to nothing.
            let value = overlay.place(column).and_then(|place| leaf.values.get(place)).unwrap_or(&Value::Null);
            match value {
                Value::Null => return None,
                Value::Constant(value) if !domain.has(value) => return None,
                Value::Constant(_) | Value::Other => {}
                Value::Column(alias, name) => match leaf.from.get(alias) {
                    Some(From::Map(map)) => {
                        let map = self.maps.get(map)?;
                        let place = map.place(name)?;
                        if !map.keeps_text(place) {
                            continue;
                        }
                        let rows = left.rows.get_mut(alias)?;
                        rows.retain(|row| map.value(*row, place).is_some_and(|value| domain.has(value)));
                    }
                    Some(From::Shown(..)) => {
                        let known = left.shown.entry(alias.clone()).or_default().entry(name.clone()).or_default();
                        *known = std::mem::take(known).and(domain.clone());
                    }
                    Some(From::Real) if !of_maps && overlay.is_oid(column) && !domain.has_system() => return None,
                    Some(From::Real) | None => {}
                },
            }
        }
        (!left.rows.values().any(Vec::is_empty)).then_some(left)
    }

    /// A piece of a template with maps and overlays in the places of their names. `used`: the columns by alias that are read
    /// beside this piece.
    fn spliced(&self, piece: &Piece, leaf: &Leaf, left: &Left, used: Option<&Used>, depth: usize) -> String {
        let own = names_of(&piece.words);
        let mut out = String::with_capacity(piece.text.len());
        let (mut at, mut end) = (0, 0);
        while let Some(word) = piece.words.get(at) {
            let found = placed(piece.words.get(at..).unwrap_or_default());
            let Some(found) = found.filter(|found| found.what != From::Real) else {
                out.push_str(piece.text.get(end..word.range.end).unwrap_or_default());
                end = word.range.end;
                at += 1;
                continue;
            };
            out.push_str(piece.text.get(end..word.range.start).unwrap_or_default());
            let none = BTreeSet::new();
            let names = |used: &Used| used.get(&found.alias).cloned().unwrap_or_default();
            let read: BTreeSet<String> = names(&own).union(&used.map_or(none, names)).cloned().collect();
            let of_leaf = used.is_some() && leaf.from.get(&found.alias) == Some(&found.what);
            out.push_str(&match &found.what {
                From::Map(name) => match self.maps.get(name) {
                    Some(map) => {
                        let all: Vec<usize> = (0..map.rows.len()).collect();
                        let rows = left.rows.get(&found.alias).filter(|_| of_leaf).unwrap_or(&all);
                        map.item(rows, &map_columns(map, &read), &found.alias)
                    }
                    None => format!("(SELECT 1 WHERE false) AS {}", quote_identifier(&found.alias)),
                },
                From::Shown(schema, name) => {
                    let none = Constraints::new();
                    let constraints = left.shown.get(&found.alias).filter(|_| of_leaf).unwrap_or(&none);
                    let columns: Vec<&str> = read.iter().map(String::as_str).collect();
                    let inner = self.overlays.get(schema, name).filter(|_| depth < DEPTH);
                    let query = inner.map(|inner| self.query_at(inner, &columns, constraints, false, depth + 1));
                    let query = query.unwrap_or_else(|| "SELECT 1 WHERE false".to_owned());
                    format!("({query}) AS {}", quote_identifier(&found.alias))
                }
                From::Real => String::new(),
            });
            at += found.length;
            end = piece.words.get(at - 1).map_or(end, |last| last.range.end);
        }
        out
    }

    /// A text with maps and overlays in the places of their names; `left` says which rows of a map count, by alias.
    pub(super) fn text(&self, piece: &Piece, rows: BTreeMap<String, Vec<usize>>) -> String {
        let from = rows.keys().filter_map(|alias| {
            let map = piece.words.iter().enumerate().find_map(|(at, _)| {
                placed(piece.words.get(at..).unwrap_or_default()).filter(|found| found.alias == *alias)
            })?;
            Some((alias.clone(), map.what))
        });
        let leaf =
            Leaf { items: Vec::new(), values: Vec::new(), rest: Piece::default(), from: from.collect(), never: false };
        self.spliced(piece, &leaf, &Left { rows, shown: BTreeMap::new() }, Some(&Used::new()), 0)
    }
}

impl Overlay {
    /// The place of a column in the template.
    fn place(&self, column: &str) -> Option<usize> {
        self.template.columns.iter().position(|name| name == column)
    }
    fn is_oid(&self, column: &str) -> bool {
        self.columns.iter().any(|known| known.name == column && known.type_name == "oid")
    }
}

/// Names by alias.
type Used = BTreeMap<String, BTreeSet<String>>;

/// `alias.name` among words.
fn names_of(words: &[Word]) -> Used {
    let mut used = Used::new();
    for triple in words.windows(3) {
        if let [alias, dot, name] = triple
            && dot.is_sign(".")
            && let (WordKind::Name(alias), WordKind::Name(name)) = (&alias.kind, &name.kind)
        {
            used.entry(alias.clone()).or_default().insert(name.clone());
        }
    }
    used
}

/// What the columns of a leaf that are read, name.
fn used_names(overlay: &Overlay, leaf: &Leaf, columns: &[&str]) -> Used {
    let mut used = Used::new();
    for item in columns.iter().filter_map(|name| leaf.items.get(overlay.place(name)?)) {
        for (alias, names) in names_of(&item.words) {
            used.entry(alias).or_default().extend(names);
        }
    }
    used
}

/// The columns of a map that are read; one at least.
fn map_columns(map: &Map, read: &BTreeSet<String>) -> Vec<usize> {
    let columns: Vec<usize> = read.iter().filter_map(|name| map.place(name)).collect();
    if columns.is_empty() { vec![0] } else { columns }
}

fn map_domain(map: &Map, rows: impl Iterator<Item = usize>, column: &str) -> Domain {
    match map.place(column) {
        Some(place) if map.keeps_text(place) => {
            Domain::values(rows.filter_map(|row| map.value(row, place).map(str::to_owned)))
        }
        Some(_) | None => Domain::Any,
    }
}

/// An item under its name and of its type; NULL where the template has none.
fn laid(column: &SystemColumn, item: Option<String>) -> String {
    let name = quote_identifier(&column.name);
    let value = item.unwrap_or_else(|| "NULL".to_owned());
    if column.type_schema.is_empty() {
        return format!("{value} AS {name}");
    }
    if column.type_name.starts_with("any") {
        return format!("CAST(NULL AS pg_catalog.text) AS {name}");
    }
    format!(
        "CAST({value} AS {}.{}) AS {name}",
        quote_identifier(&column.type_schema),
        quote_identifier(&column.type_name)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_template_reads() {
        for (template, read) in TEMPLATES.iter().zip(READ.iter()) {
            assert!(read.is_ok(), "{}.{}: {read:?}", template.schema, template.name);
        }
    }
}
