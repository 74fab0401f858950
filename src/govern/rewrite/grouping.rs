//! GROUP BY, and the columns that depend on a primary key.
//!
//! Postgres takes `SELECT c.id, c.name … GROUP BY c.id` where `id` is the primary key of the table `c`. A derived table has
//! no key, so the columns that are read behind the key are added to GROUP BY: each group has one value of them anyway. A
//! column of a type without equality (json, xml, point) cannot stand there: where it is read it becomes
//! `(array_agg(column))[1]`. With grouping sets the key must be in each of them, as in Postgres.

use std::collections::BTreeSet;

use crate::sql::ast::{
    AccessExpr, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArgumentList, FunctionArguments, GroupByExpr,
    Ident, SelectItem, Subscript, Value,
};
use crate::sql::resolve::{ColumnLookup, Columns, Origin};
use crate::sql::{exact, forms, ident, with_deep_stack};

use super::Walker;
use super::refuse::{Walked, absent, foreign};
use super::tables::{arguments, object_name};

/// The aggregates of pg_catalog, as far as they may be called.
const AGGREGATES: [&str; 51] = [
    "any_value",
    "array_agg",
    "avg",
    "bit_and",
    "bit_or",
    "bit_xor",
    "bool_and",
    "bool_or",
    "corr",
    "count",
    "covar_pop",
    "covar_samp",
    "cume_dist",
    "dense_rank",
    "every",
    "grouping",
    "json_agg",
    "json_object_agg",
    "jsonb_agg",
    "jsonb_object_agg",
    "max",
    "min",
    "mode",
    "percent_rank",
    "percentile_cont",
    "percentile_disc",
    "range_agg",
    "range_intersect_agg",
    "rank",
    "regr_avgx",
    "regr_avgy",
    "regr_count",
    "regr_intercept",
    "regr_r2",
    "regr_slope",
    "regr_sxx",
    "regr_sxy",
    "regr_syy",
    "stddev",
    "stddev_pop",
    "stddev_samp",
    "string_agg",
    "sum",
    "var_pop",
    "var_samp",
    "variance",
    "xmlagg",
    "json_object_agg_unique",
    "jsonb_object_agg_unique",
    "json_agg_strict",
    "jsonb_agg_strict",
];

/// Types of pg_catalog by which nothing can be grouped.
const WITHOUT_EQUALITY: [&str; 10] =
    ["box", "circle", "json", "jsonpath", "line", "lseg", "path", "point", "polygon", "xml"];

/// Whether a call of this name (without OVER) is an aggregate. To miss one costs a column more in GROUP BY.
pub(super) fn is_aggregate(name: &str) -> bool {
    AGGREGATES.contains(&name)
}

/// A reference whose primary key is grouped by: its number, its columns, and how each is written.
type Keyed = (usize, Vec<(Origin, Vec<Ident>)>);

/// The members of a grouping set.
fn members(set: &Function) -> impl Iterator<Item = &Expr> {
    let list = match &set.args {
        FunctionArguments::List(list) => list.args.as_slice(),
        FunctionArguments::None | FunctionArguments::Subquery(_) => &[],
    };
    list.iter().filter_map(|member| match member {
        FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => Some(expr),
        _ => None,
    })
}

/// DISTINCT stands before the first item and is about them all.
fn item(expr: &Expr) -> &Expr {
    match expr {
        Expr::Prefixed { prefix, value } if forms::is_form(prefix, forms::DISTINCT) => value,
        expr => expr,
    }
}

/// An array of such a type has none either.
fn is_without_equality(base_type: &str) -> bool {
    WITHOUT_EQUALITY.contains(&base_type.strip_prefix('_').unwrap_or(base_type))
}

/// Whether an item of GROUP BY is a grouping set.
fn is_set(expr: &Expr) -> bool {
    matches!(expr, Expr::Function(function) if forms::is_grouping_set(&function.name))
}

/// What is in a grouping set, which is no call and has nothing that a call may have.
fn grouping_members(set: &mut Function) -> Walked<Vec<&mut Expr>> {
    let Function { name: _, uses_odbc_syntax, parameters, args, within_group, filter, null_treatment, over } = set;
    let more = *uses_odbc_syntax
        || !matches!(parameters, FunctionArguments::None)
        || !within_group.is_empty()
        || filter.is_some()
        || null_treatment.is_some()
        || over.is_some();
    absent("a clause after a grouping set", more)?;
    let FunctionArguments::List(FunctionArgumentList { duplicate_treatment, args, clauses }) = args else {
        return Err(foreign("a grouping set of a query"));
    };
    absent("DISTINCT or a clause in a grouping set", duplicate_treatment.is_some() || !clauses.is_empty())?;
    let members = args.iter_mut().map(|member| match member {
        FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => Ok(expr),
        FunctionArg::Unnamed(_) | FunctionArg::Named { .. } | FunctionArg::ExprNamed { .. } => {
            Err(foreign("this in a grouping set"))
        }
    });
    members.collect()
}

impl Walker<'_> {
    /// Reads GROUP BY. `before` is how long the log of columns was when the select list began.
    pub(super) fn group_by(
        &mut self,
        group_by: &mut GroupByExpr,
        columns: &Columns,
        projection: &[SelectItem],
        before: usize,
    ) -> Walked {
        let (exprs, modifiers) = match group_by {
            GroupByExpr::All(_) => return Err(foreign("GROUP BY ALL")),
            GroupByExpr::Expressions(exprs, modifiers) => (exprs, modifiers),
        };
        if !modifiers.is_empty() {
            return Err(foreign("WITH ROLLUP, WITH CUBE or WITH TOTALS"));
        }
        if exprs.is_empty() {
            return Ok(());
        }
        // `GROUP BY 2` names an output column by its number.
        self.needs.literal_values |= exprs.iter().any(|expr| matches!(expr, Expr::Value(_)) || is_set(expr));
        if exprs.iter().any(|expr| is_set(item(expr))) {
            // To PostgreSQL 13 to 15 a column that a filter fixes (`region = 'EU'`) needs no sorting, not even where a set makes
            // it NULL: the rows would come in another order than from a relation that holds no others.
            self.fences.keep_all("grouping sets are sorted by columns that the filter may fix");
        }
        let behind_key: BTreeSet<Origin> = self.log.iter().skip(before).copied().collect();
        let grouped = self.grouped(exprs, projection);
        let in_some_set: BTreeSet<Origin> =
            exprs.iter().flat_map(|expr| self.in_some_set(item(expr), projection, false)).collect();
        for expr in exprs.iter_mut() {
            // DISTINCT stands before the first item and is about them all.
            let expr = match expr {
                Expr::Prefixed { prefix, value } if forms::is_form(prefix, forms::DISTINCT) => &mut **value,
                expr => expr,
            };
            self.grouping_item(expr, columns)?;
        }
        let dependent = behind_key.difference(&in_some_set).copied().collect();
        exprs.extend(self.dependent_columns(&grouped, &dependent));
        Ok(())
    }

    /// The columns that every group has one value of, by GROUP BY itself.
    fn grouped(&self, exprs: &[Expr], projection: &[SelectItem]) -> BTreeSet<Origin> {
        exprs.iter().flat_map(|expr| self.common(item(expr), projection)).collect()
    }

    /// The columns that an item of GROUP BY has in each of its sets. ROLLUP and CUBE have an empty one.
    fn common(&self, expr: &Expr, projection: &[SelectItem]) -> BTreeSet<Origin> {
        with_deep_stack(|| match expr {
            Expr::Function(set) if forms::is_grouping_set(&set.name) => {
                let all = forms::names_form(&set.name, forms::GROUPING_SETS);
                let sets = members(set).filter(|_| all).map(|member| self.common(member, projection));
                sets.reduce(|common, set| common.intersection(&set).copied().collect()).unwrap_or_default()
            }
            Expr::Tuple(keys) => keys.iter().flat_map(|key| self.grouped_column(key, projection)).collect(),
            key => self.grouped_column(key, projection).into_iter().collect(),
        })
    }

    /// The columns of grouping sets: each is NULL in the sets that do not have it, so it is grouped by where it stands and
    /// nowhere else.
    fn in_some_set(&self, expr: &Expr, projection: &[SelectItem], inside: bool) -> BTreeSet<Origin> {
        with_deep_stack(|| match expr {
            Expr::Function(set) if forms::is_grouping_set(&set.name) => {
                members(set).flat_map(|member| self.in_some_set(member, projection, true)).collect()
            }
            Expr::Tuple(keys) if inside => keys.iter().flat_map(|key| self.grouped_column(key, projection)).collect(),
            key if inside => self.grouped_column(key, projection).into_iter().collect(),
            _ => BTreeSet::new(),
        })
    }

    /// The columns that depend on a grouped key and cannot be grouped by. Read before the select list is, whose names are
    /// still the client's.
    pub(super) fn lifted_columns(&mut self, group_by: &GroupByExpr, projection: &[SelectItem]) -> BTreeSet<Origin> {
        let exprs = match group_by {
            GroupByExpr::Expressions(exprs, _) if !exprs.is_empty() => exprs,
            GroupByExpr::Expressions(..) | GroupByExpr::All(_) => return BTreeSet::new(),
        };
        let grouped = self.grouped(exprs, projection);
        let mut lifted = BTreeSet::new();
        for (reference, columns) in self.keyed(&grouped) {
            let of_view = |origin: &Origin| self.needs.columns(reference)?.get(origin.column);
            // An array's aggregate is an array of more dimensions: such a column stays as it is, and the warehouse says 42803.
            let without =
                |origin: &Origin| of_view(origin).is_some_and(|column| WITHOUT_EQUALITY.contains(&&*column.base_type));
            lifted.extend(columns.into_iter().map(|(origin, _)| origin).filter(without));
        }
        lifted
    }

    /// `(array_agg(column))[1]` in the place of a column that cannot be grouped by.
    pub(super) fn lift(&mut self, expr: &mut Expr, origins: &[Origin]) {
        let lifts = match (origins, self.lifted.last()) {
            ([origin], Some(lifted)) => lifted.contains(origin),
            _ => false,
        };
        if !lifts || self.in_aggregate {
            return;
        }
        let column = std::mem::replace(expr, Expr::value(Value::Null));
        let name = object_name(vec![exact("pg_catalog"), exact("array_agg")]);
        self.needs.functions.insert((Some("pg_catalog".to_owned()), "array_agg".to_owned()));
        let call = Expr::Function(Function {
            name,
            uses_odbc_syntax: false,
            parameters: FunctionArguments::None,
            args: arguments(vec![column]),
            within_group: Vec::new(),
            filter: None,
            null_treatment: None,
            over: None,
        });
        let index = Expr::value(Value::Number("1".to_owned(), false));
        *expr = Expr::CompoundFieldAccess {
            root: Box::new(Expr::Nested(Box::new(call))),
            access_chain: vec![AccessExpr::Subscript(Subscript::Index { index })],
        };
    }

    /// Drops from the log what was read of this level's relations after its first `before` columns, for a place that needs no
    /// grouping. What was read of an outer level is that level's matter: its GROUP BY may still want the column.
    pub(super) fn forget_own(&mut self, before: usize) {
        let entries = &self.scopes.current().entries;
        let own: BTreeSet<usize> = entries
            .iter()
            .flat_map(|entry| &entry.columns.list)
            .flat_map(|column| &column.origins)
            .map(|origin| origin.reference)
            .collect();
        let outer: Vec<Origin> =
            self.log.iter().skip(before).filter(|origin| !own.contains(&origin.reference)).copied().collect();
        self.log.truncate(before);
        self.log.extend(outer);
    }

    /// An item of GROUP BY: a set with its members, a row of keys, or a key.
    fn grouping_item(&mut self, expr: &mut Expr, columns: &Columns) -> Walked {
        match expr {
            Expr::Function(set) if forms::is_grouping_set(&set.name) => {
                for member in grouping_members(set)? {
                    with_deep_stack(|| self.grouping_item(member, columns))?;
                }
                Ok(())
            }
            Expr::Tuple(keys) => keys.iter_mut().try_for_each(|key| self.group_key(key, columns)),
            Expr::Nested(key) => with_deep_stack(|| self.grouping_item(key, columns)),
            key => self.group_key(key, columns),
        }
    }

    /// A key of GROUP BY: a bare name is a column of FROM first, then an output column.
    fn group_key(&mut self, expr: &mut Expr, columns: &Columns) -> Walked {
        match expr {
            Expr::Identifier(name)
                if columns.has(&ident(name)) && self.scopes.column(&ident(name)) == ColumnLookup::Missing =>
            {
                Ok(())
            }
            _ => self.expr(expr),
        }
    }

    /// The columns that an item of GROUP BY is, when it is no expression: by name, by the name of an output column, or by its
    /// number.
    fn grouped_column(&self, expr: &Expr, projection: &[SelectItem]) -> Vec<Origin> {
        match expr {
            Expr::Identifier(name) => match self.scopes.column(&ident(name)) {
                ColumnLookup::Found(origins) => self.one_side(name, origins),
                ColumnLookup::Perhaps(_) => Vec::new(),
                ColumnLookup::Missing => {
                    let named = projection.iter().find_map(|item| match item {
                        SelectItem::ExprWithAlias { expr, alias } if ident(alias) == ident(name) => Some(expr),
                        _ => None,
                    });
                    named.map(|expr| self.plain_column(expr)).unwrap_or_default()
                }
            },
            Expr::Value(value) => {
                let place = match &value.value {
                    Value::Number(number, _) => number.parse::<usize>().ok().and_then(|n| n.checked_sub(1)),
                    _ => None,
                };
                match place.and_then(|place| projection.get(place)) {
                    Some(SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. }) => {
                        self.plain_column(expr)
                    }
                    _ => Vec::new(),
                }
            }
            expr => self.plain_column(expr),
        }
    }

    /// A column of USING or NATURAL is that of the side which has all rows; of a full join it is neither's.
    fn one_side(&self, name: &Ident, origins: Vec<Origin>) -> Vec<Origin> {
        if origins.len() < 2 {
            return origins;
        }
        self.scopes.only_column(&ident(name)).and_then(|column| column.shows).into_iter().collect()
    }

    /// The columns that an expression is; it may be rewritten already.
    fn plain_column(&self, expr: &Expr) -> Vec<Origin> {
        match expr {
            Expr::Nested(inner) => self.plain_column(inner),
            Expr::Identifier(name) => match self.scopes.column(&ident(name)) {
                ColumnLookup::Found(origins) => self.one_side(name, origins),
                ColumnLookup::Perhaps(_) | ColumnLookup::Missing => Vec::new(),
            },
            Expr::CompoundIdentifier(parts) => {
                let [.., table, column] = parts.as_slice() else { return Vec::new() };
                let (table, column) = (ident(table), ident(column));
                let mut reachable = self.scopes.reachable().filter(|entry| entry.name.is_some());
                let entry =
                    reachable.find(|entry| ident(&entry.written) == table || entry.name.as_deref() == Some(&table));
                entry.map(|entry| entry.columns.origins(&column).collect()).unwrap_or_default()
            }
            _ => Vec::new(),
        }
    }

    /// The columns to add: of each product whose primary key is grouped by, those that are read behind it.
    fn dependent_columns(&mut self, grouped: &BTreeSet<Origin>, read: &BTreeSet<Origin>) -> Vec<Expr> {
        let mut added = Vec::new();
        for (reference, columns) in self.keyed(grouped) {
            for (origin, name) in columns {
                let of_view = self.needs.columns(reference).and_then(|columns| columns.get(origin.column));
                let groups = of_view.is_some_and(|column| !is_without_equality(&column.base_type));
                if groups && read.contains(&origin) && !grouped.contains(&origin) {
                    added.push(Expr::CompoundIdentifier(name));
                }
            }
        }
        added
    }

    /// The references whose primary key is grouped by, with their columns and how these are written.
    fn keyed(&mut self, grouped: &BTreeSet<Origin>) -> Vec<Keyed> {
        let mut keyed = Vec::new();
        let entries = self.scopes.current().entries.clone();
        for entry in entries.iter().filter(|entry| entry.name.is_some()) {
            let reference = entry.columns.list.iter().flat_map(|column| &column.origins).map(|o| o.reference).next();
            let Some(reference) = reference else { continue };
            let Some(key) = self.visible_key(reference) else { continue };
            if !key.iter().all(|column| grouped.contains(&Origin { reference, column: *column })) {
                continue;
            }
            let mut columns = Vec::new();
            for column in &entry.columns.list {
                let [origin] = column.origins.as_slice() else { continue };
                if origin.reference == reference {
                    columns.push((*origin, vec![entry.written.clone(), exact(&column.name)]));
                }
            }
            keyed.push((reference, columns));
        }
        keyed
    }

    /// The primary key of a product's relation as places among its columns, when all of it is shown as it is.
    fn visible_key(&self, reference: usize) -> Option<Vec<usize>> {
        let need = self.needs.referenced(reference)?;
        let facts = self.input.snapshot.parts.facts.get(&need.product.warehouse, &need.product.relation)?;
        if facts.primary_key.is_empty() {
            return None;
        }
        let place = |name: &String| need.view.columns.iter().position(|column| column.name == *name && !column.masked);
        facts.primary_key.iter().map(place).collect()
    }
}
