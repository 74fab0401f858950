//! `predicates = "equality"` on a hash-masked column: a text that is compared with the column is hashed with the same key, by
//! the warehouse, so that somebody who knows a value can look for it without seeing one.
//!
//! What is compared must be written as one: a literal or a parameter, perhaps cast to text. Everything else compares the hash
//! itself, as without the setting.

use std::sync::Arc;

use crate::govern::expression;
use crate::govern::masks;
use crate::sql::ast::{Array, BinaryOperator, DataType, Expr, Value};
use crate::sql::ident;
use crate::sql::resolve::{ColumnLookup, Origin};

use super::Walker;
use super::calls::select_one;
use super::refuse::Walked;

/// How a text is hashed for comparison with a column.
pub(super) type Lookup = Arc<Expr>;

impl Walker<'_> {
    /// How texts are hashed that are compared with this operand, as the client has written it; `None`: as they are.
    pub(super) fn lookup(&self, operand: &Expr) -> Option<Lookup> {
        let origins: Vec<Origin> = match bare(operand) {
            Expr::Identifier(name) => match self.scopes.column(&ident(name)) {
                ColumnLookup::Found(origins) => origins,
                ColumnLookup::Perhaps(_) | ColumnLookup::Missing => return None,
            },
            Expr::CompoundIdentifier(parts) => {
                let [qualifier @ .., column] = parts.as_slice() else { return None };
                self.qualifier(qualifier).ok()?.columns.origins(&ident(column)).collect()
            }
            _ => return None,
        };
        let mut lookups =
            origins.iter().map(|origin| self.needs.columns(origin.reference)?.get(origin.column)?.lookup.clone());
        // After USING a name stands for two columns: both must be hashed, and then they are hashed alike.
        let first = lookups.next()??;
        lookups.all(|lookup| lookup.is_some()).then_some(first)
    }

    /// `email = 'text'` either way round: hashes the text. True when that was it.
    pub(super) fn hashed_comparison(&mut self, left: &mut Expr, right: &mut Expr) -> Walked<bool> {
        let (column, text) = if is_text(right) { (left, right) } else { (right, left) };
        let Some(lookup) = self.lookup(column).filter(|_| is_text(text)) else { return Ok(false) };
        self.expr(column)?;
        self.expr(text)?;
        self.hash(&lookup, text);
        Ok(true)
    }

    /// `email IN ('a', 'b')` becomes `email = ANY (ARRAY[…])`, since a list of subqueries reads as one subquery. `None`: it
    /// stays as it is.
    pub(super) fn hashed_list(&mut self, operand: &mut Expr, list: &mut [Expr], negated: bool) -> Walked<Option<Expr>> {
        let Some(lookup) = self.lookup(operand).filter(|_| list.iter().any(is_text)) else { return Ok(None) };
        self.expr(operand)?;
        for member in list.iter_mut() {
            let hashed = is_text(member);
            self.expr(member)?;
            if hashed {
                self.hash(&lookup, member);
            }
        }
        let take = |expr: &mut Expr| Box::new(std::mem::replace(expr, Expr::value(Value::Null)));
        let left = take(operand);
        let elem = list.iter_mut().map(|member| *take(member)).collect();
        let right = Box::new(Expr::Array(Array { elem, named: true }));
        Ok(Some(Expr::Nested(Box::new(if negated {
            Expr::AllOp { left, compare_op: BinaryOperator::NotEq, right }
        } else {
            Expr::AnyOp { left, compare_op: BinaryOperator::Eq, right, is_some: false }
        }))))
    }

    /// Puts the hash of the text in its place; as a subquery it is computed once and not for each row.
    fn hash(&mut self, lookup: &Expr, text: &mut Expr) {
        let own = std::mem::replace(text, Expr::value(Value::Null));
        let hash = masks::lookup_of(lookup, &own);
        expression::functions_of(&hash, &mut self.needs.functions);
        *text = Expr::Subquery(Box::new(select_one(hash, "hash")));
    }
}

fn bare(mut expr: &Expr) -> &Expr {
    while let Expr::Nested(inner) = expr {
        expr = inner;
    }
    expr
}

/// A string literal or a parameter, perhaps cast to a type of text.
fn is_text(expr: &Expr) -> bool {
    match bare(expr) {
        Expr::Value(value) => matches!(value.value, Value::SingleQuotedString(_) | Value::Placeholder(_)),
        Expr::Cast { expr, data_type, .. } => {
            matches!(data_type, DataType::Text | DataType::Varchar(_) | DataType::CharacterVarying(_)) && is_text(expr)
        }
        _ => false,
    }
}
