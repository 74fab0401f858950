//! Expressions.

use crate::govern::permit::Denial;
use crate::sql::ast::{
    AccessExpr, Array, BinaryOperator, CaseWhen, CastKind, CeilFloorKind, DateTimeField, Expr, ExtractSyntax, Ident,
    Interval, ObjectName, ObjectNamePart, Spanned, Subscript, TypedString, Value,
};
use crate::sql::resolve::{ColumnLookup, Columns};
use crate::sql::{forms, with_deep_stack};

use super::Walker;
use super::literals::literal;
use super::refuse::{Pointing, Walked, absent, construct, foreign};

impl Walker<'_> {
    /// Reads an expression and rewrites it in place.
    pub(super) fn expr(&mut self, expr: &mut Expr) -> Walked {
        with_deep_stack(|| self.expr_inside(expr))
    }

    /// Reads each of a list.
    pub(super) fn exprs(&mut self, exprs: &mut [Expr]) -> Walked {
        exprs.iter_mut().try_for_each(|expr| self.expr(expr))
    }

    fn each<'e>(&mut self, exprs: impl IntoIterator<Item = &'e mut Expr>) -> Walked {
        exprs.into_iter().try_for_each(|expr| self.expr(expr))
    }

    fn optional(&mut self, expr: Option<&mut Expr>) -> Walked {
        expr.map_or(Ok(()), |expr| self.expr(expr))
    }

    fn expr_inside(&mut self, expr: &mut Expr) -> Walked {
        if matches!(expr, Expr::Cast { .. }) && self.reg_cast(expr)? {
            return Ok(());
        }
        match expr {
            Expr::Identifier(_) | Expr::CompoundIdentifier(_) => self.column_reference(expr),
            Expr::CompoundFieldAccess { root, access_chain } => {
                if let Some(call) = self.field_access(root, access_chain)? {
                    *expr = call;
                }
                Ok(())
            }
            Expr::IsFalse(inner)
            | Expr::IsNotFalse(inner)
            | Expr::IsTrue(inner)
            | Expr::IsNotTrue(inner)
            | Expr::IsNull(inner)
            | Expr::IsNotNull(inner)
            | Expr::IsUnknown(inner)
            | Expr::IsNotUnknown(inner)
            | Expr::Nested(inner) => self.expr(inner),
            Expr::IsDistinctFrom(left, right) | Expr::IsNotDistinctFrom(left, right) => {
                if self.hashed_comparison(left, right)? {
                    return Ok(());
                }
                self.expr(left)?;
                self.expr(right)
            }
            Expr::IsJson { expr, kind: _, unique_keys: _, negated: _ } => self.expr(expr),
            Expr::IsNormalized { expr, form: _, negated: _ } => self.expr(expr),
            Expr::InList { expr: operand, list, negated } => {
                if let Some(hashed) = self.hashed_list(operand, list, *negated)? {
                    *expr = hashed;
                    return Ok(());
                }
                self.expr(operand)?;
                self.exprs(list)
            }
            Expr::InSubquery { expr, subquery, negated: _ } => {
                self.expr(expr)?;
                self.query(subquery, None, None).map(|_| ())
            }
            Expr::Between { expr, negated: _, low, high } => {
                let low = match &mut **low {
                    Expr::Prefixed { prefix, value } if forms::is_form(prefix, forms::SYMMETRIC) => value,
                    low => low,
                };
                self.each([&mut **expr, low, &mut **high])
            }
            Expr::BinaryOp { .. } => self.binary_chain(expr),
            Expr::Like { negated: _, any: _, expr, pattern, escape_char }
            | Expr::ILike { negated: _, any: _, expr, pattern, escape_char } => {
                self.expr(expr)?;
                self.quantified(pattern)?;
                self.optional(escape_char.as_deref_mut())
            }
            Expr::SimilarTo { negated: _, expr, pattern, escape_char } => {
                self.each([&mut **expr, &mut **pattern])?;
                self.optional(escape_char.as_deref_mut())
            }
            Expr::AnyOp { left, compare_op, right, is_some: _ } | Expr::AllOp { left, compare_op, right } => {
                self.binary_operator(compare_op)?;
                self.each([&mut **left, &mut **right])
            }
            Expr::UnaryOp { op, expr } => {
                self.unary_operator(*op)?;
                self.expr(expr)
            }
            Expr::Cast { kind, expr, data_type, format } => {
                match kind {
                    CastKind::Cast | CastKind::DoubleColon => {}
                    CastKind::TryCast => return Err(foreign("TRY_CAST")),
                    CastKind::SafeCast => return Err(foreign("SAFE_CAST")),
                }
                absent("FORMAT in a cast", format.is_some())?;
                let at = self.place(expr.span());
                if let Some(known) = super::literals::built_in_name(expr, data_type) {
                    *data_type = known;
                    self.needs.literal_values = true;
                    return self.expr(expr);
                }
                self.data_type(data_type).map_err(|denied| denied.pointing(at))?;
                self.expr(expr)
            }
            Expr::AtTimeZone { timestamp, time_zone } => self.each([&mut **timestamp, &mut **time_zone]),
            Expr::Extract { field, syntax, expr } => {
                match syntax {
                    ExtractSyntax::From => {}
                    ExtractSyntax::Comma => {
                        return Err(construct("EXTRACT with a comma", "Use EXTRACT(field FROM x)."));
                    }
                }
                // Which fields there are for a type is the warehouse's business: they are names of a list and no code.
                absent("WEEK(…)", matches!(field, DateTimeField::Week(Some(_))))?;
                self.expr(expr)
            }
            Expr::Ceil { expr: inner, field } => {
                plain_rounding("CEIL", field)?;
                let inner = std::mem::replace(&mut **inner, Expr::value(Value::Null));
                self.replace_by_call(expr, "ceil", vec![inner])
            }
            Expr::Floor { expr: inner, field } => {
                plain_rounding("FLOOR", field)?;
                let inner = std::mem::replace(&mut **inner, Expr::value(Value::Null));
                self.replace_by_call(expr, "floor", vec![inner])
            }
            Expr::Position { expr, r#in } => self.each([&mut **expr, &mut **r#in]),
            Expr::Substring { .. } => self.substring(expr),
            Expr::Trim { trim_where: _, trim_what, expr, trim_characters } => {
                self.optional(trim_what.as_deref_mut())?;
                self.expr(expr)?;
                self.exprs(trim_characters.as_deref_mut().unwrap_or_default())
            }
            Expr::Overlay { expr, overlay_what, overlay_from, overlay_for } => {
                self.each([&mut **expr, &mut **overlay_what, &mut **overlay_from])?;
                self.optional(overlay_for.as_deref_mut())
            }
            Expr::Collate { expr, collation } => {
                super::literals::collation(collation)?;
                self.expr(expr)
            }
            Expr::Value(value) => literal(&value.value),
            Expr::TypedString(TypedString { data_type, value, uses_odbc_syntax }) => {
                absent("{d '…'}", *uses_odbc_syntax)?;
                self.data_type(data_type)?;
                literal(&value.value)
            }
            Expr::Interval(interval) => interval_literal(interval),
            Expr::Function(function) => {
                if let Some(answer) = self.call(function)? {
                    *expr = answer;
                }
                Ok(())
            }
            Expr::Case { case_token: _, end_token: _, operand, conditions, else_result } => {
                self.optional(operand.as_deref_mut())?;
                for CaseWhen { condition, result } in conditions {
                    self.each([condition, result])?;
                }
                self.optional(else_result.as_deref_mut())
            }
            Expr::Exists { subquery, negated: _ } | Expr::Subquery(subquery) => {
                self.query(subquery, None, None).map(|_| ())
            }
            Expr::Tuple(exprs) => self.exprs(exprs),
            Expr::Array(Array { elem, named: _ }) => self.exprs(elem),
            Expr::QualifiedWildcard(name, _) => self.whole_relation(name).map(|_| ()),
            Expr::JsonAccess { .. }
            | Expr::InUnnest { .. }
            | Expr::RLike { .. }
            | Expr::Convert { .. }
            | Expr::Prefixed { .. }
            | Expr::GroupingSets(_)
            | Expr::Cube(_)
            | Expr::Rollup(_)
            | Expr::Struct { .. }
            | Expr::Named { .. }
            | Expr::Dictionary(_)
            | Expr::Map(_)
            | Expr::MatchAgainst { .. }
            | Expr::Wildcard(_)
            | Expr::OuterJoin(_)
            | Expr::Prior(_)
            | Expr::Lambda(_)
            | Expr::MemberOf(_) => {
                let at = self.place(expr.span());
                Err(foreign_expr(expr).pointing(at))
            }
        }
    }

    /// A chain of binary operators leans to the left and may have thousands of members: its left side is followed in a loop.
    fn binary_chain(&mut self, expr: &mut Expr) -> Walked {
        let mut rest = expr;
        loop {
            match rest {
                Expr::BinaryOp { left, op, right } => {
                    self.binary_operator(op)?;
                    if matches!(op, BinaryOperator::Eq | BinaryOperator::NotEq)
                        && self.hashed_comparison(left, right)?
                    {
                        return Ok(());
                    }
                    self.expr(right)?;
                    rest = left;
                }
                first => return self.expr(first),
            }
        }
    }

    /// `a[1]`, `a.b[1:2]`, `(t).email`. Gives what takes its place where that has another shape.
    fn field_access(&mut self, root: &mut Expr, chain: &mut Vec<AccessExpr>) -> Walked<Option<Expr>> {
        for access in chain.iter_mut() {
            match access {
                AccessExpr::Dot(Expr::Identifier(star)) if forms::is_form(star, forms::STAR) => {
                    let hint = "It can stand after SELECT alone: name the fields.";
                    return Err(construct("(…).* in this place", hint).pointing(self.place(star.span)));
                }
                AccessExpr::Dot(Expr::Identifier(_)) => {}
                AccessExpr::Dot(other) => {
                    return Err(construct("this after a dot", "Name a field.").pointing(self.place(other.span())));
                }
                AccessExpr::Subscript(Subscript::Index { index }) => self.expr(index)?,
                AccessExpr::Subscript(Subscript::Slice { lower_bound, upper_bound, stride }) => {
                    absent("a third bound of a slice", stride.is_some())?;
                    self.optional(lower_bound.as_mut())?;
                    self.optional(upper_bound.as_mut())?;
                }
            }
        }
        if let Expr::Identifier(first) = root {
            // `schema.table.column[1]`: the names before the first subscript are one reference.
            let mut parts = vec![first.clone()];
            parts.extend(chain.iter().map_while(field_name).cloned());
            let taken = parts.len() - 1;
            let rewritten = self.column_parts(parts)?;
            let mut rewritten = rewritten.into_iter();
            if let Some(name) = rewritten.next() {
                *root = Expr::Identifier(name);
            }
            let rest: Vec<_> = rewritten.map(|name| AccessExpr::Dot(Expr::Identifier(name))).collect();
            let fields = rest.len();
            chain.splice(..taken, rest);
            return self.subscripts_alone(chain, fields).map(|()| None);
        }
        let Some(field) = chain.first().and_then(field_name).cloned() else {
            self.expr(root)?;
            return self.subscripts_alone(chain, 0).map(|()| None);
        };
        self.subscripts_alone(chain, 1)?;
        let column = self.field_of(root, &field)?;
        // `(t).tags[1]` is `t.tags[1]`.
        Ok(match column {
            Some((table, column)) if chain.len() > 1 => {
                chain.drain(..1);
                let mut access_chain = vec![AccessExpr::Dot(Expr::Identifier(column))];
                access_chain.append(chain);
                Some(Expr::CompoundFieldAccess { root: Box::new(Expr::Identifier(table)), access_chain })
            }
            Some((table, column)) => Some(Expr::CompoundIdentifier(vec![table, column])),
            None => None,
        })
    }

    /// `(t).*`, `(f(x)).*` after SELECT: the columns, and what takes its place where that has another shape. `None`: it is no
    /// such item.
    pub(super) fn every_field(&mut self, expr: &mut Expr) -> Walked<Option<(Columns, Option<ObjectName>)>> {
        let Expr::CompoundFieldAccess { root, access_chain } = expr else { return Ok(None) };
        let [AccessExpr::Dot(Expr::Identifier(star))] = access_chain.as_slice() else { return Ok(None) };
        if !forms::is_form(star, forms::STAR) {
            return Ok(None);
        }
        let place = self.place(star.span);
        let mut inner = &mut **root;
        while let Expr::Nested(next) = inner {
            inner = next;
        }
        match inner {
            Expr::Identifier(table) if self.scopes.column(&crate::sql::ident(table)) == ColumnLookup::Missing => {
                // It stays in parentheses: of a function's scalar result Postgres refuses it.
                let mut name = ObjectName::from(vec![table.clone()]);
                let columns = self.whole_relation(&mut name)?;
                if let [ObjectNamePart::Identifier(written)] = name.0.as_slice() {
                    *table = written.clone();
                }
                Ok(Some((columns, None)))
            }
            Expr::QualifiedWildcard(name, _) => {
                // `(t.*).*`
                let columns = self.whole_relation(name)?;
                Ok(Some((columns, Some(name.clone()))))
            }
            Expr::Function(function) => {
                let Some(fields) = super::tables::fields(function) else {
                    let hint = "The fields of this function's result are not known here: call it in FROM.";
                    return Err(construct("(…).*", hint).pointing(place));
                };
                self.expr(inner)?;
                Ok(Some((Columns::named(fields), None)))
            }
            Expr::Tuple(items) => {
                let fields: Vec<String> = (1..=items.len()).map(|n| format!("f{n}")).collect();
                self.expr(inner)?;
                Ok(Some((Columns::named(fields), None)))
            }
            _ => Err(construct("(…).*", "Name the columns, or write alias.* of a relation.").pointing(place)),
        }
    }

    /// Fields behind the first ones would belong to composite values, of which the contract says nothing.
    fn subscripts_alone(&self, chain: &[AccessExpr], from: usize) -> Walked {
        match chain.iter().skip(from).find_map(field_name) {
            Some(name) => Err(no_field(name).pointing(self.place(name.span))),
            None => Ok(()),
        }
    }

    /// `(x).field`: of a relation it is a column, of some functions and of ROW a known field. Everything else could be a
    /// call in disguise, since to Postgres `(x).f` is `f(x)` where there is no such field.
    fn field_of(&mut self, root: &mut Expr, field: &Ident) -> Walked<Option<(Ident, Ident)>> {
        let mut inner = &mut *root;
        while let Expr::Nested(next) = inner {
            inner = next;
        }
        let name = crate::sql::ident(field);
        match inner {
            Expr::Identifier(table) if self.scopes.column(&crate::sql::ident(table)) == ColumnLookup::Missing => {
                let parts = vec![table.clone(), field.clone()];
                match <[Ident; 2]>::try_from(self.column_parts(parts)?) {
                    Ok([table, column]) => Ok(Some((table, column))),
                    Err(_) => Err(no_field(field).pointing(self.place(field.span))),
                }
            }
            Expr::Function(function) if super::tables::has_field(function, &name) => self.expr(root).map(|()| None),
            Expr::Tuple(items) if is_row_field(&name, items.len()) => self.expr(root).map(|()| None),
            _ => Err(no_field(field).pointing(self.place(field.span))),
        }
    }
}

/// `f1`, `f2`, …: the fields of a row constructor.
pub(super) fn is_row_field(name: &str, width: usize) -> bool {
    name.strip_prefix('f').and_then(|n| n.parse::<usize>().ok()).is_some_and(|n| (1..=width).contains(&n))
}

/// The name of a field access.
fn field_name(access: &AccessExpr) -> Option<&Ident> {
    match access {
        AccessExpr::Dot(Expr::Identifier(name)) => Some(name),
        _ => None,
    }
}

fn no_field(name: &Ident) -> Box<Denial> {
    construct(&format!("the field {name}"), "Only columns of relations and fields of known functions can be named.")
}

fn plain_rounding(what: &str, field: &CeilFloorKind) -> Walked {
    match field {
        CeilFloorKind::DateTimeField(DateTimeField::NoDateTime) => Ok(()),
        CeilFloorKind::DateTimeField(_) => Err(foreign(&format!("{what} … TO"))),
        CeilFloorKind::Scale(_) => Err(construct(&format!("{what} with a scale"), "Use round(x, digits).")),
    }
}

fn interval_literal(interval: &Interval) -> Walked {
    let Interval { value, leading_field: _, leading_precision: _, last_field: _, fractional_seconds_precision: _ } =
        interval;
    match &**value {
        Expr::Value(value) => literal(&value.value),
        _ => Err(construct("INTERVAL of an expression", "Use an interval literal, or x * interval '1 day'.")),
    }
}

/// What Postgres' grammar does not have.
fn foreign_expr(expr: &Expr) -> Box<Denial> {
    match expr {
        Expr::JsonAccess { .. } => foreign("a JSON path after a colon"),
        Expr::InUnnest { .. } => construct("IN UNNEST", "Use = ANY (array)."),
        Expr::RLike { .. } => construct("RLIKE", "Use ~."),
        Expr::Convert { .. } => construct("CONVERT", "Use CAST."),
        Expr::Prefixed { prefix, .. } => foreign(&format!("{prefix} in this place")),
        Expr::GroupingSets(_) | Expr::Cube(_) | Expr::Rollup(_) => foreign("a grouping set outside of GROUP BY"),
        Expr::Struct { .. } => construct("STRUCT", "Use ROW."),
        Expr::Named { .. } => foreign("AS inside of an expression"),
        Expr::Dictionary(_) => foreign("a dictionary"),
        Expr::Map(_) => foreign("MAP"),
        Expr::MatchAgainst { .. } => construct("MATCH … AGAINST", "Use @@."),
        Expr::Wildcard(_) => construct("* in this place", "Name the columns."),
        Expr::OuterJoin(_) => construct("(+)", "Use LEFT JOIN."),
        Expr::Prior(_) => foreign("PRIOR"),
        Expr::Lambda(_) => foreign("a lambda"),
        Expr::MemberOf(_) => foreign("MEMBER OF"),
        _ => foreign("this expression"),
    }
}
