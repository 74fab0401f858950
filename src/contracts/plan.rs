//! A product's checks, compiled against what its relation really is: one scan for everything that a row of aggregates can
//! tell, and what needs a statement of its own.

use crate::catalog::{Check, CheckKind, Product};
use crate::govern::facts::{ColumnFacts, RelationFacts, RelationKind};
use crate::names::quote_identifier;

use super::measure::{Measure, Moment, bound};
use super::schema::{contract_type, type_word};

/// How one check is looked at.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Way {
    /// By a measure of the scan, at this place.
    Scan(usize),
    /// By a statement that counts keys that stand more than once, and their rows.
    Keys(String),
    /// The warehouse itself forbids duplicates.
    KeyOfTheWarehouse,
    /// By the file's own statement.
    Custom(String),
    /// It cannot be looked at, for this reason.
    Not(String),
}

/// All that is asked of the warehouse for one product.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Plan {
    relation: String,
    /// The scan's measures, each once. The first counts the rows.
    pub(super) measures: Vec<Measure>,
    /// In the order of the product's checks.
    pub(super) ways: Vec<Way>,
    /// Columns that must not hold NULL by the contract and may by the warehouse, with their place in the scan.
    pub(super) promised: Vec<(String, usize)>,
    /// Where in the scan the age stands by which the product is fresh.
    pub(super) age: Option<usize>,
}

impl Plan {
    pub(super) fn new(product: &Product, facts: &RelationFacts) -> Self {
        let mut plan = Self {
            relation: product.relation.to_sql(),
            measures: vec![Measure::Rows],
            ways: Vec::new(),
            promised: Vec::new(),
            age: None,
        };
        for check in &product.checks {
            let way = plan.way(check, product, facts);
            plan.ways.push(way);
        }
        for column in product.columns.iter().filter(|column| !column.nullable) {
            if facts.column(&column.name).is_some_and(|real| !real.not_null) {
                let place = plan.measure(Measure::Nulls(column.name.clone()));
                plan.promised.push((column.name.clone(), place));
            }
        }
        if let Some(column) = &product.sla.freshness_column
            && let Some(moment) = facts.column(column).and_then(Moment::of)
        {
            plan.age = Some(plan.measure(Measure::Age { column: column.clone(), moment }));
        }
        plan
    }

    /// The scan of these measures.
    pub(super) fn scan(&self, measures: &[Measure]) -> String {
        let items: Vec<String> = measures.iter().map(Measure::to_sql).collect();
        format!("SELECT {} FROM {}", items.join(", "), self.relation)
    }

    fn measure(&mut self, measure: Measure) -> usize {
        match self.measures.iter().position(|known| *known == measure) {
            Some(place) => place,
            None => {
                self.measures.push(measure);
                self.measures.len() - 1
            }
        }
    }

    fn way(&mut self, check: &Check, product: &Product, facts: &RelationFacts) -> Way {
        match &check.kind {
            CheckKind::RowCount { .. } => Way::Scan(0),
            CheckKind::CustomSql { sql } => Way::Custom(sql.clone()),
            CheckKind::NotNull { column } => match facts.column(column) {
                Some(_) => Way::Scan(self.measure(Measure::Nulls(column.clone()))),
                None => Way::Not(missing(column)),
            },
            CheckKind::Unique { columns } => match columns.iter().find(|column| facts.column(column).is_none()) {
                Some(column) => Way::Not(missing(column)),
                None if is_key(columns, facts) => Way::KeyOfTheWarehouse,
                None => Way::Keys(self.keys(columns)),
            },
            CheckKind::Range { column, min, max } => match as_promised(column, product, facts) {
                Ok((contract, real)) => {
                    let bound = |written: &Option<String>| written.as_ref().map(|text| bound(text, contract, real));
                    let measure = Measure::Outside { column: column.clone(), min: bound(min), max: bound(max) };
                    Way::Scan(self.measure(measure))
                }
                Err(reason) => Way::Not(reason),
            },
            CheckKind::Freshness { column, .. } => match facts.column(column) {
                None => Way::Not(missing(column)),
                Some(real) => match Moment::of(real) {
                    Some(moment) => Way::Scan(self.measure(Measure::Age { column: column.clone(), moment })),
                    None => Way::Not(format!("column {column} is {}, which tells no moment", real.sql_type)),
                },
            },
        }
    }

    /// As in Postgres' own unique constraints, NULLs are not equal to each other.
    fn keys(&self, columns: &[String]) -> String {
        let quoted: Vec<String> = columns.iter().map(|column| quote_identifier(column)).collect();
        let present: Vec<String> = quoted.iter().map(|column| format!("{column} IS NOT NULL")).collect();
        format!(
            "SELECT count(*), coalesce(sum(k.n), 0) FROM (SELECT count(*) AS n FROM {} WHERE {} GROUP BY {} \
             HAVING count(*) > 1) AS k",
            self.relation,
            present.join(" AND "),
            quoted.join(", ")
        )
    }
}

fn missing(column: &str) -> String {
    format!("column {column} does not exist")
}

/// Whether a key of the relation consists of nothing but these columns. Rows of inheritance children are in no key of
/// their parent; what views and foreign tables promise is not enforced where they stand.
fn is_key(columns: &[String], facts: &RelationFacts) -> bool {
    let enforced = match facts.kind {
        RelationKind::Table | RelationKind::MaterializedView => !facts.has_children,
        RelationKind::PartitionedTable => true,
        RelationKind::View | RelationKind::ForeignTable => false,
    };
    let covered = |key: &Vec<String>| !key.is_empty() && key.iter().all(|column| columns.contains(column));
    enforced && std::iter::once(&facts.primary_key).chain(&facts.unique_keys).any(covered)
}

type Promised<'f> = (crate::catalog::ContractType, &'f ColumnFacts);

/// The column, when it really has the type by which its bounds are read.
fn as_promised<'f>(column: &str, product: &Product, facts: &'f RelationFacts) -> Result<Promised<'f>, String> {
    let real = facts.column(column).ok_or_else(|| missing(column))?;
    let contract = product.column(column).ok_or_else(|| missing(column))?.contract_type;
    match contract_type(real) {
        Some(found) if found != contract => Err(format!(
            "column {column} is {} in the warehouse, where the contract says {}",
            real.sql_type,
            type_word(contract)
        )),
        _ => Ok((contract, real)),
    }
}
