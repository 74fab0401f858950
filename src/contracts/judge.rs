//! From what the warehouse said to what people are told.

use std::time::Duration;

use jiff::Timestamp;

use crate::catalog::{Check, CheckKind, Product};

use super::plan::{Plan, Way};
use super::schema::{Difference, Gravity};
use super::texts::{count, counted, span};
use super::validation::{CheckOutcome, CheckSeverity, CheckType, Validation};

/// What one statement, or one column of the scan, said.
#[derive(Clone, Debug)]
pub(super) struct Answer {
    /// The first row; or why there is none.
    pub(super) said: Result<Vec<Option<String>>, String>,
    pub(super) took: Duration,
}

/// Everything that was said.
#[derive(Debug)]
pub(super) struct Answers {
    /// For each measure of the plan.
    pub(super) measures: Vec<Answer>,
    /// For each way of the plan that has a statement of its own.
    pub(super) ways: Vec<Option<Answer>>,
}

/// The checks with their outcomes, and what was measured on the way.
#[derive(Debug, Default)]
pub(super) struct Judged {
    checks: Vec<CheckOutcome>,
    warnings: Vec<String>,
    rows: Option<u64>,
    stale_seconds: Option<u64>,
}

impl Judged {
    pub(super) fn validation(self, product: &Product, started_at: Timestamp, took: Duration) -> Validation {
        Validation {
            product: product.id.clone(),
            version: product.version,
            started_at,
            duration_ms: millis(took),
            passed: self.checks.iter().all(|check| check.passed || check.severity == CheckSeverity::Warning),
            checks: self.checks,
            warnings: self.warnings,
            rows: self.rows,
            stale_seconds: self.stale_seconds,
        }
    }
}

/// No check could run.
pub(super) fn unreachable(product: &Product, reason: &str) -> Judged {
    let mut checks = vec![schema_outcome(Verdict::not_run(reason), Duration::ZERO)];
    checks.extend(product.checks.iter().map(|check| outcome(check, Verdict::not_run(reason), Duration::ZERO)));
    Judged { checks, ..Judged::default() }
}

/// There is nothing to look at.
pub(super) fn without_relation(product: &Product, differences: Vec<Difference>) -> Judged {
    let reason = format!("relation {} does not exist", product.relation);
    let mut judged = unreachable(product, &reason);
    if let Some(first) = judged.checks.first_mut() {
        *first = schema_outcome(schema_verdict(&differences, &[]), Duration::ZERO);
    }
    judged
}

/// Judges every check.
pub(super) fn judge(product: &Product, plan: &Plan, differences: Vec<Difference>, answers: Answers) -> Judged {
    let mut checks = Vec::with_capacity(product.checks.len() + 1);
    let promised: Vec<(&str, Result<Option<f64>, &str>)> =
        plan.promised.iter().map(|(column, place)| (column.as_str(), answers.number(*place))).collect();
    let took = if promised.is_empty() { Duration::ZERO } else { answers.took(0) };
    checks.push(schema_outcome(schema_verdict(&differences, &promised), took));
    for ((check, way), answer) in product.checks.iter().zip(&plan.ways).zip(&answers.ways) {
        let (verdict, took) = match (way, answer) {
            (Way::Not(reason), _) => (Verdict::not_run(reason), Duration::ZERO),
            (Way::KeyOfTheWarehouse, _) => {
                (Verdict::passed("the warehouse itself forbids duplicates".to_owned(), Some(0.0)), Duration::ZERO)
            }
            (Way::Scan(place), _) => (measured(&check.kind, answers.number(*place)), answers.took(*place)),
            (Way::Keys(_), Some(answer)) => (keys(&check.kind, answer), answer.took),
            (Way::Custom(_), Some(answer)) => (custom(answer), answer.took),
            (Way::Keys(_) | Way::Custom(_), None) => (Verdict::not_run("it was not asked"), Duration::ZERO),
        };
        checks.push(outcome(check, verdict, took));
    }
    let whole = |place: usize| answers.number(place).ok().flatten().map(|n| n.max(0.0) as u64);
    Judged { checks, warnings: warnings(differences), rows: whole(0), stale_seconds: plan.age.and_then(whole) }
}

impl Answers {
    /// The number that a measure gave; `None`: NULL.
    fn number(&self, place: usize) -> Result<Option<f64>, &str> {
        let answer = self.measures.get(place).ok_or("it was not asked")?;
        let row = answer.said.as_ref().map_err(String::as_str)?;
        Ok(row.first().and_then(Option::as_ref).and_then(|text| text.parse().ok()))
    }
    fn took(&self, place: usize) -> Duration {
        self.measures.get(place).map_or(Duration::ZERO, |answer| answer.took)
    }
}

/// How one check ended.
struct Verdict {
    passed: bool,
    ran: bool,
    message: String,
    value: Option<f64>,
}

impl Verdict {
    fn passed(message: String, value: Option<f64>) -> Self {
        Self { passed: true, ran: true, message, value }
    }
    fn new(passed: bool, message: String, value: f64) -> Self {
        Self { passed, ran: true, message, value: Some(value) }
    }
    fn not_run(reason: &str) -> Self {
        Self { passed: false, ran: false, message: format!("could not be checked: {reason}"), value: None }
    }
}

fn outcome(check: &Check, verdict: Verdict, took: Duration) -> CheckOutcome {
    let kind = match &check.kind {
        CheckKind::NotNull { .. } => CheckType::NotNull,
        CheckKind::Unique { .. } => CheckType::Unique,
        CheckKind::Range { .. } => CheckType::Range,
        CheckKind::Freshness { .. } => CheckType::Freshness,
        CheckKind::RowCount { .. } => CheckType::RowCount,
        CheckKind::CustomSql { .. } => CheckType::CustomSql,
    };
    made(check.name.clone(), kind, check.severity.into(), verdict, took)
}

fn schema_outcome(verdict: Verdict, took: Duration) -> CheckOutcome {
    made("schema".to_owned(), CheckType::Schema, CheckSeverity::Error, verdict, took)
}

fn made(name: String, kind: CheckType, severity: CheckSeverity, verdict: Verdict, took: Duration) -> CheckOutcome {
    let Verdict { passed, ran, message, value } = verdict;
    CheckOutcome { name, kind, severity, passed, ran, message, value, duration_ms: millis(took) }
}

fn schema_verdict(differences: &[Difference], promised: &[(&str, Result<Option<f64>, &str>)]) -> Verdict {
    let wrong = differences.iter().filter(|found| found.gravity == Gravity::Error);
    let mut faults: Vec<String> = wrong.map(|found| found.message.clone()).collect();
    for (column, nulls) in promised {
        match nulls {
            Ok(Some(nulls)) if *nulls > 0.0 => {
                let nulls = counted(*nulls as u64, "null value", "null values");
                faults.push(format!("{nulls} in {column}, which is not nullable by the contract"));
            }
            Ok(_) => {}
            Err(reason) => faults.push(format!("{column} could not be checked for null values: {reason}")),
        }
    }
    match faults.as_slice() {
        [] => Verdict::passed("every column is there, with its type and nullability".to_owned(), Some(0.0)),
        faults => Verdict::new(false, faults.join("; "), faults.len() as f64),
    }
}

/// Of what is no fault only what the contract does not name: a nullable column was looked at by its rows.
fn warnings(differences: Vec<Difference>) -> Vec<String> {
    differences.into_iter().filter(|found| found.code == "undeclared").map(|found| found.message).collect()
}

fn measured(kind: &CheckKind, answer: Result<Option<f64>, &str>) -> Verdict {
    let number = match answer {
        Ok(number) => number,
        Err(reason) => return Verdict::not_run(reason),
    };
    if let CheckKind::Freshness { column, max_stale } = kind {
        return freshness(column, *max_stale, number);
    }
    let Some(number) = number else { return Verdict::not_run("the warehouse gave no number") };
    match kind {
        CheckKind::NotNull { column } => {
            let nulls = if number > 0.0 { count(number as u64) } else { "no".to_owned() };
            let noun = if number == 1.0 { "value" } else { "values" };
            Verdict::new(number == 0.0, format!("{nulls} null {noun} in {column}"), number)
        }
        CheckKind::Range { column, min, max } => {
            let (within, outside) = match (min, max) {
                (Some(min), Some(max)) => (format!("from {min} to {max}"), format!("outside of {min} to {max}")),
                (Some(min), None) => (format!("at least {min}"), format!("below {min}")),
                (None, max) => {
                    let max = max.as_deref().unwrap_or_default();
                    (format!("at most {max}"), format!("above {max}"))
                }
            };
            let message = if number == 0.0 {
                format!("every value of {column} is {within}")
            } else {
                format!("{} of {column} {outside}", counted(number as u64, "value", "values"))
            };
            Verdict::new(number == 0.0, message, number)
        }
        CheckKind::RowCount { min, max } => row_count(*min, *max, number as u64),
        CheckKind::Freshness { .. } | CheckKind::Unique { .. } | CheckKind::CustomSql { .. } => {
            Verdict::not_run("no scan tells this")
        }
    }
}

fn freshness(column: &str, max_stale: Duration, age: Option<f64>) -> Verdict {
    let Some(age) = age else {
        return Verdict { value: None, ..Verdict::new(false, format!("no row has a moment in {column}"), 0.0) };
    };
    let most = max_stale.as_secs_f64();
    let message = format!("data is {} stale, at most {}", span(age), span(most));
    // In hours, as the file's own parameter.
    Verdict::new(age <= most, message, (age / 36.0).round() / 100.0)
}

fn row_count(min: Option<u64>, max: Option<u64>, rows: u64) -> Verdict {
    let said = counted(rows, "row", "rows");
    let (passed, message) = match (min, max) {
        (Some(min), _) if rows < min => (false, format!("{said}, at least {}", count(min))),
        (_, Some(max)) if rows > max => (false, format!("{said}, at most {}", count(max))),
        _ => (true, said),
    };
    Verdict::new(passed, message, rows as f64)
}

fn keys(kind: &CheckKind, answer: &Answer) -> Verdict {
    let CheckKind::Unique { columns } = kind else { return Verdict::not_run("no key is named") };
    let row = match &answer.said {
        Ok(row) => row,
        Err(reason) => return Verdict::not_run(reason),
    };
    let number = |n: usize| row.get(n).and_then(Option::as_ref).and_then(|text| text.parse::<f64>().ok());
    let (Some(keys), Some(rows)) = (number(0), number(1)) else {
        return Verdict::not_run("the warehouse gave no number");
    };
    let names = columns.join(", ");
    let message = if keys == 0.0 {
        format!("no two rows are equal in {names}")
    } else {
        format!("{} in {names} ({} rows)", counted(keys as u64, "duplicate key", "duplicate keys"), count(rows as u64))
    };
    Verdict::new(keys == 0.0, message, keys)
}

fn custom(answer: &Answer) -> Verdict {
    let row = match &answer.said {
        Ok(row) => row,
        Err(reason) => return Verdict::not_run(reason),
    };
    let Some(first) = row.first() else {
        return Verdict::not_run("its sql gave no row; its first column must be the number of violations");
    };
    let Some(text) = first else {
        return Verdict::not_run("its sql gave NULL for the number of violations; write coalesce(…, 0)");
    };
    match text.parse::<f64>() {
        Ok(number) if number.is_finite() => {
            let message = if number == 0.0 {
                "no violations".to_owned()
            } else if number > 0.0 && number.fract() == 0.0 {
                counted(number as u64, "violation", "violations")
            } else {
                format!("{number} violations")
            };
            Verdict::new(number == 0.0, message, number)
        }
        // What stands there instead may be anything of the data.
        _ => Verdict::not_run("the first column of its sql is not a number of violations"),
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
