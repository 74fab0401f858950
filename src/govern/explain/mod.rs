//! EXPLAIN's answer as a client may see it: node types, join types and product names, with costs and rows only where
//! nothing is guarded. It is rebuilt from a list of what may be shown, never filtered.

mod plan;
mod print;

use crate::sql::statement::ExplainFormat;

use super::permit::ExplainShape;

/// The warehouse's answer was no plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the plan of the warehouse could not be read")]
pub struct UnreadablePlan;

/// The rows of the answer from the warehouse's `FORMAT JSON`: a line each for TEXT, one row for the other formats.
pub fn render(json: &str, shape: &ExplainShape) -> Result<Vec<String>, UnreadablePlan> {
    let root = plan::read(json, shape)?;
    Ok(match shape.format {
        ExplainFormat::Text => print::text(&root),
        ExplainFormat::Json => vec![print::json(&root)],
        ExplainFormat::Yaml => vec![print::yaml(&root)],
        ExplainFormat::Xml => vec![print::xml(&root)],
    })
}

#[cfg(test)]
mod tests;
