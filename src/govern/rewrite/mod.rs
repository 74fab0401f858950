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
mod conditions;
mod equality;
mod expr;
mod from;
mod grouping;
mod literals;
mod moments;
mod ordering;
mod placed;
mod query;
mod refuse;
mod reg;
mod relations;
mod system;
mod tables;

use std::cell::Cell;
use std::collections::BTreeSet;

use sqlparser::tokenizer::Span;

use crate::introspect::Links;
use crate::sql::ast::{DataType, Expr, Query};
use crate::sql::resolve::{Origin, Scopes};

use super::decide::DecideInput;
use super::fence::Fences;
use super::requirements::Requirements;

pub(super) use refuse::{Walked, denial, refused};

/// The walk over one statement.
struct Walker<'a> {
    input: &'a DecideInput<'a>,
    scopes: Scopes,
    needs: Requirements,
    /// Columns in the order in which they were read; grouping looks at a part of it.
    log: Vec<Origin>,
    /// For each query around: the columns that become aggregates where they are read.
    lifted: Vec<BTreeSet<Origin>>,
    /// Whether the arguments of an aggregate of the current query are read.
    in_aggregate: bool,
    /// For each relation, subquery and call of the FROM clauses that are being read, in their order: which reference to a
    /// product it is.
    placed: Vec<Option<usize>>,
    /// False in the arguments of EXECUTE, which read nothing.
    queries_allowed: bool,
    /// What was read since the condition began that is being read.
    touched: conditions::Touched,
    /// Whether the judgement of a condition looked at the value of a literal.
    looked: Cell<bool>,
    /// What the conditions say of fences.
    fences: Fences,
    /// The references whose fence is left out.
    unfenced: BTreeSet<usize>,
    /// What conditions say of the columns of system relations.
    links: Links,
    /// What follows from that; `None`: this is the walk that finds it out.
    solved: Option<system::Solved>,
}

impl<'a> Walker<'a> {
    fn new(input: &'a DecideInput<'a>) -> Self {
        Self {
            input,
            scopes: Scopes::default(),
            needs: Requirements::default(),
            log: Vec::new(),
            lifted: Vec::new(),
            in_aggregate: false,
            placed: Vec::new(),
            queries_allowed: true,
            touched: conditions::Touched::default(),
            looked: Cell::new(false),
            fences: Fences::default(),
            unfenced: BTreeSet::new(),
            links: Links::default(),
            solved: None,
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
///
/// Whether a product keeps its fence follows from all conditions of the statement, which are known when the walk is over. Where
/// one may go, the query is walked once more with that knowledge: the numbers of the references are the same.
pub(super) fn rewrite_query(input: &DecideInput<'_>, unchanged: &Query) -> Walked<(Box<Query>, Requirements)> {
    let (query, needs, fences, links) = walk(input, unchanged, BTreeSet::new(), None)?;
    let may_go = |reference: &usize| {
        let view = needs.referenced(*reference).map(|need| &need.view);
        let fenced = view.is_some_and(|view| view.unfenced.is_some()) || needs.system_referenced(*reference).is_some();
        fenced && fences.reason(*reference).is_none()
    };
    let unfenced: BTreeSet<usize> = (0..needs.references()).filter(may_go).collect();
    let (query, mut needs) = if unfenced.is_empty() && !needs.introspects {
        (query, needs)
    } else {
        let solved = needs.introspects.then(|| system::solve(input, &needs, &links, &unfenced)).transpose()?;
        let (query, needs, _, _) = walk(input, unchanged, unfenced.clone(), solved)?;
        (query, needs)
    };
    needs.judge_fences(|reference| match fences.reason(reference) {
        _ if unfenced.contains(&reference) => None,
        Some(reason) => Some(reason.to_owned()),
        None => Some("it is a view or a foreign table".to_owned()),
    });
    Ok((query, needs))
}

fn walk(
    input: &DecideInput<'_>,
    unchanged: &Query,
    unfenced: BTreeSet<usize>,
    solved: Option<system::Solved>,
) -> Walked<(Box<Query>, Requirements, Fences, Links)> {
    let mut query = Box::new(unchanged.clone());
    let mut walker = Walker { unfenced, solved, ..Walker::new(input) };
    let result = walker.query(&mut query, None, None).map(|_| ());
    let fences = std::mem::take(&mut walker.fences);
    let links = std::mem::take(&mut walker.links);
    walker.finish(result).map(|needs| (query, needs, fences, links))
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
