//! Identifiers between the tree and the catalog, and the names that Postgres gives to unnamed columns.
//!
//! In the tree an identifier's text is verbatim: a quoted one still holds its doubled quotes.

use sqlparser::ast::{self, Ident};

use crate::names::fold_identifier;

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

/// The name that Postgres gives to an output item without an alias.
pub fn output_name(expr: &ast::Expr) -> String {
    match expr {
        ast::Expr::Identifier(name) => ident(name),
        ast::Expr::CompoundIdentifier(parts) => parts.last().map(ident).unwrap_or_default(),
        ast::Expr::Nested(inner) => output_name(inner),
        ast::Expr::Function(function) => match function.name.0.last() {
            Some(ast::ObjectNamePart::Identifier(name)) => ident(name),
            _ => "?column?".to_owned(),
        },
        _ => "?column?".to_owned(),
    }
}
