//! Identifiers between the tree and the catalog, and the names that Postgres gives to unnamed columns.
//!
//! In the tree an identifier's text is verbatim: a quoted one still holds its doubled quotes.

use sqlparser::ast::{
    AccessExpr, DataType, Expr, Ident, ObjectName, ObjectNamePart, Query, SelectItem, SetExpr, TimezoneInfo,
    TrimWhereField,
};

use crate::names::fold_identifier;

use super::keywords::{Reserved, reserved};

/// What Postgres calls an output item that nothing names.
const UNNAMED: &str = "?column?";

/// Whether an identifier is a reserved word without quotes, which Postgres takes for no name.
pub fn is_reserved(ident: &Ident) -> bool {
    ident.quote_style.is_none() && reserved(&ident.value) == Some(Reserved::Fully)
}

/// The exact name that Postgres reads: folded unless quoted, quotes undoubled, cut to 63 bytes.
pub fn ident(ident: &Ident) -> String {
    match ident.quote_style {
        Some(_) => fold_identifier(&ident.value.replace("\"\"", "\""), true),
        None => fold_identifier(&ident.value, false),
    }
}

/// An identifier of the tree that means exactly this name.
pub fn exact(name: &str) -> Ident {
    Ident::with_quote('"', name.replace('"', "\"\""))
}

/// The name that Postgres gives to an output item without an alias (`FigureColname` of `parse_target.c`).
///
/// One case is beyond a tree: `(SELECT * FROM t)` is named like the first column of `t`; here it has no name.
pub fn output_name(expr: &Expr) -> String {
    figure(expr).map_or_else(|| UNNAMED.to_owned(), |figured| figured.name)
}

/// A name, and whether it is only a last resort: a cast takes its type's name, a CASE the word, unless something better is
/// inside.
struct Figured {
    name: String,
    weak: bool,
}

fn strong(name: impl Into<String>) -> Option<Figured> {
    Some(Figured { name: name.into(), weak: false })
}

fn weak(name: impl Into<String>) -> Option<Figured> {
    Some(Figured { name: name.into(), weak: true })
}

fn figure(expr: &Expr) -> Option<Figured> {
    match expr {
        Expr::Identifier(name) => strong(ident(name)),
        Expr::CompoundIdentifier(parts) => strong(ident(parts.last()?)),
        Expr::CompoundFieldAccess { root, access_chain } => {
            access_chain.iter().rev().find_map(field).or_else(|| figure(root))
        }
        Expr::Nested(inner) | Expr::Collate { expr: inner, .. } => figure(inner),
        Expr::Function(function) if super::forms::names_form(&function.name, super::forms::COLLATION_FOR) => {
            strong("pg_collation_for")
        }
        Expr::Function(function) => strong(last_name(&function.name)?),
        Expr::Cast { expr, data_type, .. } => match figure(expr) {
            Some(figured) if !figured.weak => Some(figured),
            _ => weak(type_name(data_type)?),
        },
        Expr::TypedString(literal) => weak(type_name(&literal.data_type)?),
        Expr::Interval(_) => weak("interval"),
        Expr::Case { else_result, .. } => match else_result.as_deref().and_then(figure) {
            Some(figured) if !figured.weak => Some(figured),
            _ => weak("case"),
        },
        Expr::Array(_) => strong("array"),
        Expr::Tuple(_) => strong("row"),
        Expr::Exists { negated: false, .. } => strong("exists"),
        Expr::Subquery(query) => strong(first_column(query)),
        Expr::Extract { .. } => strong("extract"),
        Expr::Substring { shorthand, .. } => strong(if *shorthand { "substr" } else { "substring" }),
        Expr::Position { .. } => strong("position"),
        Expr::Overlay { .. } => strong("overlay"),
        Expr::Trim { trim_where, .. } => strong(match trim_where {
            Some(TrimWhereField::Leading) => "ltrim",
            Some(TrimWhereField::Trailing) => "rtrim",
            Some(TrimWhereField::Both) | None => "btrim",
        }),
        Expr::Ceil { .. } => strong("ceil"),
        Expr::Floor { .. } => strong("floor"),
        Expr::AtTimeZone { .. } => strong("timezone"),
        Expr::IsNormalized { negated: false, .. } => strong("is_normalized"),
        Expr::BinaryOp { op: sqlparser::ast::BinaryOperator::Overlaps, .. } => strong("overlaps"),
        _ => None,
    }
}

/// The name of a field that is picked out of a row.
fn field(access: &AccessExpr) -> Option<Figured> {
    match access {
        AccessExpr::Dot(Expr::Identifier(name)) => strong(ident(name)),
        AccessExpr::Dot(_) | AccessExpr::Subscript(_) => None,
    }
}

fn last_name(name: &ObjectName) -> Option<String> {
    match name.0.last()? {
        ObjectNamePart::Identifier(name) => Some(ident(name)),
        ObjectNamePart::Function(_) => None,
    }
}

/// The name of a query's first column.
fn first_column(query: &Query) -> String {
    let mut body = query.body.as_ref();
    loop {
        return match body {
            SetExpr::SetOperation { left, .. } => {
                body = left;
                continue;
            }
            SetExpr::Query(inner) => {
                body = &inner.body;
                continue;
            }
            SetExpr::Values(_) => "column1".to_owned(),
            SetExpr::Select(select) => match select.projection.first() {
                Some(SelectItem::UnnamedExpr(expr)) => output_name(expr),
                Some(SelectItem::ExprWithAlias { alias, .. }) => ident(alias),
                _ => UNNAMED.to_owned(),
            },
            _ => UNNAMED.to_owned(),
        };
    }
}

/// A type's name in `pg_type`, as Postgres' grammar writes it for the spelled-out ones.
fn type_name(data_type: &DataType) -> Option<String> {
    let name = match data_type {
        DataType::Custom(name, _) => {
            let own = last_name(name)?;
            let plain = matches!(name.0.as_slice(), [ObjectNamePart::Identifier(only)] if only.quote_style.is_none());
            return Some(match own.as_str() {
                "nchar" if plain => "bpchar".to_owned(),
                "dec" if plain => "numeric".to_owned(),
                _ => own,
            });
        }
        DataType::Array(
            sqlparser::ast::ArrayElemTypeDef::SquareBracket(element, _)
            | sqlparser::ast::ArrayElemTypeDef::Qualified(element, _),
        ) => return type_name(element),
        DataType::Int(_) | DataType::Integer(_) | DataType::Int4(_) => "int4",
        DataType::SmallInt(_) | DataType::Int2(_) => "int2",
        DataType::BigInt(_) | DataType::Int8(_) => "int8",
        DataType::Real | DataType::Float4 => "float4",
        DataType::Float(sqlparser::ast::ExactNumberInfo::Precision(1..=24)) => "float4",
        DataType::Float(_) | DataType::Float8 | DataType::DoublePrecision => "float8",
        DataType::Numeric(_) | DataType::Decimal(_) | DataType::Dec(_) => "numeric",
        DataType::Bool | DataType::Boolean => "bool",
        DataType::Char(_) | DataType::Character(_) => "bpchar",
        DataType::Varchar(_) | DataType::CharVarying(_) | DataType::CharacterVarying(_) => "varchar",
        DataType::Bit(_) => "bit",
        DataType::BitVarying(_) | DataType::VarBit(_) => "varbit",
        DataType::Timestamp(_, TimezoneInfo::Tz | TimezoneInfo::WithTimeZone) => "timestamptz",
        DataType::Timestamp(..) => "timestamp",
        DataType::Time(_, TimezoneInfo::Tz | TimezoneInfo::WithTimeZone) => "timetz",
        DataType::Time(..) => "time",
        DataType::Interval { .. } => "interval",
        other => return Some(other.to_string().to_ascii_lowercase()),
    };
    Some(name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::super::limits::TextLimits;
    use super::super::parse::parse;
    use super::super::statement::Statement;
    use super::*;

    #[test]
    fn names_are_those_of_postgres() {
        let table = include_str!("../../tests/output_names.tsv");
        let mut wrong = Vec::new();
        for line in table.lines().filter(|line| !line.starts_with('#')) {
            let (text, expected) = line.split_once('\t').unwrap();
            let own = name_of(text);
            if own != expected {
                wrong.push(format!("{text}: {own}, not {expected}"));
            }
        }
        assert!(table.lines().count() > 150);
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }

    fn name_of(expr: &str) -> String {
        let parsed = parse(&format!("SELECT {expr} FROM t"), &TextLimits::default())
            .unwrap_or_else(|error| panic!("{expr}: {error}"));
        let Statement::Query(query) = &parsed[0].statement else { panic!("{expr}") };
        first_column(query)
    }

    #[test]
    fn identifiers_are_exact() {
        assert_eq!(ident(&Ident::new("OrDers")), "orders");
        assert_eq!(ident(&Ident::with_quote('"', "a\"\"B")), "a\"B");
        for name in ["a", "A b", "q\"q", "back\\slash", "ä"] {
            assert_eq!(ident(&exact(name)), name);
        }
        assert_eq!(exact("q\"q\\").to_string(), "\"q\"\"q\\\"");
    }
}
