//! Writes statements: typed expressions over the products, in every clause that a SELECT has.
//!
//! What is written has one right answer whatever plan is chosen: a LIMIT follows an order of all columns, an order-sensitive
//! aggregate or window an order of its own that is total. Errors of evaluation are the exception: whether `1 / x` is
//! evaluated for a row that another condition drops is the planner's choice.

mod aggregates;
mod expressions;
mod from;
mod queries;

use super::choices::Choices;
use super::schema::Ty;

/// How a statement is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    Simple,
    Extended,
    Binary,
    Copy,
    Explain,
}

/// A statement.
#[derive(Clone, Debug)]
pub struct Statement {
    pub sql: String,
    pub parameters: Vec<String>,
    pub way: Way,
    /// Whether its rows have an order.
    pub ordered: bool,
    /// Whether it has a form that pgveil is known to refuse.
    pub novel: bool,
    /// Whether its rows depend on the plan.
    pub loose: bool,
}

/// A relation that an expression may read.
#[derive(Clone, Debug)]
struct Rel {
    /// What its columns may be qualified with.
    names: Vec<String>,
    columns: Vec<(String, Ty)>,
    /// Columns that tell its rows apart; rows that agree in them are equal.
    key: Vec<String>,
}

/// One query's relations.
#[derive(Clone, Debug, Default)]
struct Level {
    rels: Vec<Rel>,
    /// What `*` gives.
    star: Vec<(String, Ty)>,
    /// The keys, where it is grouped.
    grouped: Option<Vec<(String, Ty)>>,
    /// Whether a column's name alone may stand for it.
    bare: bool,
    /// A window of its WINDOW clause.
    window: Option<String>,
}

/// A query and what it gives.
struct Query {
    sql: String,
    /// Names are empty where they are Postgres' choice.
    columns: Vec<(String, Ty)>,
    ordered: bool,
}

#[derive(Clone, Copy)]
struct Allowed {
    aggregates: bool,
    windows: bool,
    subqueries: bool,
    outer: bool,
}

pub struct Grammar<'c> {
    choices: &'c mut Choices,
    fuel: i32,
    levels: Vec<Level>,
    ctes: Vec<(String, Vec<(String, Ty)>)>,
    /// Names of relations that were used without an alias.
    used: Vec<String>,
    names: usize,
    parameters: Option<Vec<String>>,
    allowed: Allowed,
    novel: bool,
}

impl<'c> Grammar<'c> {
    /// Writes one statement.
    pub fn statement(choices: &'c mut Choices) -> Statement {
        let way = match choices.below(20) {
            0..=9 => Way::Simple,
            10..=13 => Way::Extended,
            14..=16 => Way::Binary,
            17 | 18 => Way::Copy,
            _ => Way::Explain,
        };
        let fuel = 12 + i32::try_from(choices.below(60)).unwrap();
        let parameters = matches!(way, Way::Extended | Way::Binary).then(Vec::new);
        let allowed = Allowed { aggregates: false, windows: false, subqueries: true, outer: true };
        let mut grammar = Self {
            choices,
            fuel,
            levels: Vec::new(),
            ctes: Vec::new(),
            used: Vec::new(),
            names: 0,
            parameters,
            allowed,
            novel: false,
        };
        let query = grammar.query(None, 4, true);
        let sql = match way {
            Way::Copy => {
                format!("COPY ({}) TO STDOUT{}", query.sql, grammar.one(&["", " (FORMAT csv)", " CSV HEADER"]))
            }
            Way::Explain => format!("EXPLAIN {}", query.sql),
            _ => query.sql,
        };
        let parameters = grammar.parameters.unwrap_or_default();
        Statement { sql, parameters, way, ordered: query.ordered, novel: grammar.novel, loose: false }
    }

    fn below(&mut self, n: usize) -> usize {
        self.choices.below(n)
    }
    /// True in so many of a hundred cases.
    fn percent(&mut self, percent: usize) -> bool {
        self.below(100) >= 100 - percent
    }
    /// One of these; the first is the simplest.
    fn one<'a>(&mut self, of: &[&'a str]) -> &'a str {
        of[self.below(of.len())]
    }
    fn fresh(&mut self, prefix: &str) -> String {
        self.names += 1;
        format!("{prefix}{}", self.names)
    }
    /// Does `inner` with other things allowed.
    fn with<T>(&mut self, allowed: Allowed, inner: impl FnOnce(&mut Self) -> T) -> T {
        let before = std::mem::replace(&mut self.allowed, allowed);
        let made = inner(self);
        self.allowed = before;
        made
    }
    /// Does `inner` with neither aggregates nor windows allowed.
    fn plainly<T>(&mut self, inner: impl FnOnce(&mut Self) -> T) -> T {
        self.with(Allowed { aggregates: false, windows: false, ..self.allowed }, inner)
    }
    fn level(&self) -> Option<&Level> {
        self.levels.last()
    }
    /// Expressions that put the rows of this level into a total order, but for equal ones.
    fn identity(&self) -> Vec<String> {
        let Some(level) = self.level() else { return Vec::new() };
        match &level.grouped {
            Some(keys) => keys.iter().map(|(key, _)| key.clone()).collect(),
            None => level.rels.iter().flat_map(|r| r.key.iter().map(|k| format!("{}.{k}", r.names[0]))).collect(),
        }
    }
}

/// A comma-separated list.
fn list(items: &[String]) -> String {
    items.join(", ")
}
