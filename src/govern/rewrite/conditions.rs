//! Conditions: each is read and rewritten like every expression, and judged on the way by the rule of [`crate::govern::fence`].

use std::collections::BTreeSet;

use crate::govern::fence::{Condition, Kind};
use crate::sql::ast::{
    Array, BinaryOperator, DataType, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments, Ident,
    ObjectNamePart, TypedString, UnaryOperator, Value,
};
use crate::sql::resolve::{Column, Entry, Origin};
use crate::sql::statement::Statement;
use crate::sql::{ident, with_deep_stack};

use super::Walker;
use super::moments::moment;
use super::refuse::Walked;

/// What was read since somebody began to watch.
#[derive(Debug, Default)]
pub(super) struct Touched {
    references: BTreeSet<usize>,
    /// A column was read of which nobody knows what is behind it.
    unknown: bool,
}

/// The operand of a comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operand {
    /// A literal or parameter that takes the type of the other side.
    Open,
    /// A constant or a plain column of a known type.
    Of(Kind),
    /// A whole number, which is an OID's constant too.
    Number,
}

/// A judgement: whether dates or timestamps are compared, or why it leaks.
type Judged = Result<bool, String>;

impl Touched {
    /// Notes that a column is read.
    pub(super) fn column(&mut self, column: &Column) {
        match column.shows {
            _ if !column.origins.is_empty() => self.references.extend(column.origins.iter().map(|o| o.reference)),
            Some(origin) => drop(self.references.insert(origin.reference)),
            None => self.unknown = true,
        }
    }
    /// Notes that something is read that may be anything.
    pub(super) fn anything(&mut self) {
        self.unknown = true;
    }
}

impl Walker<'_> {
    /// WHERE or ON: conditions that must all hold are judged one by one.
    pub(super) fn condition(&mut self, expr: &mut Expr) -> Walked {
        with_deep_stack(|| self.conditions(expr, false))
    }

    /// HAVING: a condition with an aggregate is evaluated on groups.
    pub(super) fn group_condition(&mut self, expr: &mut Expr) -> Walked {
        with_deep_stack(|| self.conditions(expr, true))
    }

    fn conditions(&mut self, expr: &mut Expr, of_groups: bool) -> Walked {
        let mut rest = expr;
        loop {
            match rest {
                Expr::BinaryOp { left, op: BinaryOperator::And, right } => {
                    with_deep_stack(|| self.conditions(right, of_groups))?;
                    rest = left;
                }
                Expr::Nested(inner) => rest = inner,
                one => return self.one_condition(one, of_groups),
            }
        }
    }

    fn one_condition(&mut self, expr: &mut Expr, of_groups: bool) -> Walked {
        if of_groups && self.aggregates_here(expr) {
            return self.expr(expr);
        }
        let judged = self.truth(expr);
        self.needs.literal_values |= self.looked.replace(false);
        let (leaks, of_time) = match judged {
            Ok(of_time) => (None, of_time),
            Err(reason) => (Some(reason), false),
        };
        let equates = may_equate(expr);
        let outer = std::mem::take(&mut self.touched);
        let read = self.expr(expr);
        let inner = std::mem::replace(&mut self.touched, outer);
        self.touched.references.extend(&inner.references);
        self.touched.unknown |= inner.unknown;
        let touched = (!inner.unknown).then_some(inner.references);
        self.fences.note(Condition { touched, leaks, of_time, equates });
        read
    }

    /// USING and NATURAL: the columns of both sides are equal.
    pub(super) fn merged_condition(&mut self, left: &Column, right: &Column) {
        let judged = self.kind_of(left).and_then(|l| Ok((l, self.kind_of(right)?)));
        let judged = judged.and_then(|(left, right)| compared(Operand::Of(left), Operand::Of(right)));
        let mut touched = Touched::default();
        touched.column(left);
        touched.column(right);
        let (leaks, of_time) = match judged {
            Ok(of_time) => (None, of_time),
            Err(reason) => (Some(reason), false),
        };
        let touched = (!touched.unknown).then_some(touched.references);
        self.fences.note(Condition { touched, leaks, of_time, equates: true });
    }

    /// What is evaluated to true or false.
    fn truth(&self, expr: &Expr) -> Judged {
        with_deep_stack(|| self.truth_inside(expr))
    }

    fn truth_inside(&self, expr: &Expr) -> Judged {
        match expr {
            Expr::Nested(inner) | Expr::UnaryOp { op: UnaryOperator::Not, expr: inner } => self.truth(inner),
            Expr::BinaryOp { op: BinaryOperator::And | BinaryOperator::Or, .. } => self.chain(expr),
            Expr::BinaryOp { left, op, right } if is_comparison(op) => self.comparison(left, right),
            Expr::IsDistinctFrom(left, right) | Expr::IsNotDistinctFrom(left, right) => {
                compared(self.operand(left)?, self.operand(right)?)
            }
            Expr::IsNull(inner) | Expr::IsNotNull(inner) => self.operand(inner).map(|_| false),
            Expr::IsTrue(inner)
            | Expr::IsNotTrue(inner)
            | Expr::IsFalse(inner)
            | Expr::IsNotFalse(inner)
            | Expr::IsUnknown(inner)
            | Expr::IsNotUnknown(inner) => self.truth(inner),
            Expr::InList { expr, list, negated: _ } => {
                list.iter().try_fold(false, |of_time, item| Ok(self.comparison(expr, item)? | of_time))
            }
            Expr::Between { expr, negated: _, low, high } => {
                Ok(self.comparison(expr, low)? | self.comparison(expr, high)?)
            }
            Expr::AnyOp { left, compare_op, right, is_some: _ } | Expr::AllOp { left, compare_op, right }
                if is_comparison(compare_op) =>
            {
                self.elements(left, right)
            }
            other => match self.operand(other)? {
                Operand::Open | Operand::Of(Kind::Boolean) => Ok(false),
                Operand::Of(kind) => Err(format!("{} is no condition", kind.word())),
                Operand::Number => Err("a number is no condition".to_owned()),
            },
        }
    }

    /// A chain of AND or OR may have thousands of members.
    fn chain(&self, expr: &Expr) -> Judged {
        let mut of_time = false;
        let mut rest = expr;
        loop {
            match rest {
                Expr::BinaryOp { left, op: BinaryOperator::And | BinaryOperator::Or, right } => {
                    of_time |= self.truth(right)?;
                    rest = left;
                }
                first => return Ok(self.truth(first)? | of_time),
            }
        }
    }

    /// Two sides of a comparison; rows are compared field by field.
    fn comparison(&self, left: &Expr, right: &Expr) -> Judged {
        match (unnested(left), unnested(right)) {
            (Expr::Tuple(left), Expr::Tuple(right)) if left.len() == right.len() => {
                let mut fields = left.iter().zip(right);
                fields.try_fold(false, |of_time, (left, right)| Ok(self.comparison(left, right)? | of_time))
            }
            (left, right) => compared(self.operand(left)?, self.operand(right)?),
        }
    }

    /// `x = ANY (array)`.
    fn elements(&self, left: &Expr, right: &Expr) -> Judged {
        let left = self.operand(left)?;
        match unnested(right) {
            Expr::Array(Array { elem, named: _ }) => {
                elem.iter().try_fold(false, |of_time, one| Ok(compared(left, self.operand(one)?)? | of_time))
            }
            Expr::Value(value) => match &value.value {
                Value::Placeholder(name) => match self.declared(name)? {
                    None => compared(left, Operand::Open),
                    Some(Declared::Oid(oid)) => match Kind::of_array_oid(oid) {
                        Some(kind) => compared(left, Operand::Of(kind)),
                        None => Err(format!("the type of {name} is not on the list")),
                    },
                    Some(Declared::Type(_)) => Err(format!("the type of {name} is not on the list")),
                },
                Value::SingleQuotedString(_) => compared(left, Operand::Open),
                _ => Err("the right side of ANY or ALL is no list of constants".to_owned()),
            },
            _ => Err("the right side of ANY or ALL is no list of constants".to_owned()),
        }
    }

    /// A plain column, or a constant that cannot fail while rows are read.
    fn operand(&self, expr: &Expr) -> Result<Operand, String> {
        if let Some(moment) = moment(expr) {
            self.looked.set(self.looked.get() || moment.looked);
            return Ok(Operand::Of(moment.kind));
        }
        match unnested(expr) {
            Expr::Identifier(name) => self.column_kind(std::slice::from_ref(name)).map(Operand::Of),
            Expr::CompoundIdentifier(parts) => self.column_kind(parts).map(Operand::Of),
            Expr::Value(value) => self.constant(&value.value),
            Expr::TypedString(TypedString { data_type, .. }) => typed(data_type),
            Expr::UnaryOp { op: UnaryOperator::Minus | UnaryOperator::Plus, expr } => match unnested(expr) {
                Expr::Value(value) if matches!(value.value, Value::Number(..)) => self.constant(&value.value),
                _ => Err("arithmetic is not leak-proof".to_owned()),
            },
            Expr::Cast { expr, data_type, .. } => self.cast(unnested(expr), data_type),
            Expr::Function(function) => Err(format!("the function {} is not leak-proof", function.name)),
            Expr::BinaryOp { op, .. } => Err(format!("the operator {op} is not leak-proof")),
            Expr::Like { .. } | Expr::ILike { .. } => Err("LIKE is not leak-proof".to_owned()),
            Expr::SimilarTo { .. } => Err("SIMILAR TO is not leak-proof".to_owned()),
            Expr::Subquery(_) | Expr::InSubquery { .. } | Expr::Exists { .. } => {
                Err("a subquery in a condition may do anything".to_owned())
            }
            _ => Err("an expression in a condition is not known to be leak-proof".to_owned()),
        }
    }

    fn constant(&self, value: &Value) -> Result<Operand, String> {
        match value {
            // Longer numbers are of type numeric.
            Value::Number(digits, false) => match digits.parse::<i64>() {
                Ok(_) if digits.bytes().all(|b| b.is_ascii_digit()) => Ok(Operand::Number),
                _ => Err("comparisons of numeric are not leak-proof".to_owned()),
            },
            Value::SingleQuotedString(_)
            | Value::EscapedStringLiteral(_)
            | Value::UnicodeStringLiteral(_)
            | Value::DollarQuotedString(_)
            | Value::Null => Ok(Operand::Open),
            Value::Boolean(_) => Ok(Operand::Of(Kind::Boolean)),
            Value::Placeholder(name) => match self.declared(name)? {
                None => Ok(Operand::Open),
                Some(declared) => match declared.kind() {
                    Some(kind) => Ok(Operand::Of(kind)),
                    None => Err(format!("the type of {name} is not on the list")),
                },
            },
            _ => Err("a literal of this form is not on the list".to_owned()),
        }
    }

    /// A literal or an open parameter gets the type before rows are read; a column is cast by a function, but for a
    /// varchar that becomes a text, and a type that becomes itself.
    fn cast(&self, inner: &Expr, data_type: &DataType) -> Result<Operand, String> {
        let Operand::Of(kind) = typed(data_type)? else { return Ok(Operand::Open) };
        let same = match self.operand(inner)? {
            Operand::Open => true,
            Operand::Number => kind == Kind::Integer || kind == Kind::Oid,
            // A column's number may be out of the other type's range.
            Operand::Of(Kind::Integer) => false,
            Operand::Of(own) => own == kind,
        };
        if same { Ok(Operand::Of(kind)) } else { Err(format!("a cast to {data_type} is not leak-proof")) }
    }

    /// What the client declared a parameter as. One without a type takes that of its first use: it must have no other.
    fn declared(&self, name: &str) -> Result<Option<Declared<'_>>, String> {
        let number = name.strip_prefix('$').and_then(|n| n.parse::<usize>().ok()).and_then(|n| n.checked_sub(1));
        let Some(place) = number else { return Err("a parameter has no number".to_owned()) };
        if let Statement::Prepare { types, .. } = &self.input.parsed.statement
            && let Some(data_type) = types.get(place)
        {
            return Ok(Some(Declared::Type(data_type)));
        }
        match self.input.param_types.get(place) {
            Some(oid) if !matches!(oid, 0 | 705) => Ok(Some(Declared::Oid(*oid))),
            _ if uses(&self.input.parsed.text, name) <= 1 => Ok(None),
            _ => Err(format!("{name} has no declared type and is used more than once")),
        }
    }

    /// The governed column that an expression is.
    pub(super) fn shown_by(&self, expr: &Expr) -> Option<Origin> {
        match unnested(expr) {
            Expr::Identifier(name) => self.plain(std::slice::from_ref(name))?.shows,
            Expr::CompoundIdentifier(parts) => self.plain(parts)?.shows,
            _ => None,
        }
    }

    /// The column that an expression is, when that is certain.
    pub(super) fn certain_column(&self, expr: &Expr) -> Option<Column> {
        match unnested(expr) {
            Expr::Identifier(name) => self.plain(std::slice::from_ref(name)),
            Expr::CompoundIdentifier(parts) => self.plain(parts),
            _ => None,
        }
    }

    fn column_kind(&self, parts: &[Ident]) -> Result<Kind, String> {
        match self.plain(parts) {
            Some(column) => self.kind_of(&column),
            None => Err("a name in a condition is no plain column".to_owned()),
        }
    }

    /// The column that a name as the client wrote it means, when that is certain.
    fn plain(&self, parts: &[Ident]) -> Option<Column> {
        match parts {
            [name]
                if name.quote_style.is_none() && matches!(ident(name).as_str(), "current_role" | "current_schema") =>
            {
                None
            }
            [name] => self.scopes.only_column(&ident(name)).cloned(),
            [qualifier @ .., column] => {
                let name = ident(column);
                self.qualifier(qualifier).ok().and_then(|entry| only_column(entry, &name))
            }
            [] => None,
        }
    }

    /// The kind of a column that is a product's own.
    pub(super) fn kind_of(&self, column: &Column) -> Result<Kind, String> {
        let name = &column.name;
        let shown = column.shows.and_then(|origin| self.needs.columns(origin.reference)?.get(origin.column));
        let Some(of_view) = shown else { return Err(format!("column \"{name}\" is computed")) };
        if of_view.masked {
            return Err(format!("column \"{name}\" is masked"));
        }
        // An extension's operator for varchar itself would be preferred to that for text.
        let only_built_in = self.input.snapshot.warehouse_rules(self.input.warehouse).extension_schemas.is_empty();
        match Kind::of_oid(of_view.type_oid) {
            Some(Kind::Text) if of_view.type_oid != TEXT && !only_built_in => {
                Err(format!("column \"{name}\" is a varchar, and extensions may have operators for it"))
            }
            Some(kind) => Ok(kind),
            None => Err(format!("comparisons of {} are not leak-proof, or not known to be", of_view.base_type)),
        }
    }

    /// Whether it holds an aggregate of this query, so that it is evaluated on groups and never on rows. One whose arguments
    /// are another query's columns is that query's.
    fn aggregates_here(&self, expr: &Expr) -> bool {
        with_deep_stack(|| match expr {
            Expr::Nested(inner)
            | Expr::UnaryOp { expr: inner, .. }
            | Expr::Cast { expr: inner, .. }
            | Expr::IsNull(inner)
            | Expr::IsNotNull(inner) => self.aggregates_here(inner),
            Expr::BinaryOp { left, right, .. } => self.aggregates_here(left) || self.aggregates_here(right),
            Expr::Between { expr, low, high, .. } => [expr, low, high].iter().any(|expr| self.aggregates_here(expr)),
            Expr::InList { expr, .. } => self.aggregates_here(expr),
            Expr::Function(function) => self.is_own_aggregate(function),
            _ => false,
        })
    }

    fn is_own_aggregate(&self, function: &Function) -> bool {
        let name = match function.name.0.as_slice() {
            [ObjectNamePart::Identifier(name)] => ident(name),
            [ObjectNamePart::Identifier(schema), ObjectNamePart::Identifier(name)] if ident(schema) == "pg_catalog" => {
                ident(name)
            }
            _ => return false,
        };
        let FunctionArguments::List(list) = &function.args else { return false };
        let of_groups = super::grouping::is_aggregate(&name) && name != "grouping" && function.over.is_none();
        // FILTER and WITHIN GROUP may hold columns of any query too.
        let plain = function.filter.is_none() && function.within_group.is_empty() && list.clauses.is_empty();
        of_groups
            && plain
            && list.args.iter().all(|arg| match arg {
                FunctionArg::Unnamed(FunctionArgExpr::Wildcard) => true,
                FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => self.is_column_here(unnested(expr)),
                _ => false,
            })
    }

    fn is_column_here(&self, expr: &Expr) -> bool {
        match expr {
            Expr::Identifier(name) => self.scopes.is_innermost_column(&ident(name)),
            Expr::CompoundIdentifier(parts) => match parts.as_slice() {
                [table, _] => self.scopes.is_innermost_relation(&ident(table)),
                _ => false,
            },
            _ => false,
        }
    }
}

const TEXT: u32 = 25;

/// The declared type of a parameter.
enum Declared<'a> {
    Oid(u32),
    Type(&'a DataType),
}

impl Declared<'_> {
    fn kind(&self) -> Option<Kind> {
        match self {
            Self::Oid(oid) => Kind::of_oid(*oid),
            Self::Type(data_type) => Kind::of_type(data_type),
        }
    }
}

fn unnested(mut expr: &Expr) -> &Expr {
    while let Expr::Nested(inner) = expr {
        expr = inner;
    }
    expr
}

fn is_comparison(operator: &BinaryOperator) -> bool {
    matches!(
        operator,
        BinaryOperator::Eq
            | BinaryOperator::NotEq
            | BinaryOperator::Lt
            | BinaryOperator::LtEq
            | BinaryOperator::Gt
            | BinaryOperator::GtEq
    )
}

fn typed(data_type: &DataType) -> Result<Operand, String> {
    Kind::of_type(data_type).map(Operand::Of).ok_or_else(|| format!("the type {data_type} is not on the list"))
}

/// Whether two operands may be compared, and whether it is dates or timestamps.
fn compared(left: Operand, right: Operand) -> Judged {
    match (left, right) {
        (Operand::Open, Operand::Open) => Ok(false),
        (Operand::Number, Operand::Of(Kind::Integer | Kind::Oid) | Operand::Number | Operand::Open)
        | (Operand::Of(Kind::Integer | Kind::Oid) | Operand::Open, Operand::Number) => Ok(false),
        (Operand::Number, other @ Operand::Of(_)) | (other @ Operand::Of(_), Operand::Number) => {
            compared(Operand::Of(Kind::Integer), other)
        }
        (Operand::Of(kind), Operand::Open) | (Operand::Open, Operand::Of(kind)) => Ok(kind.is_time()),
        (Operand::Of(left), Operand::Of(right)) if left == right => Ok(left.is_time()),
        (Operand::Of(left), Operand::Of(right)) => {
            Err(format!("a comparison of {} with {} is not leak-proof", left.word(), right.word()))
        }
    }
}

/// Whether the planner may conclude from the condition that two expressions are equal. `NOT (a <> b)` and `a = b OR false`
/// say so too.
fn may_equate(expr: &Expr) -> bool {
    match expr {
        Expr::BinaryOp { op, .. } => matches!(op, BinaryOperator::Eq | BinaryOperator::Or | BinaryOperator::And),
        Expr::Like { .. }
        | Expr::ILike { .. }
        | Expr::SimilarTo { .. }
        | Expr::Between { negated: false, .. }
        | Expr::IsNull(_)
        | Expr::IsNotNull(_) => false,
        _ => true,
    }
}

/// How often a parameter stands in a text, at most.
fn uses(text: &str, name: &str) -> usize {
    let ends = |at: usize| !text.as_bytes().get(at + name.len()).is_some_and(u8::is_ascii_digit);
    text.match_indices(name).filter(|(at, _)| ends(*at)).count()
}

/// The column of this name, when it is the only one.
fn only_column(entry: &Entry, name: &str) -> Option<Column> {
    let mut named = entry.columns.list.iter().filter(|column| column.name == name);
    match (named.next(), named.next()) {
        (Some(column), None) => Some(column.clone()),
        _ => None,
    }
}
