//! Every expression inside an expression of a product or of a mask: the shapes that the check allows, and no other.

use crate::sql::ast::{AccessExpr, Array, Expr, FunctionArg, FunctionArgExpr, FunctionArguments, Subscript};

/// Calls `visit` with the expression and everything inside it, outermost first.
pub(super) fn each(expr: &mut Expr, visit: &mut dyn FnMut(&mut Expr)) {
    visit(expr);
    for child in children(expr) {
        each(child, visit);
    }
}

fn children(expr: &mut Expr) -> Vec<&mut Expr> {
    match expr {
        Expr::Nested(inner)
        | Expr::IsTrue(inner)
        | Expr::IsNotTrue(inner)
        | Expr::IsFalse(inner)
        | Expr::IsNotFalse(inner)
        | Expr::IsUnknown(inner)
        | Expr::IsNotUnknown(inner)
        | Expr::IsNull(inner)
        | Expr::IsNotNull(inner)
        | Expr::UnaryOp { expr: inner, .. }
        | Expr::Cast { expr: inner, .. }
        | Expr::Extract { expr: inner, .. }
        | Expr::Ceil { expr: inner, .. }
        | Expr::Floor { expr: inner, .. }
        | Expr::Collate { expr: inner, .. } => vec![inner],
        Expr::IsDistinctFrom(a, b) | Expr::IsNotDistinctFrom(a, b) => vec![a, b],
        Expr::BinaryOp { left, right, .. } | Expr::AnyOp { left, right, .. } | Expr::AllOp { left, right, .. } => {
            vec![left, right]
        }
        Expr::Between { expr, low, high, .. } => vec![expr, low, high],
        Expr::AtTimeZone { timestamp, time_zone } => vec![timestamp, time_zone],
        Expr::Position { expr, r#in } => vec![expr, r#in],
        Expr::InList { expr, list, .. } => std::iter::once(&mut **expr).chain(list).collect(),
        Expr::Like { expr, pattern, escape_char, .. }
        | Expr::ILike { expr, pattern, escape_char, .. }
        | Expr::SimilarTo { expr, pattern, escape_char, .. } => {
            [Some(expr), Some(pattern), escape_char.as_mut()].into_iter().flatten().map(|b| &mut **b).collect()
        }
        Expr::Case { operand, conditions, else_result, .. } => operand
            .iter_mut()
            .chain(else_result)
            .map(|b| &mut **b)
            .chain(conditions.iter_mut().flat_map(|when| [&mut when.condition, &mut when.result]))
            .collect(),
        Expr::Array(Array { elem, .. }) => elem.iter_mut().collect(),
        Expr::CompoundFieldAccess { root, access_chain } => {
            std::iter::once(&mut **root).chain(access_chain.iter_mut().flat_map(subscripts)).collect()
        }
        Expr::Substring { expr, substring_from, substring_for, .. } => {
            [Some(expr), substring_from.as_mut(), substring_for.as_mut()]
                .into_iter()
                .flatten()
                .map(|b| &mut **b)
                .collect()
        }
        Expr::Trim { trim_what, expr, trim_characters, .. } => std::iter::once(&mut **expr)
            .chain(trim_what.as_deref_mut())
            .chain(trim_characters.iter_mut().flatten())
            .collect(),
        Expr::Overlay { expr, overlay_what, overlay_from, overlay_for } => {
            [Some(expr), Some(overlay_what), Some(overlay_from), overlay_for.as_mut()]
                .into_iter()
                .flatten()
                .map(|b| &mut **b)
                .collect()
        }
        Expr::Function(function) => match &mut function.args {
            FunctionArguments::List(list) => list
                .args
                .iter_mut()
                .filter_map(|argument| match argument {
                    FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => Some(expr),
                    _ => None,
                })
                .collect(),
            FunctionArguments::None | FunctionArguments::Subquery(_) => Vec::new(),
        },
        // Leaves, and what the check refuses.
        _ => Vec::new(),
    }
}

fn subscripts(access: &mut AccessExpr) -> Vec<&mut Expr> {
    match access {
        AccessExpr::Subscript(Subscript::Index { index }) => vec![index],
        AccessExpr::Subscript(Subscript::Slice { lower_bound, upper_bound, .. }) => {
            [lower_bound, upper_bound].into_iter().flatten().collect()
        }
        AccessExpr::Dot(expr) => vec![expr],
    }
}
