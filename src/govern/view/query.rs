//! Builds the derived query of a product for one set of roles.

use crate::catalog::Product;
use crate::names::RoleName;
use crate::sql;
use crate::sql::ast::{self, Expr, ObjectName, SelectItem, Value};

use std::collections::BTreeSet;

use super::super::expression;
use super::super::filters::{self, Visible};
use super::super::snapshot::Snapshot;
use super::super::subject::Subject;
use super::{FunctionName, ProductView, Template, ViewColumn, ViewItem};

pub(super) fn build(
    snapshot: &Snapshot,
    template: &Template,
    product: &Product,
    roles: &[RoleName],
    subject: &Subject,
) -> ProductView {
    let visible = filters::visible_to(&template.filters, roles, &subject.attributes);
    let mut items = Vec::new();
    let mut columns = Vec::new();
    for (column, number) in template.columns.iter().zip(1..) {
        let raw = Expr::Identifier(sql::exact(&column.name));
        let seeing = unmasking(snapshot, product, roles, &column.name);
        let (expr, masked) = match &column.mask {
            None => (raw, false),
            Some((_, mask)) if seeing.is_empty() => (mask.clone(), true),
            Some((_, mask)) => {
                let unmasked = filters::visible_to(&template.filters, &seeing, &subject.attributes);
                show(raw, mask.clone(), &unmasked, &visible)
            }
        };
        let functions = functions_of(&expr);
        let item = match expr {
            raw @ Expr::Identifier(_) => SelectItem::UnnamedExpr(raw),
            expr => SelectItem::ExprWithAlias { expr, alias: sql::exact(&column.name) },
        };
        items.push(ViewItem { item, functions });
        columns.push(ViewColumn {
            name: column.name.clone(),
            pii: column.pii,
            masked,
            lookup: column.lookup.clone().filter(|_| seeing.is_empty()),
            mask: column.mask.as_ref().map(|(name, _)| *name).filter(|_| masked),
            type_oid: column.type_oid,
            base_type: column.base_type.clone(),
            number,
        });
    }
    let filter = visible.predicate();
    let filtered = filter.is_some();
    let fenced = filtered || template.leaky_view;
    let open = || {
        let condition = match (filter.clone(), template.no_view) {
            (Some(filter), true) => Some(expression::and(filter, no_view())),
            (None, true) => Some(no_view()),
            (filter, false) => filter,
        };
        rows_of(product, condition, false)
    };
    let unfenced = (fenced && !template.computed).then(open);
    let rows = if fenced { rows_of(product, filter.clone(), true) } else { open() };
    ProductView {
        id: product.id.clone(),
        guarded: fenced || template.computed || columns.iter().any(|column| column.masked),
        filter_functions: filter.as_ref().map(functions_of).unwrap_or_default(),
        filter: filter.as_ref().map(sql::render_expr),
        rows,
        items,
        columns,
        filtered,
        fenced,
        unfenced,
        relation: product.relation.clone(),
        relation_oid: template.relation_oid,
    }
}

/// `true OR tableoid IS NULL`: nothing to the planner, which folds it away, but an error at once where a view, through which
/// conditions may be pushed, has taken the place of a table. Until the facts are read again, nothing else would notice.
fn no_view() -> Expr {
    let absent = Expr::IsNull(Box::new(Expr::Identifier(sql::exact("tableoid"))));
    Expr::Nested(Box::new(Expr::BinaryOp {
        left: Box::new(Expr::value(Value::Boolean(true))),
        op: ast::BinaryOperator::Or,
        right: Box::new(absent),
    }))
}

fn functions_of(expr: &Expr) -> Vec<FunctionName> {
    let mut functions = BTreeSet::new();
    expression::functions_of(expr, &mut functions);
    functions.into_iter().collect()
}

/// The roles among these that see the column raw.
fn unmasking(snapshot: &Snapshot, product: &Product, roles: &[RoleName], column: &str) -> Vec<RoleName> {
    let policy = &snapshot.parts.policy;
    let sees = |name: &&RoleName| {
        policy.roles.get(*name).is_some_and(|role| role.unmask.iter().any(|p| p.matches(&product.id, column)))
    };
    roles.iter().filter(sees).cloned().collect()
}

/// The column as it is shown, and whether a mask takes part: raw only in rows that an unmasking role shows.
fn show(raw: Expr, mask: Expr, unmasked_rows: &Visible, all_rows: &Visible) -> (Expr, bool) {
    if unmasked_rows.covers(all_rows) {
        return (raw, false);
    }
    match unmasked_rows.predicate() {
        None => (raw, false),
        Some(predicate) => (expression::either(predicate, raw, mask), true),
    }
}

fn rows_of(product: &Product, filter: Option<Expr>, fenced: bool) -> ast::Query {
    let relation = ObjectName::from(vec![sql::exact(&product.relation.schema), sql::exact(&product.relation.name)]);
    let from = ast::TableWithJoins {
        relation: ast::TableFactor::Table {
            name: relation,
            alias: None,
            args: None,
            with_hints: Vec::new(),
            version: None,
            with_ordinality: false,
            partitions: Vec::new(),
            json_path: None,
            sample: None,
            index_hints: Vec::new(),
        },
        joins: Vec::new(),
    };
    let select = ast::Select {
        select_token: ast::helpers::attached_token::AttachedToken::empty(),
        optimizer_hints: Vec::new(),
        distinct: None,
        select_modifiers: None,
        top: None,
        top_before_distinct: false,
        projection: Vec::new(),
        exclude: None,
        into: None,
        from: vec![from],
        lateral_views: Vec::new(),
        prewhere: None,
        selection: filter,
        connect_by: Vec::new(),
        group_by: ast::GroupByExpr::Expressions(Vec::new(), Vec::new()),
        cluster_by: Vec::new(),
        distribute_by: Vec::new(),
        sort_by: Vec::new(),
        having: None,
        named_window: Vec::new(),
        qualify: None,
        window_before_qualify: false,
        value_table_mode: None,
        flavor: ast::SelectFlavor::Standard,
    };
    let fence = ast::LimitClause::LimitOffset {
        limit: None,
        offset: Some(ast::Offset {
            value: Expr::value(Value::Number("0".to_owned(), false)),
            rows: ast::OffsetRows::None,
        }),
        limit_by: Vec::new(),
    };
    ast::Query {
        with: None,
        body: Box::new(ast::SetExpr::Select(Box::new(select))),
        order_by: None,
        limit_clause: fenced.then_some(fence),
        fetch: None,
        locks: Vec::new(),
        for_clause: None,
        settings: None,
        format_clause: None,
        pipe_operators: Vec::new(),
    }
}
