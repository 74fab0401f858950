//! When the fence may be left out.
//!
//! Without `OFFSET 0` the planner takes a product's derived table apart: the row filter then is one condition among others
//! of a scan, and what stands before it in the scan's order is evaluated on rows that the filter hides. Such an expression
//! must not be able to tell of a value: no error, no message. So the fence is left out where every condition of the statement
//! that can come to stand beside the filter is made of columns that are shown as they are, constants and the operators of
//! [`leak_proof`].
//!
//! What can come to stand there (`optimizer/` of PostgreSQL 13 to 17):
//!
//! - WHERE and ON, of the query that names the product and of every query around it: conditions are pushed into derived
//!   tables, WITH queries and the arms of set operations, with the inner query's select list put in for its columns. So a
//!   column that is computed anywhere below is no plain one.
//! - USING and NATURAL, and both sides of IN (SELECT …), which are joins.
//! - HAVING where it has no aggregate of its own query: it is moved to WHERE.
//! - Conditions that nobody wrote: from `a = b AND b = c` follows `a = c`, with the operator for the types of a and c. Of the
//!   types here only dates and timestamps have such operators that are not leak-proof; hence [`Fences::mixing`].
//! - A condition without a column is evaluated on a row all the same, and whether it fails tells that a row is there. So it is
//!   held against the list too, and a subquery never passes.
//! - Parameterised scans: a join condition is evaluated at the scan of either side. Index conditions are conditions.
//!
//! What does not: the select list, GROUP BY, DISTINCT, windows, aggregates with their FILTER, LIMIT and the arguments of
//! functions in FROM are evaluated on what a scan gives out, behind its conditions; constants are folded before any row is
//! read. ORDER BY is too, but for an index that sorts by distance while it reads: see [`Fences::keep_all`]. Grouping sets keep
//! every fence for their answer's sake, not for secrecy's.
//!
//! The row filter itself may be anything: it is the policy's own. So may masks be, which no condition here looks at.

mod kind;

use std::collections::{BTreeMap, BTreeSet};

pub use kind::{Kind, leak_proof};

/// What became of a product's fence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fence {
    /// There is nothing to fence.
    None,
    /// It is left out: no condition of the statement could tell of a hidden row.
    LeftOut,
    /// It stands, and why.
    Stands(String),
}

/// A condition of a statement, judged.
#[derive(Debug)]
pub struct Condition {
    /// The references whose columns it reads; `None`: any may be among them.
    pub touched: Option<BTreeSet<usize>>,
    /// Why it is not leak-proof.
    pub leaks: Option<String>,
    /// Whether it compares dates or timestamps.
    pub of_time: bool,
    /// Whether it may say that two expressions are equal.
    pub equates: bool,
}

/// Which references keep their fence: what is known so far while a statement is read.
#[derive(Debug, Default)]
pub struct Fences {
    kept: BTreeMap<usize, String>,
    all: Option<String>,
    of_time: BTreeSet<usize>,
    /// An equality that is not leak-proof may make one class of dates and timestamps: conditions between them follow.
    mixing: Option<String>,
}

impl Fences {
    /// Takes a condition into account.
    pub fn note(&mut self, condition: Condition) {
        let Condition { touched, leaks, of_time, equates } = condition;
        match (leaks, touched) {
            (None, Some(touched)) if of_time => self.of_time.extend(touched),
            (None, Some(_)) => {}
            (None, None) => self.keep_all("a condition reads columns whose origin is not known"),
            (Some(reason), touched) => {
                if equates && self.mixing.is_none() {
                    self.mixing = Some(reason.clone());
                }
                match touched {
                    Some(touched) if !touched.is_empty() => {
                        for reference in touched {
                            self.kept.entry(reference).or_insert_with(|| reason.clone());
                        }
                    }
                    Some(_) | None => self.keep_all(&reason),
                }
            }
        }
    }

    /// No fence may be left out.
    pub fn keep_all(&mut self, reason: &str) {
        if self.all.is_none() {
            self.all = Some(reason.to_owned());
        }
    }

    /// Why the reference keeps its fence; `None`: it may go.
    pub fn reason(&self, reference: usize) -> Option<&str> {
        let mixed = self.mixing.as_deref().filter(|_| self.of_time.contains(&reference));
        self.kept.get(&reference).map(String::as_str).or(self.all.as_deref()).or(mixed)
    }
}

#[cfg(test)]
mod tests;
