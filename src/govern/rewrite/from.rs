//! FROM: joins and their namespaces, subqueries, functions.

use std::collections::BTreeSet;

use crate::error::sqlstate;
use crate::govern::permit::Denial;
use crate::sql::ast::{
    Expr, FunctionArg, FunctionArgExpr, Join, JoinConstraint, JoinOperator, ObjectName, TableAlias, TableFactor,
    TableFunctionArgs, TableWithJoins,
};
use crate::sql::resolve::{Column, Columns, Entry};
use crate::sql::{forms, ident, using_alias};

use super::Walker;
use super::columns::identifiers;
use super::query::plain_names;
use super::refuse::{Pointing, Walked, absent, construct, denial, foreign, span_of};
use super::tables::TableCall;

impl Walker<'_> {
    /// Reads a FROM clause into the current namespace.
    pub(super) fn from(&mut self, items: &mut [TableWithJoins]) -> Walked {
        for item in items {
            let entries = self.joined(item)?;
            no_conflict(&self.scopes.current().entries, &entries)?;
            let neighbours = entries.into_iter().map(|entry| Entry { lateral_only: true, ..entry });
            self.scopes.current().entries.extend(neighbours);
        }
        for entry in &mut self.scopes.current().entries {
            entry.lateral_only = false;
        }
        Ok(())
    }

    /// One item with its joins: what it adds to the namespace.
    fn joined(&mut self, item: &mut TableWithJoins) -> Walked<Vec<Entry>> {
        let TableWithJoins { relation, joins } = item;
        let mut left = self.factor(relation)?;
        for join in joins {
            let Join { relation, global, join_operator } = join;
            absent("GLOBAL JOIN", *global)?;
            // The right side sees the left one where it is LATERAL.
            let before = self.scopes.current().entries.len();
            let seen = left.into_iter().map(|entry| Entry { lateral_only: true, ..entry });
            self.scopes.current().entries.extend(seen);
            let right = self.factor(relation)?;
            let back = self.scopes.current().entries.drain(before..);
            let back: Vec<_> = back.map(|entry| Entry { lateral_only: false, ..entry }).collect();
            no_conflict(&back, &right)?;
            left = self.join(back, right, join_operator)?;
        }
        Ok(left)
    }

    fn join(&mut self, mut left: Vec<Entry>, mut right: Vec<Entry>, operator: &mut JoinOperator) -> Walked<Vec<Entry>> {
        let operator_kind = Narrows::of(operator);
        let constraint = match operator {
            JoinOperator::Join(constraint)
            | JoinOperator::Inner(constraint)
            | JoinOperator::Left(constraint)
            | JoinOperator::LeftOuter(constraint)
            | JoinOperator::Right(constraint)
            | JoinOperator::RightOuter(constraint)
            | JoinOperator::FullOuter(constraint)
            | JoinOperator::CrossJoin(constraint) => constraint,
            JoinOperator::Semi(_)
            | JoinOperator::LeftSemi(_)
            | JoinOperator::RightSemi(_)
            | JoinOperator::Anti(_)
            | JoinOperator::LeftAnti(_)
            | JoinOperator::RightAnti(_) => {
                return Err(construct("SEMI JOIN or ANTI JOIN", "Use EXISTS or NOT EXISTS."));
            }
            JoinOperator::CrossApply | JoinOperator::OuterApply => {
                return Err(construct("APPLY", "Use JOIN LATERAL (…) ON true."));
            }
            JoinOperator::AsOf { .. }
            | JoinOperator::StraightJoin(_)
            | JoinOperator::ArrayJoin
            | JoinOperator::LeftArrayJoin
            | JoinOperator::InnerArrayJoin => return Err(foreign("this kind of join")),
        };
        let (of_left, of_right) = (shown(&left), shown(&right));
        let merged = match constraint {
            JoinConstraint::On(condition) => {
                // The condition sees both sides; what stands before the join is for LATERAL alone.
                let before = self.scopes.current().entries.len();
                let of_right = before + left.len();
                let narrowed = narrowed_by(operator_kind, &left, &right);
                self.scopes.current().entries.extend(left.drain(..).chain(right.drain(..)));
                self.link(condition, &narrowed);
                self.condition(condition)?;
                right = self.scopes.current().entries.split_off(of_right);
                left = self.scopes.current().entries.split_off(before);
                Vec::new()
            }
            JoinConstraint::Using(names) => self.using(names, &of_left, &of_right)?,
            JoinConstraint::Natural => {
                self.read_all(&of_left);
                self.read_all(&of_right);
                let common = of_left.list.iter().filter(|column| of_right.has(&column.name));
                common.map(|column| column.name.clone()).collect()
            }
            JoinConstraint::None => Vec::new(),
        };
        let alias = alias_of_using(constraint)?;
        let own = self.join_columns(&merged, operator, of_left, of_right);
        let mut entries: Vec<Entry> = left.into_iter().chain(right).filter(|entry| entry.name.is_some()).collect();
        for entry in &mut entries {
            entry.columns_visible = false;
        }
        if let Some(alias) = alias {
            // It has the merged columns alone, and hides no name.
            let list = own.list.iter().take(merged.len()).cloned().collect();
            let columns = Columns { list, complete: own.complete };
            let entry = Entry { columns_visible: false, ..Entry::aliased(&alias, columns) };
            no_conflict(&entries, std::slice::from_ref(&entry))?;
            entries.push(entry);
        }
        entries.push(Entry::join(own));
        Ok(entries)
    }

    /// The columns of a join: merged ones first, then the rest of both sides.
    fn join_columns(&mut self, merged: &[String], operator: &JoinOperator, left: Columns, right: Columns) -> Columns {
        let complete = left.complete && right.complete;
        let mut list: Vec<Column> =
            merged.iter().map(|name| self.merged_column(name, operator, &left, &right)).collect();
        list.extend(left.list.into_iter().chain(right.list).filter(|column| !merged.contains(&column.name)));
        Columns { list, complete }
    }

    /// A column of USING or NATURAL, which says that those of both sides are equal.
    fn merged_column(&mut self, name: &str, operator: &JoinOperator, left: &Columns, right: &Columns) -> Column {
        let of_side = |side: &Columns| {
            let mut named = side.list.iter().filter(|column| column.name == name);
            match (named.next(), named.next()) {
                (Some(column), None) if side.complete => column.clone(),
                _ => Column::computed(name),
            }
        };
        let (of_left, of_right) = (of_side(left), of_side(right));
        self.merged_condition(&of_left, &of_right);
        // Where the types differ it is one of them cast to the other's.
        let side = match operator {
            JoinOperator::Join(_) | JoinOperator::Inner(_) | JoinOperator::Left(_) | JoinOperator::LeftOuter(_) => {
                of_left.shows
            }
            JoinOperator::Right(_) | JoinOperator::RightOuter(_) => of_right.shows,
            // That of a full join is made of both.
            _ => None,
        };
        let shows = side.filter(|_| self.same_type(&of_left, &of_right));
        let origins = left.origins(name).chain(right.origins(name)).collect();
        Column { name: name.to_owned(), origins, shows }
    }

    fn same_type(&self, left: &Column, right: &Column) -> bool {
        let oid = |column: &Column| {
            let origin = column.shows?;
            Some(self.needs.columns(origin.reference)?.get(origin.column)?.type_oid)
        };
        oid(left).is_some() && oid(left) == oid(right)
    }

    /// The names of USING, of which both sides are read.
    fn using(&mut self, names: &[ObjectName], left: &Columns, right: &Columns) -> Walked<Vec<String>> {
        let mut merged = Vec::new();
        for name in names {
            let parts = identifiers(name)?;
            let [column] = parts.as_slice() else { return Err(foreign("a qualified name in USING")) };
            if using_alias(column).is_some() {
                continue;
            }
            let exact_name = ident(column);
            for (side, columns) in [("left", left), ("right", right)] {
                if !columns.has(&exact_name) && columns.complete {
                    let message =
                        format!("column \"{exact_name}\" specified in USING clause does not exist in {side} table");
                    return Err(
                        denial(sqlstate::UNDEFINED_COLUMN, "column_unknown", message).pointing(self.place(column.span))
                    );
                }
                self.read(columns.origins(&exact_name));
            }
            merged.push(exact_name);
        }
        Ok(merged)
    }

    /// One relation, subquery, function or join in parentheses. All but joins are noted in `placed`.
    fn factor(&mut self, factor: &mut TableFactor) -> Walked<Vec<Entry>> {
        if let TableFactor::NestedJoin { table_with_joins, alias } = factor {
            return self.nested_join(table_with_joins, alias.as_ref());
        }
        if let TableFactor::Table { name, args: Some(TableFunctionArgs { args, settings: None }), .. } = factor
            && forms::names_form(name, forms::ONLY)
        {
            *name = only_relation(args)?;
            leave_out_arguments(factor);
        }
        if let TableFactor::Table { args: None, .. } = factor {
            only_named(factor)?;
            let (entry, reference) = self.relation(factor)?;
            self.placed.push(reference);
            return Ok(vec![entry]);
        }
        let entries = self.subquery_or_call(factor)?;
        self.placed.push(None);
        Ok(entries)
    }

    fn nested_join(&mut self, join: &mut TableWithJoins, alias: Option<&TableAlias>) -> Walked<Vec<Entry>> {
        let entries = self.joined(join)?;
        let Some(alias) = alias else { return Ok(entries) };
        // The alias of a join hides the names inside of it.
        let mut columns = shown(&entries);
        let names = plain_names(alias)?;
        columns.renamed(&names);
        if !names.is_empty() {
            self.keep_all(&columns);
        }
        Ok(vec![Entry::aliased(&self.alias_name(alias)?, columns)])
    }

    fn subquery_or_call(&mut self, factor: &mut TableFactor) -> Walked<Vec<Entry>> {
        only_named(factor)?;
        match factor {
            TableFactor::Table { name, alias, args, with_ordinality, .. } => match args {
                Some(TableFunctionArgs { args, settings }) => {
                    absent("SETTINGS", settings.is_some())?;
                    let (name, args, alias) = (name.clone(), std::mem::take(args), alias.take());
                    let call = TableCall { name, args, ordinality: *with_ordinality, alias, lateral: false };
                    self.table_function(factor, call).map(|entry| vec![entry])
                }
                None => Err(foreign("this in FROM")),
            },
            TableFactor::Derived { lateral, subquery, alias, sample } => {
                not_sampled(sample.is_some())?;
                self.scopes.current().lateral_active = *lateral;
                let columns = self.query(subquery, None, None);
                self.scopes.current().lateral_active = false;
                let mut columns = columns?.sealed();
                match alias {
                    Some(alias) => {
                        columns.renamed(&plain_names(alias)?);
                        Ok(vec![Entry::aliased(&self.alias_name(alias)?, columns)])
                    }
                    // PostgreSQL 16 and later take it.
                    None => Ok(vec![Entry::join(columns)]),
                }
            }
            TableFactor::Function { lateral, name, args, with_ordinality, alias } => {
                let (name, args, alias) = (name.clone(), std::mem::take(args), alias.take());
                let call = TableCall { name, args, ordinality: *with_ordinality, alias, lateral: *lateral };
                self.table_function(factor, call).map(|entry| vec![entry])
            }
            TableFactor::UNNEST { alias, array_exprs, with_offset, with_offset_alias, with_ordinality } => {
                absent("WITH OFFSET", *with_offset || with_offset_alias.is_some())?;
                let args = std::mem::take(array_exprs).into_iter();
                let args = args.map(|expr| FunctionArg::Unnamed(FunctionArgExpr::Expr(expr))).collect();
                let name = ObjectName::from(vec![crate::sql::ast::Ident::new("unnest")]);
                let call = TableCall { name, args, ordinality: *with_ordinality, alias: alias.take(), lateral: false };
                self.table_function(factor, call).map(|entry| vec![entry])
            }
            TableFactor::NestedJoin { .. } => Err(foreign("this in FROM")),
            TableFactor::TableFunction { .. } => Err(foreign("TABLE (…) in FROM")),
            TableFactor::JsonTable { .. } => {
                Err(construct("JSON_TABLE", "Use jsonb_to_recordset or jsonb_path_query."))
            }
            TableFactor::OpenJsonTable { .. } => Err(construct("OPENJSON", "Use jsonb_to_recordset.")),
            TableFactor::XmlTable { .. } => Err(construct("XMLTABLE", "")),
            TableFactor::Pivot { .. } => Err(construct("PIVOT", "Use aggregates with FILTER.")),
            TableFactor::Unpivot { .. } | TableFactor::UnpivotExpr { .. } => {
                Err(construct("UNPIVOT", "Use LATERAL (VALUES …)."))
            }
            TableFactor::MatchRecognize { .. } => Err(foreign("MATCH_RECOGNIZE")),
            TableFactor::SemanticView { .. } => Err(foreign("SEMANTIC_VIEW")),
        }
    }

    /// An alias that is not there twice, or points at its second place.
    pub(super) fn alias_name(&self, alias: &TableAlias) -> Walked<String> {
        absent("AS (…) without an alias", forms::is_form(&alias.name, ""))?;
        match alias.name.quote_style {
            None | Some('"') => Ok(ident(&alias.name)),
            Some(_) => {
                let at = self.place(span_of(std::slice::from_ref(&alias.name)));
                Err(construct("an alias in such quotes", "Use double quotes.").pointing(at))
            }
        }
    }
}

/// Of which sides of a join the rows that its condition rules out do not matter.
#[derive(Clone, Copy)]
struct Narrows {
    left: bool,
    right: bool,
}

impl Narrows {
    fn of(operator: &JoinOperator) -> Self {
        match operator {
            JoinOperator::Join(_) | JoinOperator::Inner(_) => Self { left: true, right: true },
            JoinOperator::Left(_) | JoinOperator::LeftOuter(_) => Self { left: false, right: true },
            JoinOperator::Right(_) | JoinOperator::RightOuter(_) => Self { left: true, right: false },
            _ => Self { left: false, right: false },
        }
    }
}

fn narrowed_by(narrows: Narrows, left: &[Entry], right: &[Entry]) -> BTreeSet<usize> {
    let left = left.iter().filter(|_| narrows.left);
    let right = right.iter().filter(|_| narrows.right);
    left.chain(right).flat_map(super::system::references_of).collect()
}

/// The alias of `USING (…) AS j`, which stands last in the list.
fn alias_of_using(constraint: &JoinConstraint) -> Walked<Option<String>> {
    match constraint {
        JoinConstraint::Using(names) => match names.last() {
            Some(name) => Ok(identifiers(name)?.last().and_then(using_alias)),
            None => Ok(None),
        },
        JoinConstraint::On(_) | JoinConstraint::Natural | JoinConstraint::None => Ok(None),
    }
}

/// The relation of `ONLY t`.
fn only_relation(args: &mut [FunctionArg]) -> Walked<ObjectName> {
    match args {
        [FunctionArg::Unnamed(FunctionArgExpr::Expr(Expr::Identifier(name)))] => {
            Ok(ObjectName::from(vec![name.clone()]))
        }
        [FunctionArg::Unnamed(FunctionArgExpr::Expr(Expr::CompoundIdentifier(parts)))] => {
            Ok(ObjectName::from(parts.clone()))
        }
        _ => Err(foreign("ONLY of this")),
    }
}

/// `ONLY t` is `t`: a data product has no children that could be left out.
fn leave_out_arguments(factor: &mut TableFactor) {
    if let TableFactor::Table { args, .. } = factor {
        *args = None;
    }
}

/// A relation or a call by its name, with nothing that is not Postgres'.
fn only_named(factor: &TableFactor) -> Walked {
    let TableFactor::Table {
        name: _,
        alias: _,
        args,
        with_hints,
        version,
        with_ordinality,
        partitions,
        json_path,
        sample,
        index_hints,
    } = factor
    else {
        return Ok(());
    };
    absent("WITH (…) after a table", !with_hints.is_empty())?;
    absent("FOR SYSTEM_TIME", version.is_some())?;
    absent("PARTITION", !partitions.is_empty())?;
    absent("a JSON path after a table", json_path.is_some())?;
    absent("an index hint", !index_hints.is_empty())?;
    not_sampled(sample.is_some())?;
    absent("WITH ORDINALITY after a table", args.is_none() && *with_ordinality)
}

fn not_sampled(sampled: bool) -> Walked {
    if sampled {
        let hint = "Use WHERE random() < 0.01, or a hash of a key.";
        return Err(construct("TABLESAMPLE", hint));
    }
    Ok(())
}

/// The columns that `*` shows of some entries.
fn shown(entries: &[Entry]) -> Columns {
    let mut columns = Columns { list: Vec::new(), complete: true };
    for entry in entries.iter().filter(|entry| entry.columns_visible) {
        columns.complete &= entry.columns.complete;
        columns.list.extend(entry.columns.list.iter().cloned());
    }
    columns
}

/// Postgres takes two relations of one name only where both are tables of different schemas without an alias.
fn no_conflict(left: &[Entry], right: &[Entry]) -> Walked {
    for entry in right {
        let Some(name) = &entry.name else { continue };
        let twice = left.iter().any(|other| {
            other.name.as_ref() == Some(name)
                && (entry.unaliased.is_none() || other.unaliased.is_none() || other.written == entry.written)
        });
        if twice {
            return Err(twice_denied(name));
        }
    }
    Ok(())
}

fn twice_denied(name: &str) -> Box<Denial> {
    let mut denied =
        denial(sqlstate::DUPLICATE_ALIAS, "duplicate_name", format!("table name \"{name}\" specified more than once"));
    denied.error.hint = Some("Give one of them an alias.".to_owned());
    denied
}
