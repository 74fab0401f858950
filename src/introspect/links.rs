//! What the conditions of a statement say of the columns of its system relations: constants and equalities. From them follows
//! which rows cannot matter, across joins too.

use std::sync::Arc;

use super::domain::Domain;
use super::overlay::{Constraints, Expander, Overlay};

/// A column of a reference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The number of the reference.
    pub reference: usize,
    /// The column's name.
    pub column: String,
}

/// What is known of a statement.
#[derive(Clone, Debug, Default)]
pub struct Links {
    constants: Vec<(Place, Domain)>,
    equal: Vec<(Place, Place)>,
}

/// Equalities are followed through so many joins.
const ROUNDS: usize = 4;

impl Links {
    /// Rows whose column has none of these values cannot matter.
    pub fn constant(&mut self, place: Place, domain: Domain) {
        self.constants.push((place, domain));
    }
    /// Rows whose column `to` has a value that `from` cannot have, cannot matter.
    pub fn equal(&mut self, from: Place, to: Place) {
        self.equal.push((from, to));
    }

    /// What follows for each reference; those that are none to a system relation have no overlay.
    pub fn solve(&self, references: &[Option<Arc<Overlay>>], expander: &Expander<'_>) -> Vec<Constraints> {
        let mut all = vec![Constraints::new(); references.len()];
        let narrow = |all: &mut Vec<Constraints>, place: &Place, domain: Domain| {
            if let Some(constraints) = all.get_mut(place.reference) {
                let known = constraints.entry(place.column.clone()).or_default();
                *known = std::mem::take(known).and(domain);
            }
        };
        for (place, domain) in &self.constants {
            narrow(&mut all, place, domain.clone());
        }
        for _ in 0..ROUNDS {
            let before = all.clone();
            for (from, to) in &self.equal {
                let Some(Some(overlay)) = references.get(from.reference) else { continue };
                let Some(constraints) = all.get(from.reference) else { continue };
                let domain = expander.domain(overlay, constraints, &from.column);
                if domain != Domain::Any {
                    narrow(&mut all, to, domain);
                }
            }
            if all == before {
                break;
            }
        }
        all
    }
}
