//! One walk over a statement's tree that resolves every name, notes what is needed, and rewrites in place: each reference
//! to a product becomes the derived table that its subject may see.
//!
//! Resolving, requiring and rewriting are one walk because they share the scopes: a second walk with its own idea of what a
//! name means would be the place where the two differ. Matches are exhaustive and structs are taken apart field by field,
//! so that a node which a new parser brings fails to compile here; what is not understood is denied by name.

//!
//! A reference to a product becomes its rows at once, and shows columns when the SELECT in whose FROM clause it stands has
//! been read whole: those that are read, or all where something depends on which there are.

mod calls;
mod columns;
mod equality;
mod expr;
mod from;
mod grouping;
mod literals;
mod ordering;
mod placed;
mod query;
mod refuse;
mod relations;
mod tables;

use sqlparser::tokenizer::Span;

use crate::sql::ast::{DataType, Expr, Query};
use crate::sql::resolve::{Origin, Scopes};

use super::decide::DecideInput;
use super::requirements::Requirements;

pub(super) use refuse::{Walked, denial, refused};

/// The walk over one statement.
struct Walker<'a> {
    input: &'a DecideInput<'a>,
    scopes: Scopes,
    needs: Requirements,
    /// Columns in the order in which they were read; grouping looks at a part of it.
    log: Vec<Origin>,
    /// For each relation, subquery and call of the FROM clauses that are being read, in their order: which reference to a
    /// product it is.
    placed: Vec<Option<usize>>,
    /// False in the arguments of EXECUTE, which read nothing.
    queries_allowed: bool,
}

impl<'a> Walker<'a> {
    fn new(input: &'a DecideInput<'a>) -> Self {
        Self {
            input,
            scopes: Scopes::default(),
            needs: Requirements::default(),
            log: Vec::new(),
            placed: Vec::new(),
            queries_allowed: true,
        }
    }
    /// The denial with the products that the statement named until then.
    fn finish(self, result: Walked) -> Walked<Requirements> {
        match result {
            Ok(()) => Ok(self.needs),
            Err(mut denied) => {
                denied.products.extend(self.needs.ids());
                denied.products.sort();
                denied.products.dedup();
                Err(denied)
            }
        }
    }
    /// Notes that columns are read.
    fn read(&mut self, origins: impl IntoIterator<Item = Origin>) {
        for origin in origins {
            self.needs.read(origin);
            self.log.push(origin);
        }
    }
    /// Where a node begins in the client's text.
    fn place(&self, span: Span) -> Option<usize> {
        refuse::place(span)
    }
}

/// Checks and rewrites a query.
pub(super) fn rewrite_query(input: &DecideInput<'_>, query: &mut Query) -> Walked<Requirements> {
    let mut walker = Walker::new(input);
    let result = walker.query(query, None, None).map(|_| ());
    walker.finish(result)
}

/// Checks and rewrites the arguments of EXECUTE: expressions that read nothing.
pub(super) fn rewrite_arguments(input: &DecideInput<'_>, arguments: &mut [Expr]) -> Walked<Requirements> {
    let mut walker = Walker::new(input);
    walker.queries_allowed = false;
    let result = arguments.iter_mut().try_for_each(|argument| walker.expr(argument));
    walker.finish(result)
}

/// Checks the parameter types of PREPARE and gives their full names.
pub(super) fn qualify_types(input: &DecideInput<'_>, types: &[DataType]) -> Walked<Vec<DataType>> {
    let qualified = |data_type| super::types::qualify(data_type, input.snapshot, input.warehouse);
    types.iter().map(|data_type| qualified(data_type).map_err(refused)).collect()
}
