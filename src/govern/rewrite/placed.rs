//! The columns that a reference to a product shows: those without which the statement would not mean the same. What it does
//! not read, the warehouse need not parse and plan.

use std::sync::Arc;

use crate::sql::ast::{Join, TableFactor, TableWithJoins};

use super::Walker;
use super::refuse::{Walked, foreign};

impl Walker<'_> {
    /// Gives the products of a FROM clause that has been read their columns. `first` is where its part of `placed` begins.
    pub(super) fn show_columns(&mut self, from: &mut [TableWithJoins], first: usize) -> Walked {
        let mut placed = self.placed.split_off(first).into_iter();
        for item in from {
            self.show_joined(item, &mut placed)?;
        }
        if placed.next().is_some() { Err(foreign("this in FROM")) } else { Ok(()) }
    }

    fn show_joined(&mut self, item: &mut TableWithJoins, placed: &mut impl Iterator<Item = Option<usize>>) -> Walked {
        let TableWithJoins { relation, joins } = item;
        self.show_factor(relation, placed)?;
        joins.iter_mut().try_for_each(|Join { relation, .. }| self.show_factor(relation, placed))
    }

    /// Relations, subqueries and calls were noted in this order.
    fn show_factor(&mut self, factor: &mut TableFactor, placed: &mut impl Iterator<Item = Option<usize>>) -> Walked {
        if let TableFactor::NestedJoin { table_with_joins, .. } = factor {
            return self.show_joined(table_with_joins, placed);
        }
        match (placed.next(), factor) {
            (Some(None), _) => Ok(()),
            (Some(Some(reference)), TableFactor::Derived { subquery, .. })
                if self.needs.system_referenced(reference).is_some() =>
            {
                self.show_system(reference, subquery)
            }
            (Some(Some(reference)), TableFactor::Derived { subquery, .. }) => {
                let (Some(need), Some(kept)) = (self.needs.referenced(reference), self.needs.kept(reference)) else {
                    return Err(foreign("this in FROM"));
                };
                let view = Arc::clone(&need.view);
                let functions = view.show(subquery, |column| kept.contains(&column));
                self.needs.functions.extend(functions.into_iter().cloned());
                Ok(())
            }
            (Some(Some(_)) | None, _) => Err(foreign("this in FROM")),
        }
    }
}
