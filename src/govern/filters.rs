//! Row filters: which rows a set of roles sees.
//!
//! The filters that bind one role are joined with AND, the roles with OR. A filter that reads an attribute which the user does
//! not have shows no row.

use std::collections::{BTreeMap, BTreeSet};

use crate::catalog::{FilterScope, Product};
use crate::config::Attribute;
use crate::error::Diagnostics;
use crate::names::RoleName;
use crate::sql::ast::{Expr, Value};

use super::expression::{self, Purpose};
use super::facts::RelationFacts;
use super::snapshot::SnapshotParts;

/// One row filter, parsed and checked; `{user.NAME}` placeholders are still in it.
#[derive(Debug)]
pub(in crate::govern) struct FilterTemplate {
    scope: FilterScope,
    predicate: Expr,
    attributes: BTreeSet<String>,
}

/// Parses and checks the filters of a product.
pub(in crate::govern) fn compile(
    product: &Product,
    facts: Option<&RelationFacts>,
    parts: &SnapshotParts,
    findings: &mut Diagnostics,
) -> Vec<FilterTemplate> {
    let mut templates = Vec::new();
    for filter in &product.row_filters {
        match expression::compile(&filter.predicate, Purpose::Filter, product, facts, &parts.policy.functions) {
            Ok(predicate) => templates.push(FilterTemplate {
                scope: filter.scope.clone(),
                attributes: expression::attributes_of(&predicate),
                predicate,
            }),
            Err(fault) => {
                let finding = product.finding_at(filter.span.clone(), format!("row filter: {}", fault.message));
                findings.push(match fault.hint {
                    Some(hint) => finding.with_hint(hint),
                    None => finding,
                });
            }
        }
    }
    templates
}

/// The attributes that the filters of these roles read, with the user's values: what a view depends on.
pub(in crate::govern) fn attributes_read(
    filters: &[FilterTemplate],
    roles: &[RoleName],
    attributes: &BTreeMap<String, Attribute>,
) -> Vec<(String, Attribute)> {
    let names: BTreeSet<&String> = filters
        .iter()
        .filter(|filter| roles.iter().any(|role| filter.scope.binds(role)))
        .flat_map(|filter| &filter.attributes)
        .collect();
    names.into_iter().filter_map(|name| Some((name.clone(), attributes.get(name)?.clone()))).collect()
}

/// The rows that roles see: a row is seen when one of the alternatives holds.
#[derive(Debug, PartialEq)]
pub(in crate::govern) enum Visible {
    /// Every row.
    All,
    /// The rows for which one of the lists holds whole. Without a list: none.
    Where(Vec<Vec<Expr>>),
}

/// Which rows these roles see.
pub(in crate::govern) fn visible_to(
    filters: &[FilterTemplate],
    roles: &[RoleName],
    attributes: &BTreeMap<String, Attribute>,
) -> Visible {
    let mut alternatives: Vec<Vec<Expr>> = Vec::new();
    for role in roles {
        let binding: Vec<Expr> = filters
            .iter()
            .filter(|filter| filter.scope.binds(role))
            .map(|filter| filter.for_user(attributes))
            .collect();
        if binding.is_empty() {
            return Visible::All;
        }
        if !alternatives.contains(&binding) {
            alternatives.push(binding);
        }
    }
    Visible::Where(alternatives)
}

impl Visible {
    /// Whether every row of `other` is seen for sure.
    pub(in crate::govern) fn covers(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::All, _) => true,
            (Self::Where(_), Self::All) => false,
            (Self::Where(own), Self::Where(others)) => others.iter().all(|alternative| own.contains(alternative)),
        }
    }

    /// As one predicate; `None`: every row.
    pub(in crate::govern) fn predicate(&self) -> Option<Expr> {
        let Self::Where(alternatives) = self else { return None };
        let each = alternatives.iter().filter_map(|list| list.iter().cloned().reduce(expression::and));
        Some(each.reduce(expression::or).unwrap_or_else(never))
    }
}

impl FilterTemplate {
    fn for_user(&self, attributes: &BTreeMap<String, Attribute>) -> Expr {
        if self.attributes.iter().all(|name| attributes.contains_key(name)) {
            expression::fill_attributes(self.predicate.clone(), attributes)
        } else {
            never()
        }
    }
}

fn never() -> Expr {
    Expr::value(Value::Boolean(false))
}

#[cfg(test)]
mod tests;
