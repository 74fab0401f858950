//! A template taken apart: its leaves, of which each is the SELECT of one kind of rows, and what each column is there.

use std::collections::BTreeMap;

use crate::sql::{self, SqlError, Word, WordKind};

/// A file of `relations/`, read.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Template {
    /// The names of its output columns.
    pub(super) columns: Vec<String>,
    /// Its leaves, united.
    pub(super) leaves: Vec<Leaf>,
    /// What the header says of columns of map leaves: map and column, or `system`.
    pub(super) domains: BTreeMap<String, Vec<Source>>,
}

/// Where a column's values come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Source {
    /// The system.
    System,
    /// A column of a map.
    Map(String, String),
}

/// One SELECT.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Leaf {
    /// The text of each output column.
    pub(super) items: Vec<Piece>,
    /// What each is, as far as it is simple.
    pub(super) values: Vec<Value>,
    /// Behind the items: FROM, WHERE.
    pub(super) rest: Piece,
    /// What stands in its FROM clause, by alias.
    pub(super) from: BTreeMap<String, From>,
    /// It can have no row.
    pub(super) never: bool,
}

/// What an output column is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Value {
    /// A column of something in FROM: alias and name.
    Column(String, String),
    /// A constant.
    Constant(String),
    /// NULL
    Null,
    /// Anything else.
    Other,
}

/// What stands in a FROM clause.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum From {
    /// A map.
    Map(String),
    /// Another overlay: schema and name.
    Shown(&'static str, String),
    /// A real relation.
    Real,
}

/// A part of a template as words.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Piece {
    pub(super) text: String,
    pub(super) words: Vec<Word>,
}

impl Piece {
    pub(super) fn new(text: String) -> Result<Self, SqlError> {
        let words = sql::words(&text)?;
        Ok(Self { text, words })
    }
    /// Some words of a text, without its comments.
    fn of(text: &str, words: &[Word]) -> Result<Self, SqlError> {
        let mut out = String::new();
        let mut end = words.first().map_or(0, |word| word.range.start);
        for word in words {
            if word.range.start > end {
                out.push(' ');
            }
            out.push_str(text.get(word.range.clone()).unwrap_or_default());
            end = word.range.end;
        }
        Self::new(out)
    }
}

impl Template {
    pub(super) fn read(text: &str) -> Result<Self, SqlError> {
        let text = text.trim().trim_end_matches(';');
        let words = sql::words(text)?;
        let (mut leaves, mut columns) = (Vec::new(), Vec::new());
        for part in united(&words) {
            let (leaf, names) = leaf(text, part)?;
            if columns.is_empty() {
                columns = names;
            }
            leaves.push(leaf);
        }
        let width = columns.len();
        if leaves.iter().any(|leaf| leaf.items.len() != width) || columns.iter().any(String::is_empty) {
            return Err(SqlError::syntax("its SELECTs are not of one width, or a column has no name", 1));
        }
        Ok(Self { columns, leaves, domains: domains(text) })
    }
}

/// `-- domain: column = system, map.column; …`
fn domains(text: &str) -> BTreeMap<String, Vec<Source>> {
    let lines = text.lines().filter_map(|line| line.strip_prefix("-- domain:"));
    let parts = lines.flat_map(|line| line.split(';')).filter_map(|part| part.split_once('='));
    let source = |source: &str| match source.trim().split_once('.') {
        Some((map, column)) => Source::Map(map.to_owned(), column.to_owned()),
        None => Source::System,
    };
    parts.map(|(column, sources)| (column.trim().to_owned(), sources.split(',').map(source).collect())).collect()
}

/// Calls with the depth of parentheses before each word.
fn depths(words: &[Word]) -> Vec<usize> {
    let mut depth = 0_usize;
    words
        .iter()
        .map(|word| {
            if word.is_sign(")") || word.is_sign("]") {
                depth = depth.saturating_sub(1);
            }
            let own = depth;
            if word.is_sign("(") || word.is_sign("[") {
                depth += 1;
            }
            own
        })
        .collect()
}

/// The words between UNION ALL.
fn united(words: &[Word]) -> Vec<&[Word]> {
    let depths = depths(words);
    let (mut parts, mut from) = (Vec::new(), 0);
    for (at, (pair, depth)) in words.windows(2).zip(&depths).enumerate() {
        if *depth == 0 && matches!(pair, [a, b] if a.is_name("union") && b.is_name("all")) {
            parts.push(words.get(from..at).unwrap_or_default());
            from = at + 2;
        }
    }
    parts.push(words.get(from..).unwrap_or_default());
    parts
}

fn leaf(text: &str, words: &[Word]) -> Result<(Leaf, Vec<String>), SqlError> {
    let [select, rest @ ..] = words else { return Err(SqlError::syntax("an empty SELECT", 1)) };
    if !select.is_name("select") {
        return Err(SqlError::syntax("a template is SELECTs under UNION ALL", 1));
    }
    let outer = depths(rest);
    let forbidden = ["union", "except", "intersect", "order", "limit", "offset", "distinct", "group", "having"];
    if rest.iter().zip(&outer).any(|(word, depth)| *depth == 0 && word.name().is_some_and(|n| forbidden.contains(&n))) {
        return Err(SqlError::syntax("a template's SELECT has FROM and WHERE and nothing more: nest it", 1));
    }
    let is_from = |(word, depth): (&Word, &usize)| *depth == 0 && (word.is_name("from") || word.is_name("where"));
    let end = rest.iter().zip(&outer).position(is_from).unwrap_or(rest.len());
    let (list, behind) = rest.split_at(end);
    let (mut items, mut values, mut names) = (Vec::new(), Vec::new(), Vec::new());
    for item in separated(list) {
        let (expr, name) = named(item);
        names.push(name);
        values.push(value(expr));
        items.push(Piece::of(text, expr)?);
    }
    let never = behind.windows(2).any(|pair| matches!(pair, [a, b] if a.is_name("where") && b.is_name("false")));
    let leaf = Leaf { items, values, from: from(behind), rest: Piece::of(text, behind)?, never };
    Ok((leaf, names))
}

fn separated(words: &[Word]) -> Vec<&[Word]> {
    let depths = depths(words);
    let (mut parts, mut from) = (Vec::new(), 0);
    for (at, (word, depth)) in words.iter().zip(&depths).enumerate() {
        if *depth == 0 && word.is_sign(",") {
            parts.push(words.get(from..at).unwrap_or_default());
            from = at + 1;
        }
    }
    parts.push(words.get(from..).unwrap_or_default());
    parts
}

/// An item without its name, and the name.
fn named(item: &[Word]) -> (&[Word], String) {
    match item {
        [expr @ .., is, name] if is.is_name("as") && !expr.is_empty() => {
            (expr, name.name().unwrap_or_default().to_owned())
        }
        [.., last] => (item, last.name().unwrap_or_default().to_owned()),
        [] => (item, String::new()),
    }
}

fn value(expr: &[Word]) -> Value {
    let cast = expr.iter().zip(depths(expr)).position(|(word, depth)| depth == 0 && word.is_sign("::"));
    let keeps = |at: usize| expr.get(at + 1..).is_some_and(|of| of.last().is_some_and(|last| keeps_text(last.name())));
    if cast.is_some_and(|at| !keeps(at)) {
        return Value::Other;
    }
    let bare = cast.and_then(|at| expr.get(..at)).unwrap_or(expr);
    match bare {
        [alias, dot, name] if dot.is_sign(".") => match (alias.name(), name.name()) {
            (Some(alias), Some(name)) => Value::Column(alias.to_owned(), name.to_owned()),
            _ => Value::Other,
        },
        [one] => match &one.kind {
            WordKind::Text(text) | WordKind::Number(text) => Value::Constant(text.clone()),
            WordKind::Name(name) if name == "null" => Value::Null,
            WordKind::Name(_) | WordKind::Sign(_) | WordKind::Parameter(_) => Value::Other,
        },
        [minus, number] if minus.is_sign("-") => match &number.kind {
            WordKind::Number(number) => Value::Constant(format!("-{number}")),
            _ => Value::Other,
        },
        _ => Value::Other,
    }
}

/// Whether values of a type are equal when and only when their texts are.
pub(super) fn keeps_text(type_name: Option<&str>) -> bool {
    matches!(type_name, Some("oid" | "name" | "text" | "int2" | "int4" | "int8" | "char"))
}

/// What stands in a FROM clause at its own level.
fn from(words: &[Word]) -> BTreeMap<String, From> {
    let depths = depths(words);
    let mut found = BTreeMap::new();
    for (at, depth) in depths.iter().enumerate() {
        if let Some(Placed { what, alias, .. }) = placed(words.get(at..).unwrap_or_default()).filter(|_| *depth == 0) {
            found.insert(alias, what);
        }
    }
    found
}

/// `schema.name AS alias` at the beginning of some words.
pub(super) struct Placed {
    pub(super) what: From,
    pub(super) alias: String,
    /// How many words it takes.
    pub(super) length: usize,
}

/// What a template reads at the beginning of these words.
pub(super) fn placed(words: &[Word]) -> Option<Placed> {
    let [schema, dot, name, is, alias, ..] = words else { return None };
    if !dot.is_sign(".") || !is.is_name("as") {
        return None;
    }
    let name = name.name()?.to_owned();
    let what = match schema.name()? {
        "map" => From::Map(name),
        "shown" => From::Shown("pg_catalog", name),
        "shown_information" => From::Shown("information_schema", name),
        // A cast in a SELECT list is followed by its column's name, which is never read as an alias.
        "pg_catalog" | "information_schema" => From::Real,
        _ => return None,
    };
    Some(Placed { what, alias: alias.name()?.to_owned(), length: 5 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_template_comes_apart() {
        let text = "-- why\n-- domain: b = system, types.oid\nSELECT c.a, (SELECT x.y, 1 FROM map.session AS x) AS b, \
                    -1::pg_catalog.int4 AS n -- not this\nFROM pg_catalog.pg_class AS c WHERE c.oid < 16384\nUNION ALL\n\
                    SELECT m.a, 'r'::pg_catalog.\"char\", NULL FROM map.products AS m";
        let template = Template::read(text).unwrap();
        assert_eq!(template.columns, ["a", "b", "n"]);
        let [system, map] = template.leaves.as_slice() else { panic!() };
        assert_eq!(system.values, [Value::Column("c".into(), "a".into()), Value::Other, Value::Constant("-1".into())]);
        assert_eq!(system.items[2].text, "-1::pg_catalog.int4");
        assert_eq!(system.from, [("c".to_owned(), From::Real)].into());
        assert_eq!(map.from, [("m".to_owned(), From::Map("products".into()))].into());
        assert_eq!(map.values[1..], [Value::Constant("r".into()), Value::Null]);
        assert_eq!(template.domains["b"], [Source::System, Source::Map("types".into(), "oid".into())]);
    }

    #[test]
    fn what_would_not_be_taken_apart_rightly_is_no_template() {
        for text in [
            "SELECT a.b FROM x UNION SELECT 1",
            "SELECT a.b, a.c FROM x UNION ALL SELECT 1",
            "VALUES (1)",
            "SELECT DISTINCT a.b",
        ] {
            assert!(Template::read(text).is_err(), "{text}");
        }
    }
}
