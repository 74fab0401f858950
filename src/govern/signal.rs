//! `SELECT pg_cancel_backend(PID)` and `SELECT pg_terminate_backend(PID)` as statements of their own: pgveil acts on the
//! user's own sessions, the warehouse is not asked. Some clients (Superset) cancel in this way alone, and write
//! `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid = '…'`.

use crate::sql::ast::{
    BinaryOperator, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments, GroupByExpr, ObjectName,
    ObjectNamePart, Query, Select, SelectItem, SetExpr, TableFactor, TableWithJoins, Value,
};
use crate::sql::ident;
use crate::sql::statement::Statement;

/// What is to be done to a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signal {
    /// pgveil's process number of the session.
    pub pid: i32,
    /// End the session, not only its statement.
    pub terminate: bool,
    /// The name of the one column of the answer, which is a boolean.
    pub column: String,
    /// It asked for a row of pg_stat_activity: no row where there is no such session of the user (else `false`).
    pub listed: bool,
}

impl Signal {
    /// The signal that a statement is; `None`: it is something else.
    pub fn of(statement: &Statement) -> Option<Self> {
        let Statement::Query(query) = statement else { return None };
        let select = plain_select(query)?;
        let [item] = select.projection.as_slice() else { return None };
        let (expr, alias) = match item {
            SelectItem::UnnamedExpr(expr) => (expr, None),
            SelectItem::ExprWithAlias { expr, alias } => (expr, Some(ident(alias))),
            _ => return None,
        };
        let Expr::Function(function) = expr else { return None };
        let name = in_pg_catalog(&function.name)?;
        let terminate = match name.as_str() {
            "pg_cancel_backend" => false,
            "pg_terminate_backend" => true,
            _ => return None,
        };
        let target = target(function, terminate)?;
        let column = alias.unwrap_or(name);
        match (target, select.from.as_slice(), &select.selection) {
            (Expr::Value(_), [], None) => Some(Self { pid: number(target)?, terminate, column, listed: false }),
            (Expr::Identifier(pid), [from], Some(condition)) if ident(pid) == "pid" && is_activity(from) => {
                Some(Self { pid: pid_of(condition)?, terminate, column, listed: true })
            }
            _ => None,
        }
    }
}

/// A SELECT that has nothing but a list, FROM and WHERE.
fn plain_select(query: &Query) -> Option<&Select> {
    let Query {
        with: None,
        body,
        order_by: None,
        limit_clause: None,
        fetch: None,
        locks: _,
        for_clause: None,
        settings: None,
        format_clause: None,
        pipe_operators: _,
    } = query
    else {
        return None;
    };
    let SetExpr::Select(select) = &**body else { return None };
    let grouped = !matches!(&select.group_by, GroupByExpr::Expressions(exprs, _) if exprs.is_empty());
    let more = grouped || select.distinct.is_some() || select.having.is_some() || select.into.is_some();
    (!more && query.locks.is_empty() && select.named_window.is_empty()).then_some(select)
}

/// The process number that the call names: its first argument. The second of pg_terminate_backend is a time to wait.
fn target(function: &Function, terminate: bool) -> Option<&Expr> {
    let more = !function.within_group.is_empty() || function.filter.is_some() || function.over.is_some();
    let FunctionArguments::List(list) = &function.args else { return None };
    if more || list.duplicate_treatment.is_some() || !list.clauses.is_empty() {
        return None;
    }
    let plain = |arg: &FunctionArg| matches!(arg, FunctionArg::Unnamed(FunctionArgExpr::Expr(_)));
    match list.args.as_slice() {
        [FunctionArg::Unnamed(FunctionArgExpr::Expr(pid))] => Some(pid),
        [FunctionArg::Unnamed(FunctionArgExpr::Expr(pid)), timeout] if terminate && plain(timeout) => Some(pid),
        _ => None,
    }
}

fn is_activity(from: &TableWithJoins) -> bool {
    let TableWithJoins { relation: TableFactor::Table { name, args: None, sample: None, .. }, joins } = from else {
        return false;
    };
    joins.is_empty() && in_pg_catalog(name).is_some_and(|name| name == "pg_stat_activity")
}

/// `pid = 1`, `pid = '1'`.
fn pid_of(condition: &Expr) -> Option<i32> {
    match condition {
        Expr::Nested(inner) => pid_of(inner),
        Expr::BinaryOp { left, op: BinaryOperator::Eq, right } => match &**left {
            Expr::Identifier(name) if ident(name) == "pid" => number(right),
            _ => None,
        },
        _ => None,
    }
}

fn number(expr: &Expr) -> Option<i32> {
    let Expr::Value(value) = expr else { return None };
    match &value.value {
        Value::Number(digits, _) | Value::SingleQuotedString(digits) => digits.parse().ok(),
        _ => None,
    }
}

/// The last part of a name without a schema, or with that of the system.
fn in_pg_catalog(name: &ObjectName) -> Option<String> {
    match name.0.as_slice() {
        [ObjectNamePart::Identifier(name)] => Some(ident(name)),
        [ObjectNamePart::Identifier(schema), ObjectNamePart::Identifier(name)] if ident(schema) == "pg_catalog" => {
            Some(ident(name))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sql::{TextLimits, parse};

    fn signal(sql: &str) -> Option<(i32, bool, String, bool)> {
        let parsed = parse(sql, &TextLimits::default()).unwrap();
        Signal::of(&parsed[0].statement).map(|s| (s.pid, s.terminate, s.column, s.listed))
    }

    #[test]
    fn a_statement_of_its_own_is_a_signal() {
        let cancel = "pg_cancel_backend".to_owned();
        assert_eq!(signal("SELECT pg_cancel_backend(42)"), Some((42, false, cancel.clone(), false)));
        assert_eq!(signal("select pg_catalog.pg_cancel_backend('42')"), Some((42, false, cancel, false)));
        assert_eq!(signal("SELECT pg_terminate_backend(7, 1000) AS done"), Some((7, true, "done".to_owned(), false)));
        let superset = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid='7'";
        assert_eq!(signal(superset), Some((7, true, "pg_terminate_backend".to_owned(), true)));
    }

    #[test]
    fn everything_else_is_none() {
        for sql in [
            "SELECT pg_cancel_backend(1), 2",
            "SELECT pg_cancel_backend(1) WHERE false",
            "SELECT pg_cancel_backend(1) FROM ops.depots",
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity",
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid > 1",
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity, x WHERE pid = 1",
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid = 1 LIMIT 1",
            "SELECT public.pg_cancel_backend(1)",
            "SELECT pg_cancel_backend($1)",
            "SELECT pg_sleep(1)",
            "WITH x AS (SELECT 1) SELECT pg_cancel_backend(1)",
        ] {
            assert_eq!(signal(sql), None, "{sql}");
        }
    }
}
