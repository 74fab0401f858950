//! Reads the warehouse's plan into what may be shown of it.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::super::permit::ExplainShape;
use super::UnreadablePlan;

/// One node of a plan.
#[derive(Debug, PartialEq)]
pub(super) struct Node {
    pub(super) node_type: String,
    pub(super) strategy: Option<String>,
    pub(super) partial_mode: Option<String>,
    pub(super) parent_relationship: Option<String>,
    /// `InitPlan 1 (returns $0)`, `SubPlan 2`; a CTE's name is not shown.
    pub(super) subplan: Option<String>,
    pub(super) parallel: bool,
    pub(super) join_type: Option<String>,
    pub(super) backward: bool,
    /// The product, where the relation is one of the statement's.
    pub(super) product: Option<String>,
    pub(super) costs: Option<Costs>,
    pub(super) children: Vec<Node>,
}

/// The planner's guesses.
#[derive(Debug, PartialEq)]
pub(super) struct Costs {
    pub(super) startup: f64,
    pub(super) total: f64,
    pub(super) rows: f64,
    pub(super) width: f64,
}

pub(super) fn read(json: &str, shape: &ExplainShape) -> Result<Node, UnreadablePlan> {
    let answer: Value = serde_json::from_str(json).map_err(|_| UnreadablePlan)?;
    let plan = answer.get(0).and_then(|statement| statement.get("Plan")).and_then(Value::as_object);
    crate::sql::with_deep_stack(|| node(plan.ok_or(UnreadablePlan)?, shape))
}

fn node(plan: &Map<String, Value>, shape: &ExplainShape) -> Result<Node, UnreadablePlan> {
    // Words of Postgres' own vocabulary consist of letters; anything else is not shown.
    let word = |key: &str| {
        let word = plan.get(key)?.as_str()?;
        word.chars().all(|c| c.is_ascii_alphabetic() || c == ' ' || c == '-').then(|| word.to_owned())
    };
    let number = |key: &str| plan.get(key).and_then(Value::as_f64);
    let costs = || {
        Some(Costs {
            startup: number("Startup Cost")?,
            total: number("Total Cost")?,
            rows: number("Plan Rows")?,
            width: number("Plan Width")?,
        })
    };
    let children = plan.get("Plans").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    Ok(Node {
        node_type: word("Node Type").ok_or(UnreadablePlan)?,
        strategy: word("Strategy"),
        partial_mode: word("Partial Mode"),
        parent_relationship: word("Parent Relationship"),
        subplan: plan.get("Subplan Name").and_then(Value::as_str).map(subplan_name),
        parallel: plan.get("Parallel Aware") == Some(&Value::Bool(true)),
        join_type: word("Join Type"),
        backward: plan.get("Scan Direction").and_then(Value::as_str) == Some("Backward"),
        product: plan.get("Relation Name").and_then(Value::as_str).and_then(|name| product(name, shape)),
        costs: if shape.costs { costs() } else { None },
        children: children
            .iter()
            .map(|child| node(child.as_object().ok_or(UnreadablePlan)?, shape))
            .collect::<Result<_, _>>()?,
    })
}

/// Postgres leaves the schema out; two products behind relations of one name are both named.
fn product(relation: &str, shape: &ExplainShape) -> Option<String> {
    let named = shape.relations.iter().filter(|(name, _)| name.name == relation).map(|(_, id)| id.to_string());
    let products: BTreeSet<String> = named.collect();
    (!products.is_empty()).then(|| products.into_iter().collect::<Vec<_>>().join(" or "))
}

fn subplan_name(name: &str) -> String {
    let own = |prefix: &str| {
        let rest = name.strip_prefix(prefix)?;
        rest.chars()
            .all(|c| c.is_ascii_digit() || " (),$".contains(c) || "returns".contains(c))
            .then(|| name.to_owned())
    };
    match own("InitPlan ").or_else(|| own("SubPlan ")) {
        Some(name) => name,
        None if name.starts_with("CTE ") => "CTE".to_owned(),
        None => "SubPlan".to_owned(),
    }
}
