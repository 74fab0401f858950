//! The row cap in the statement itself: `LIMIT cap + 1`, so that the warehouse stops as soon as it is known that the result
//! is cut. The extra row is withheld where the rows are relayed.

use crate::sql::ast::{
    DataType, Expr, Fetch, Function, FunctionArg, FunctionArgExpr, FunctionArgumentList, FunctionArguments, Ident,
    LimitClause, ObjectName, Query, SetExpr, UnaryOperator, Value,
};

/// Caps the rows of a statement's query. False: the cap is not in the statement, since the result has ties which only the
/// relay can count.
pub(super) fn cap(query: &mut Query, cap: u64) -> bool {
    let most = i64::try_from(cap).unwrap_or(i64::MAX).saturating_add(1);
    let depth = depth_of_limit(query);
    cap_nested(query, depth, most)
}

/// Postgres takes the LIMIT of a query in parentheses for the limit of the whole: how many parentheses lie before it.
fn depth_of_limit(query: &Query) -> usize {
    let (mut inner, mut depth) = (query, 0);
    loop {
        let own = matches!(&inner.limit_clause, Some(LimitClause::LimitOffset { limit: Some(_), .. }));
        if own || inner.fetch.is_some() {
            return depth;
        }
        match &*inner.body {
            SetExpr::Query(next) => (inner, depth) = (next, depth + 1),
            _ => return 0,
        }
    }
}

fn cap_nested(query: &mut Query, depth: usize, most: i64) -> bool {
    if depth > 0
        && let SetExpr::Query(next) = &mut *query.body
    {
        return cap_nested(next, depth - 1, most);
    }
    match &query.fetch {
        Some(Fetch { with_ties: true, .. }) => false,
        Some(Fetch { with_ties: false, percent: _, quantity }) => {
            // FETCH takes no call for its quantity, LIMIT does.
            let asked = quantity.clone().unwrap_or_else(|| number(1));
            query.fetch = None;
            set_limit(query, at_most(asked, most));
            true
        }
        None => {
            let asked = match &mut query.limit_clause {
                Some(LimitClause::LimitOffset { limit, .. }) => limit.take(),
                Some(LimitClause::OffsetCommaLimit { .. }) | None => None,
            };
            set_limit(query, asked.map_or_else(|| number(most), |asked| at_most(asked, most)));
            true
        }
    }
}

fn set_limit(query: &mut Query, limit: Expr) {
    match &mut query.limit_clause {
        Some(LimitClause::LimitOffset { limit: place, .. }) => *place = Some(limit),
        Some(LimitClause::OffsetCommaLimit { limit: place, .. }) => *place = limit,
        None => {
            query.limit_clause =
                Some(LimitClause::LimitOffset { limit: Some(limit), offset: None, limit_by: Vec::new() });
        }
    }
}

/// The asked limit, but no more than `most`.
fn at_most(asked: Expr, most: i64) -> Expr {
    match constant(&asked) {
        Constant::Null => number(most),
        Constant::Number(asked_for) if asked_for <= i128::from(most) => asked,
        Constant::Number(_) => number(most),
        Constant::No => least(asked, most),
    }
}

enum Constant {
    Null,
    Number(i128),
    No,
}

fn constant(expr: &Expr) -> Constant {
    match expr {
        Expr::Value(value) => match &value.value {
            Value::Null => Constant::Null,
            Value::Number(digits, _) => digits.parse().map_or(Constant::No, Constant::Number),
            _ => Constant::No,
        },
        Expr::Nested(inner) => constant(inner),
        Expr::UnaryOp { op: UnaryOperator::Plus, expr } => constant(expr),
        _ => Constant::No,
    }
}

/// `LEAST(expr, most::bigint)`: NULL means no limit, and LEAST leaves NULLs out; the cast keeps a parameter's type bigint.
fn least(expr: Expr, most: i64) -> Expr {
    let most = Expr::Cast {
        kind: crate::sql::ast::CastKind::DoubleColon,
        expr: Box::new(number(most)),
        data_type: DataType::BigInt(None),
        format: None,
    };
    let argument = |expr| FunctionArg::Unnamed(FunctionArgExpr::Expr(expr));
    Expr::Function(Function {
        name: ObjectName::from(vec![Ident::new("LEAST")]),
        uses_odbc_syntax: false,
        parameters: FunctionArguments::None,
        args: FunctionArguments::List(FunctionArgumentList {
            duplicate_treatment: None,
            args: vec![argument(expr), argument(most)],
            clauses: Vec::new(),
        }),
        within_group: Vec::new(),
        filter: None,
        null_treatment: None,
        over: None,
    })
}

fn number(n: i64) -> Expr {
    Expr::value(Value::Number(n.to_string(), false))
}
