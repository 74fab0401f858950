//! Queries: WITH, set operations, SELECT and its clauses, VALUES, ORDER BY, LIMIT.

use std::collections::BTreeSet;

use crate::error::sqlstate;
use crate::sql::ast::{
    Cte, Distinct, Expr, Ident, NamedWindowDefinition, NamedWindowExpr, OrderBy, Query, Select, SelectFlavor,
    SelectItem, SelectItemQualifiedWildcardKind, SetExpr, SetOperator, SetQuantifier, Spanned, TableAlias, Value,
    Values, WildcardAdditionalOptions, With,
};
use crate::sql::resolve::{self, Column, Columns, Entry, Origin};
use crate::sql::{added_columns, exact, ident, output_name, with_deep_stack};

use super::Walker;
use super::refuse::{Pointing, Walked, absent, construct, denial, foreign};

/// The recursive WITH query whose body is being read: its columns are known once its first arm is.
pub(super) struct Recursive {
    name: String,
    /// The names of its alias list.
    renamed: Vec<String>,
    /// Which WITH clause it stands in.
    clause: usize,
}

impl Walker<'_> {
    /// Reads a query and gives the columns of its result. `outer` is the ORDER BY of an enclosing pair of parentheses, which
    /// Postgres takes for the query's own.
    pub(super) fn query(
        &mut self,
        query: &mut Query,
        outer: Option<&mut OrderBy>,
        recursive: Option<&Recursive>,
    ) -> Walked<Columns> {
        with_deep_stack(|| self.query_clauses(query, outer, recursive))
    }

    fn query_clauses(
        &mut self,
        query: &mut Query,
        outer: Option<&mut OrderBy>,
        recursive: Option<&Recursive>,
    ) -> Walked<Columns> {
        // In a condition it may read anything, and it is evaluated where the condition is.
        self.touched.anything();
        if !self.queries_allowed {
            return Err(construct("a subquery in the arguments of EXECUTE", "Pass its result as a value."));
        }
        let Query {
            with,
            body,
            order_by,
            limit_clause,
            fetch,
            locks,
            for_clause,
            settings,
            format_clause,
            pipe_operators,
        } = query;
        if !locks.is_empty() {
            return Err(construct(
                "FOR UPDATE or FOR SHARE",
                "Data products are read-only, nothing can be locked: leave the clause out.",
            ));
        }
        absent("FOR XML, FOR JSON or FOR BROWSE", for_clause.is_some())?;
        absent("SETTINGS", settings.is_some())?;
        absent("FORMAT", format_clause.is_some())?;
        absent("a pipe operator", !pipe_operators.is_empty())?;
        if let Some(with) = with.as_mut() {
            self.with(with)?;
        }
        if (limit_clause.is_some() || fetch.is_some()) && limited_inside(body) {
            // Postgres merges the two, or takes them for a mistake, as it comes.
            let hint = "Write it inside of the parentheses, or select from the inner query.";
            return Err(construct("LIMIT, OFFSET or FETCH behind a query in parentheses that has its own", hint));
        }
        let order = match (order_by.as_mut(), outer) {
            (Some(_), Some(_)) => {
                let message = "multiple ORDER BY clauses not allowed";
                return Err(denial(sqlstate::SYNTAX_ERROR, "syntax", message));
            }
            (own, outer) => own.or(outer),
        };
        let columns = self.set_expr(body, order, recursive)?;
        self.limit(limit_clause.as_mut(), fetch.as_mut())?;
        if with.is_some() {
            self.scopes.leave_with();
        }
        Ok(columns)
    }

    fn with(&mut self, with: &mut With) -> Walked {
        let With { with_token: _, recursive, cte_tables } = with;
        self.scopes.enter_with();
        if *recursive {
            // All of them are visible in each of them.
            for cte in cte_tables.iter() {
                let columns = Columns::unknown();
                self.define(&cte.alias.name, columns)?;
            }
        }
        for cte in cte_tables {
            let Cte { alias, query, from, materialized: _, closing_paren_token: _ } = cte;
            let added = match from {
                None => Vec::new(),
                Some(clause) => added_columns(clause).ok_or_else(|| foreign("FROM after a WITH query"))?,
            };
            let renamed = plain_names(alias)?;
            let own = Recursive { name: ident(&alias.name), renamed, clause: self.scopes.clause() };
            let mut columns = self.query(query, None, recursive.then_some(&own))?.sealed();
            columns.renamed(&own.renamed);
            // Those of SEARCH and CYCLE are made of the query's own columns.
            columns.list.extend(added.into_iter().map(Column::computed));
            if *recursive {
                self.scopes.define_cte(own.clause, resolve::Cte { name: own.name, columns });
            } else {
                self.define(&alias.name, columns)?;
            }
        }
        Ok(())
    }

    /// Makes a WITH query visible.
    fn define(&mut self, name: &Ident, columns: Columns) -> Walked {
        let exact_name = ident(name);
        if self.scopes.defines(&exact_name) {
            let message = format!("WITH query name \"{exact_name}\" specified more than once");
            return Err(denial(sqlstate::DUPLICATE_ALIAS, "duplicate_name", message).pointing(self.place(name.span)));
        }
        self.needs.with_names.insert(exact_name.clone());
        self.scopes.define_cte(self.scopes.clause(), resolve::Cte { name: exact_name, columns });
        Ok(())
    }

    fn set_expr(
        &mut self,
        body: &mut SetExpr,
        order: Option<&mut OrderBy>,
        recursive: Option<&Recursive>,
    ) -> Walked<Columns> {
        match body {
            SetExpr::Select(select) => self.select(select, order),
            SetExpr::Query(query) => self.query(query, order, recursive),
            SetExpr::SetOperation { left, op, set_quantifier, right } => {
                match op {
                    SetOperator::Union | SetOperator::Except | SetOperator::Intersect => {}
                    SetOperator::Minus => return Err(construct("MINUS", "Use EXCEPT.")),
                }
                match set_quantifier {
                    SetQuantifier::All | SetQuantifier::Distinct | SetQuantifier::None => {}
                    SetQuantifier::ByName | SetQuantifier::AllByName | SetQuantifier::DistinctByName => {
                        return Err(foreign("BY NAME"));
                    }
                }
                let columns = with_deep_stack(|| self.set_expr(left, None, None))?.mixed();
                if let Some(recursive) = recursive {
                    let mut known = columns.clone();
                    known.renamed(&recursive.renamed);
                    self.scopes
                        .define_cte(recursive.clause, resolve::Cte { name: recursive.name.clone(), columns: known });
                }
                with_deep_stack(|| self.set_expr(right, None, None))?;
                self.order_of_result(order, &columns)?;
                Ok(columns)
            }
            SetExpr::Values(values) => self.values(values, order),
            SetExpr::Insert(_) | SetExpr::Update(_) | SetExpr::Delete(_) | SetExpr::Merge(_) => {
                Err(construct("a statement that changes data", "Data products are read-only: use SELECT."))
            }
            SetExpr::Table(_) => Err(construct("TABLE in this place", "Use SELECT * FROM.")),
        }
    }

    fn values(&mut self, values: &mut Values, order: Option<&mut OrderBy>) -> Walked<Columns> {
        let Values { explicit_row, value_keyword, rows } = values;
        absent("VALUES ROW", *explicit_row)?;
        absent("VALUE", *value_keyword)?;
        self.scopes.enter();
        let width = rows.first().map_or(0, |row| row.content.len());
        for row in rows {
            self.exprs(&mut row.content)?;
        }
        self.scopes.leave();
        let columns = Columns::named((1..=width).map(|n| format!("column{n}")));
        self.order_of_result(order, &columns)?;
        Ok(columns)
    }

    /// ORDER BY of a set operation or of VALUES: it sees the result's columns alone.
    fn order_of_result(&mut self, order: Option<&mut OrderBy>, columns: &Columns) -> Walked {
        let Some(order) = order else { return Ok(()) };
        self.scopes.enter();
        self.scopes.current().entries.push(Entry::join(columns.clone()));
        self.order_by(order, columns)?;
        self.scopes.leave();
        Ok(())
    }

    fn select(&mut self, select: &mut Select, order: Option<&mut OrderBy>) -> Walked<Columns> {
        let Select {
            select_token: _,
            optimizer_hints,
            distinct,
            select_modifiers,
            top,
            top_before_distinct: _,
            projection,
            exclude,
            into,
            from,
            lateral_views,
            prewhere,
            selection,
            connect_by,
            group_by,
            cluster_by,
            distribute_by,
            sort_by,
            having,
            named_window,
            qualify,
            window_before_qualify: _,
            value_table_mode,
            flavor,
        } = select;
        // A hint is a comment, and comments are not sent.
        optimizer_hints.clear();
        if into.is_some() {
            return Err(construct("SELECT INTO", "Data products are read-only: leave INTO out."));
        }
        absent("a modifier of SELECT", select_modifiers.is_some())?;
        if top.is_some() {
            return Err(construct("TOP", "Use LIMIT."));
        }
        absent("EXCLUDE", exclude.is_some())?;
        absent("LATERAL VIEW", !lateral_views.is_empty())?;
        absent("PREWHERE", prewhere.is_some())?;
        absent("CONNECT BY", !connect_by.is_empty())?;
        absent("CLUSTER BY", !cluster_by.is_empty())?;
        absent("DISTRIBUTE BY", !distribute_by.is_empty())?;
        absent("SORT BY", !sort_by.is_empty())?;
        absent("QUALIFY", qualify.is_some())?;
        absent("SELECT AS STRUCT or AS VALUE", value_table_mode.is_some())?;
        match flavor {
            SelectFlavor::Standard => {}
            SelectFlavor::FromFirst | SelectFlavor::FromFirstNoSelect => return Err(foreign("FROM before SELECT")),
        }

        self.scopes.enter();
        // An outer query's columns are not lifted in here, where an aggregate over them may not stand.
        self.lifted.push(BTreeSet::new());
        let in_aggregate = std::mem::replace(&mut self.in_aggregate, false);
        let first_placed = self.placed.len();
        self.from(from)?;
        let before = self.log.len();
        let lifted = self.lifted_columns(group_by, projection);
        self.set_lifted(lifted.clone());
        let columns = self.projection(projection)?;
        if let Some(condition) = selection {
            // Rows are chosen before they are grouped: what is read here needs no place in GROUP BY, unless it is an outer
            // query's.
            let shown = self.log.len();
            self.set_lifted(BTreeSet::new());
            let here = self.references_here();
            self.link(condition, &here);
            self.condition(condition)?;
            self.set_lifted(lifted);
            self.forget_own(shown);
        }
        if let Some(condition) = having {
            self.group_condition(condition)?;
        }
        for window in named_window {
            self.named_window(window)?;
        }
        match distinct {
            None | Some(Distinct::All | Distinct::Distinct) => {}
            Some(Distinct::On(exprs)) => {
                for expr in exprs {
                    self.sort_key(expr, &columns)?;
                }
            }
        }
        if let Some(order) = order {
            self.order_by(order, &columns)?;
        }
        self.set_lifted(BTreeSet::new());
        self.group_by(group_by, &columns, projection, before)?;
        self.lifted.pop();
        self.in_aggregate = in_aggregate;
        self.scopes.leave();
        // Everything that can refer to this FROM clause has been read.
        self.show_columns(from, first_placed)?;
        Ok(columns)
    }

    fn set_lifted(&mut self, lifted: BTreeSet<Origin>) {
        if let Some(last) = self.lifted.last_mut() {
            *last = lifted;
        }
    }

    fn named_window(&mut self, window: &mut NamedWindowDefinition) -> Walked {
        let NamedWindowDefinition(_, definition) = window;
        match definition {
            NamedWindowExpr::NamedWindow(_) => Err(foreign("a window that is another's name")),
            NamedWindowExpr::WindowSpec(spec) => self.window(spec),
        }
    }

    /// Reads the output items, and gives those a name that would lose it when what is below them is rewritten.
    fn projection(&mut self, projection: &mut [SelectItem]) -> Walked<Columns> {
        let mut columns = Columns { list: Vec::new(), complete: true };
        for item in projection {
            match item {
                SelectItem::UnnamedExpr(expr) => {
                    if let Some((shown, relation)) = self.every_field(expr)? {
                        columns.complete &= shown.complete;
                        columns.list.extend(shown.list);
                        if let Some(relation) = relation {
                            // `(t).*` is `t.*`.
                            let kind = SelectItemQualifiedWildcardKind::ObjectName(relation);
                            *item = SelectItem::QualifiedWildcard(kind, WildcardAdditionalOptions::default());
                        }
                        continue;
                    }
                    let name = output_name(expr);
                    let shows = self.shown_by(expr);
                    self.name_of_output(expr)?;
                    self.expr(expr)?;
                    let keeps_it =
                        matches!(expr, Expr::Identifier(_) | Expr::CompoundIdentifier(_)) && output_name(expr) == name;
                    if !keeps_it {
                        let expr = std::mem::replace(expr, Expr::value(Value::Null));
                        *item = SelectItem::ExprWithAlias { expr, alias: exact(&name) };
                    }
                    columns.list.push(Column { shows, ..Column::computed(name) });
                }
                SelectItem::ExprWithAlias { expr, alias } => {
                    let shows = self.shown_by(expr);
                    self.name_of_output(expr)?;
                    self.expr(expr)?;
                    columns.list.push(Column { shows, ..Column::computed(ident(alias)) });
                }
                SelectItem::ExprWithAliases { .. } => return Err(foreign("more than one alias")),
                SelectItem::QualifiedWildcard(kind, options) => {
                    plain_wildcard(options)?;
                    match kind {
                        SelectItemQualifiedWildcardKind::ObjectName(name) => {
                            let shown = self.whole_relation(name)?;
                            columns.complete &= shown.complete;
                            columns.list.extend(shown.list);
                        }
                        SelectItemQualifiedWildcardKind::Expr(expr) => {
                            let at = self.place(expr.span());
                            return Err(construct("(…).*", "Name the fields.").pointing(at));
                        }
                    }
                }
                SelectItem::Wildcard(options) => {
                    plain_wildcard(options)?;
                    let shown = self.star();
                    columns.complete &= shown.complete;
                    columns.list.extend(shown.list);
                }
            }
        }
        Ok(columns.sealed())
    }
}

/// Whether a query in parentheses has a LIMIT, OFFSET or FETCH of its own.
fn limited_inside(body: &SetExpr) -> bool {
    let mut body = body;
    while let SetExpr::Query(inner) = body {
        if inner.limit_clause.is_some() || inner.fetch.is_some() {
            return true;
        }
        body = &inner.body;
    }
    false
}

/// `*` and nothing more.
pub(super) fn plain_wildcard(options: &WildcardAdditionalOptions) -> Walked {
    let WildcardAdditionalOptions {
        wildcard_token: _,
        opt_ilike,
        opt_exclude,
        opt_except,
        opt_replace,
        opt_rename,
        opt_alias,
    } = options;
    let more = opt_ilike.is_some()
        || opt_exclude.is_some()
        || opt_except.is_some()
        || opt_replace.is_some()
        || opt_rename.is_some()
        || opt_alias.is_some();
    if more { Err(construct("an option of *", "Name the columns.")) } else { Ok(()) }
}

/// The column names of an alias, which has nothing but names.
pub(super) fn plain_names(alias: &TableAlias) -> Walked<Vec<String>> {
    let TableAlias { explicit: _, name: _, columns, at } = alias;
    absent("AT after an alias", at.is_some())?;
    if columns.iter().any(|column| column.data_type.is_some()) {
        let message = "a column definition list is only allowed for functions returning \"record\"";
        return Err(denial(sqlstate::SYNTAX_ERROR, "syntax", message));
    }
    Ok(columns.iter().map(|column| ident(&column.name)).collect())
}
