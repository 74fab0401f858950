//! Walks an expression, refuses what is not on a list, and writes names so that they mean the same everywhere.
//!
//! Every shape that is allowed has its own arm; whatever is left is refused.

use crate::catalog::Product;
use crate::govern::facts::RelationFacts;
use crate::govern::operators;
use crate::govern::snapshot::WarehouseRules;
use crate::govern::types;
use crate::sql;
use crate::sql::ast::{self, BinaryOperator, Expr, UnaryOperator, Value};

use super::kind::{self, Kind};
use super::{Fault, Purpose, literal, placeholder};

/// What an expression is checked against.
pub(super) struct Check<'a> {
    pub(super) purpose: Purpose<'a>,
    pub(super) product: &'a Product,
    pub(super) facts: Option<&'a RelationFacts>,
    pub(super) functions: &'a [String],
}

impl Check<'_> {
    /// Checks and rewrites the whole expression.
    pub(super) fn run(&self, expr: &mut Expr) -> Result<(), Fault> {
        self.kind(expr).map(|_| ())
    }

    /// Checks and rewrites one expression; its kind.
    pub(super) fn kind(&self, expr: &mut Expr) -> Result<Kind, Fault> {
        match expr {
            Expr::Identifier(_) => self.column(expr),
            Expr::CompoundIdentifier(parts) => {
                let shown = parts.iter().map(sql::ident).collect::<Vec<_>>().join(".");
                Err(Fault::new(format!("\"{shown}\": a column is written without its relation")))
            }
            Expr::Value(value) => literal_kind(&value.value),
            Expr::Nested(inner) => self.kind(inner),
            Expr::IsTrue(inner)
            | Expr::IsNotTrue(inner)
            | Expr::IsFalse(inner)
            | Expr::IsNotFalse(inner)
            | Expr::IsUnknown(inner)
            | Expr::IsNotUnknown(inner)
            | Expr::IsNull(inner)
            | Expr::IsNotNull(inner) => self.kind(inner).map(|_| Kind::Plain),
            Expr::IsDistinctFrom(a, b) | Expr::IsNotDistinctFrom(a, b) => self.compare(a, b).map(|_| Kind::Plain),
            Expr::UnaryOp { op, expr } => self.unary(*op, expr),
            Expr::BinaryOp { left, op, right } => self.binary(left, op, right),
            Expr::Between { expr, low, high, .. } => self.compare_each(expr, [&mut **low, &mut **high]),
            Expr::InList { expr, list, .. } => self.compare_each(expr, list),
            Expr::Like { expr, pattern, escape_char, any: false, .. }
            | Expr::ILike { expr, pattern, escape_char, any: false, .. }
            | Expr::SimilarTo { expr, pattern, escape_char, .. } => {
                self.fixed_text(expr)?;
                self.fixed_text(pattern)?;
                escape_char.as_mut().map_or(Ok(()), |escape| self.fixed_text(escape))?;
                Ok(Kind::Plain)
            }
            Expr::AnyOp { left, compare_op, right, .. } | Expr::AllOp { left, compare_op, right } => {
                self.operator(compare_op)?;
                self.compare(left, right).map(|_| Kind::Plain)
            }
            Expr::Case { operand, conditions, else_result, .. } => self.case(operand, conditions, else_result),
            Expr::Array(ast::Array { elem, .. }) => self.array(elem),
            Expr::CompoundFieldAccess { root, access_chain } => self.subscripts(root, access_chain),
            _ => self.written_specially(expr),
        }
    }

    /// Casts, and what SQL writes with words of its own instead of a function call.
    fn written_specially(&self, expr: &mut Expr) -> Result<Kind, Fault> {
        match expr {
            Expr::Cast { kind: ast::CastKind::Cast | ast::CastKind::DoubleColon, expr, data_type, format: None } => {
                self.cast(expr, data_type)
            }
            Expr::TypedString(ast::TypedString { data_type, value, uses_odbc_syntax: false }) => {
                let mut text = Expr::Value(value.clone());
                self.cast(&mut text, data_type)
            }
            Expr::Interval(interval) => self.interval(interval),
            Expr::AtTimeZone { timestamp, time_zone } => self.at_time_zone(timestamp, time_zone),
            Expr::Extract { expr, .. } => {
                let of = self.kind(expr)?;
                super::calls::without_zone(of, "extract").map(|()| Kind::Fragile)
            }
            Expr::Ceil { expr, field: ast::CeilFloorKind::DateTimeField(ast::DateTimeField::NoDateTime) }
            | Expr::Floor { expr, field: ast::CeilFloorKind::DateTimeField(ast::DateTimeField::NoDateTime) } => {
                self.no_time(expr)?;
                Ok(Kind::Fragile)
            }
            Expr::Position { expr, r#in } => {
                self.fixed_text(expr)?;
                self.fixed_text(r#in).map(|()| Kind::Plain)
            }
            Expr::Substring { expr, substring_from, substring_for, .. } => {
                for part in [Some(expr), substring_from.as_mut(), substring_for.as_mut()].into_iter().flatten() {
                    self.fixed_text(part)?;
                }
                Ok(Kind::Plain)
            }
            Expr::Trim { trim_what, expr, trim_characters, .. } => {
                self.fixed_text(expr)?;
                trim_what.as_mut().map_or(Ok(()), |what| self.fixed_text(what))?;
                trim_characters.iter_mut().flatten().try_for_each(|what| self.fixed_text(what))?;
                Ok(Kind::Plain)
            }
            Expr::Overlay { expr, overlay_what, overlay_from, overlay_for } => {
                for part in
                    [Some(expr), Some(overlay_what), Some(overlay_from), overlay_for.as_mut()].into_iter().flatten()
                {
                    self.fixed_text(part)?;
                }
                Ok(Kind::Plain)
            }
            Expr::Collate { expr, collation } => {
                let named_in_catalog = match collation.0.as_slice() {
                    [_] => true,
                    [schema, _] => schema.as_ident().is_some_and(|schema| sql::ident(schema) == "pg_catalog"),
                    _ => false,
                };
                if !named_in_catalog {
                    return Err(Fault::new(format!("collation {collation} is not allowed")));
                }
                self.kind(expr)
            }
            Expr::Function(function) => self.call(function),
            Expr::InSubquery { .. } | Expr::Exists { .. } | Expr::Subquery(_) => {
                Err(Fault::new("a subquery is not allowed").with_hint("only columns of this product may be used"))
            }
            other => Err(Fault::new(format!("{other} is not allowed in an expression of a product"))),
        }
    }

    /// A column of the contract, or a placeholder that may stand here.
    fn column(&self, expr: &mut Expr) -> Result<Kind, Fault> {
        let Expr::Identifier(ident) = expr else { return Err(Fault::new("a column is expected")) };
        let name = match (placeholder::attribute(ident), placeholder::is_column(ident), self.purpose) {
            (Some(_), _, Purpose::Filter) => return Ok(Kind::Literal),
            (Some(_), _, Purpose::Mask(_)) => {
                return Err(Fault::new("a mask cannot read a user's attribute").with_hint("use a row filter"));
            }
            (None, true, Purpose::Mask(column)) => column.to_owned(),
            (None, true, Purpose::Filter) => {
                return Err(Fault::new("{column} stands for the masked column and has no meaning in a row filter"));
            }
            (None, false, _) => sql::ident(ident),
        };
        let Some(column) = self.product.column(&name) else {
            let near = self.product.columns.iter().min_by_key(|c| strsim::damerau_levenshtein(&c.name, &name));
            let fault = Fault::new(format!("the contract has no column \"{name}\""));
            return Err(match near {
                Some(near) => fault.with_hint(format!("the nearest is \"{}\"", near.name)),
                None => fault,
            });
        };
        *ident = sql::exact(&name);
        Ok(kind::of_column(column, self.facts.and_then(|facts| facts.column(&name))))
    }

    fn unary(&self, op: UnaryOperator, expr: &mut Expr) -> Result<Kind, Fault> {
        let of = self.kind(expr)?;
        match op {
            UnaryOperator::Not => Ok(Kind::Plain),
            UnaryOperator::Plus | UnaryOperator::Minus | UnaryOperator::PGAbs | UnaryOperator::BitwiseNot => Ok(of),
            other => Err(Fault::new(format!("operator {other} is not allowed in an expression of a product"))),
        }
    }

    fn binary(&self, left: &mut Expr, op: &BinaryOperator, right: &mut Expr) -> Result<Kind, Fault> {
        self.operator(op)?;
        match op {
            BinaryOperator::And | BinaryOperator::Or => {
                self.kind(left)?;
                self.kind(right).map(|_| Kind::Plain)
            }
            BinaryOperator::Plus => kind::sum(self.kind(left)?, self.kind(right)?, false),
            BinaryOperator::Minus => kind::sum(self.kind(left)?, self.kind(right)?, true),
            BinaryOperator::Multiply | BinaryOperator::Divide | BinaryOperator::Modulo => {
                match (self.kind(left)?, self.kind(right)?) {
                    (Kind::Interval, other) | (other, Kind::Interval) if !other.is_temporal() => Ok(Kind::Interval),
                    (a, b) if a.is_temporal() || b.is_temporal() => kind::common(a, b),
                    (a, b) if a.has_fixed_text() && b.has_fixed_text() => Ok(Kind::Plain),
                    _ => Ok(Kind::Fragile),
                }
            }
            BinaryOperator::StringConcat => {
                self.fixed_text(left)?;
                self.fixed_text(right).map(|()| Kind::Plain)
            }
            BinaryOperator::Eq
            | BinaryOperator::NotEq
            | BinaryOperator::Lt
            | BinaryOperator::LtEq
            | BinaryOperator::Gt
            | BinaryOperator::GtEq => self.compare(left, right).map(|_| Kind::Plain),
            _ => {
                let (a, b) = (self.kind(left)?, self.kind(right)?);
                kind::common(a, b)?;
                if let Some(time) = [a, b].into_iter().find(|kind| kind.is_temporal()) {
                    return Err(Fault::new(format!("a {} cannot be used beside the operator {op}", time.word())));
                }
                // A power of whole numbers is a float.
                let exact = a.has_fixed_text() && b.has_fixed_text() && *op != BinaryOperator::PGExp;
                Ok(if exact { Kind::Plain } else { Kind::Fragile })
            }
        }
    }

    fn operator(&self, op: &BinaryOperator) -> Result<(), Fault> {
        let fault = |shown: &str| Fault::new(format!("operator {shown} is not allowed"));
        match op {
            BinaryOperator::And | BinaryOperator::Or => Ok(()),
            BinaryOperator::PGCustomBinaryOperator(parts) => match parts.as_slice() {
                [schema, op] if schema == "pg_catalog" => {
                    operators::check(Some(schema), op, &WarehouseRules::default()).map_err(|_| fault(op))
                }
                _ => Err(fault(&parts.join("."))),
            },
            other => {
                let shown = other.to_string();
                operators::check(None, &shown, &WarehouseRules::default()).map_err(|_| fault(&shown))
            }
        }
    }

    /// A value that is compared with each of several.
    fn compare_each<'a>(&self, left: &mut Expr, each: impl IntoIterator<Item = &'a mut Expr>) -> Result<Kind, Fault> {
        let of = self.kind(left)?;
        for right in each {
            let other = self.kind(right)?;
            together(left, of, right, other)?;
        }
        Ok(Kind::Plain)
    }

    /// Two values that are compared; a literal beside a date or time must be one that every setting reads alike.
    pub(super) fn compare(&self, left: &mut Expr, right: &mut Expr) -> Result<Kind, Fault> {
        let (a, b) = (self.kind(left)?, self.kind(right)?);
        together(left, a, right, b)
    }

    fn case(
        &self,
        operand: &mut Option<Box<Expr>>,
        conditions: &mut [ast::CaseWhen],
        else_result: &mut Option<Box<Expr>>,
    ) -> Result<Kind, Fault> {
        let mut result = Kind::Null;
        for when in conditions {
            match operand {
                Some(operand) => self.compare_each(operand, [&mut when.condition]).map(|_| ())?,
                None => self.run(&mut when.condition)?,
            }
            result = kind::common(result, self.kind(&mut when.result)?)?;
        }
        if let Some(other) = else_result {
            result = kind::common(result, self.kind(other)?)?;
        }
        Ok(result)
    }

    fn array(&self, elements: &mut [Expr]) -> Result<Kind, Fault> {
        let mut all = Kind::Plain;
        for element in elements {
            all = match (self.kind(element)?, all) {
                (of, _) if of.is_temporal() || of == Kind::Opaque => Kind::Opaque,
                (_, Kind::Opaque) => Kind::Opaque,
                (Kind::Fragile, _) => Kind::Fragile,
                _ => all,
            };
        }
        Ok(all)
    }

    fn subscripts(&self, root: &mut Expr, chain: &mut [ast::AccessExpr]) -> Result<Kind, Fault> {
        let of = self.kind(root)?;
        if of == Kind::Opaque {
            return Err(Fault::new("an element of such an array cannot be used: its type is not known here"));
        }
        for access in chain {
            match access {
                ast::AccessExpr::Subscript(ast::Subscript::Index { index }) => self.run(index)?,
                ast::AccessExpr::Subscript(ast::Subscript::Slice { lower_bound, upper_bound, stride: None }) => {
                    [lower_bound, upper_bound].into_iter().flatten().try_for_each(|bound| self.run(bound))?;
                }
                ast::AccessExpr::Subscript(ast::Subscript::Slice { .. }) | ast::AccessExpr::Dot(_) => {
                    return Err(Fault::new("a field access is not allowed in an expression of a product"));
                }
            }
        }
        Ok(of)
    }

    fn cast(&self, expr: &mut Expr, data_type: &mut ast::DataType) -> Result<Kind, Fault> {
        let of = self.kind(expr)?;
        *data_type = types::qualify_built_in(data_type)
            .map_err(|refusal| Fault { message: refusal.message, hint: refusal.hint })?;
        let target = kind::of_type(data_type);
        if let Some(text) = literal_text(expr).filter(|_| target.is_temporal()) {
            return plain_literal(target, &text).map(|()| target);
        }
        kind::cast(of, data_type)
    }

    fn interval(&self, interval: &mut ast::Interval) -> Result<Kind, Fault> {
        let text = literal_text(&interval.value)
            .ok_or_else(|| Fault::new("an interval is written as a literal: interval '1 day'"))?;
        match interval.leading_field {
            None => plain_literal(Kind::Interval, &text)?,
            Some(_) if text.bytes().all(|b| b.is_ascii_digit()) && interval.last_field.is_none() => {}
            Some(_) => return Err(Fault::new("an interval is written with its units: interval '1 day'")),
        }
        Ok(Kind::Interval)
    }

    fn at_time_zone(&self, timestamp: &mut Expr, zone: &mut Expr) -> Result<Kind, Fault> {
        if literal_text(zone).is_none() {
            return Err(Fault::new("the time zone must be a literal").with_hint("AT TIME ZONE 'UTC'"));
        }
        let of = self.kind(timestamp)?;
        super::calls::at_time_zone(of)
    }

    /// A value whose text may be looked at.
    pub(super) fn fixed_text(&self, expr: &mut Expr) -> Result<(), Fault> {
        let of = self.kind(expr)?;
        if of.has_fixed_text() {
            return Ok(());
        }
        Err(Fault::new(format!("the text of a {} depends on the client's settings", of.word())).with_hint(
            "cast a float to numeric, encode bytes with encode(…, 'hex'), take a date apart with extract(…)",
        ))
    }

    /// A value that is no date or time.
    fn no_time(&self, expr: &mut Expr) -> Result<(), Fault> {
        let of = self.kind(expr)?;
        if of.is_temporal() { Err(Fault::new(format!("a {} cannot be used here", of.word()))) } else { Ok(()) }
    }
}

/// The common kind of two values that meet.
pub(super) fn together(left: &Expr, a: Kind, right: &Expr, b: Kind) -> Result<Kind, Fault> {
    match (literal_text(left), literal_text(right)) {
        (Some(text), _) if b.is_temporal() => plain_literal(b, &text).map(|()| b),
        (_, Some(text)) if a.is_temporal() => plain_literal(a, &text).map(|()| a),
        _ => kind::common(a, b),
    }
}

fn literal_kind(value: &Value) -> Result<Kind, Fault> {
    match value {
        Value::SingleQuotedString(_) => Ok(Kind::Literal),
        Value::Number(_, false) | Value::Boolean(_) => Ok(Kind::Plain),
        Value::Null => Ok(Kind::Null),
        other => Err(Fault::new(format!("the literal {other} is not allowed")).with_hint("write a plain '…' literal")),
    }
}

/// The text of a plain literal.
pub(super) fn literal_text(expr: &Expr) -> Option<String> {
    match expr {
        Expr::Value(value) => match &value.value {
            Value::SingleQuotedString(text) => Some(text.replace("''", "'")),
            _ => None,
        },
        Expr::Nested(inner) => literal_text(inner),
        _ => None,
    }
}

fn plain_literal(kind: Kind, text: &str) -> Result<(), Fault> {
    if literal::is_plain(kind, text) {
        return Ok(());
    }
    let example = match kind {
        Kind::TimestampTz => "'2026-01-31 10:00:00+00'",
        Kind::Timestamp => "'2026-01-31 10:00:00'",
        Kind::Interval => "'1 day'",
        Kind::Time => "'10:00:00'",
        Kind::TimeTz => "'10:00:00+00'",
        _ => "'2026-01-31'",
    };
    Err(Fault::new(format!("how '{text}' is read as a {} depends on the client's settings", kind.word()))
        .with_hint(format!("write it as {example}")))
}
