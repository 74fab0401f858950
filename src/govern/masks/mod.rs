//! Masks: what a role sees instead of a value. Each keeps the column's type and typmod, and its value depends on no setting
//! that a client may change.

mod constant;
mod key;
mod template;

pub use key::hash_key_options;

use crate::catalog::{Column, ContractType, Mask, Pii, Product};
use crate::error::Diagnostics;
use crate::sql::ast::Expr;

use super::expression::{self, Fault, Purpose};
use super::facts::{ColumnFacts, TypeKind};
use super::snapshot::SnapshotParts;
use super::view::mask_name;

/// The mask of a column, compiled. Without facts it is only checked as far as it can be.
pub(in crate::govern) fn compile(
    product: &Product,
    column: &Column,
    fact: Option<&ColumnFacts>,
    parts: &SnapshotParts,
    findings: &mut Diagnostics,
) -> Option<(&'static str, Expr)> {
    let mask = match &column.mask {
        Some(mask) => mask.clone(),
        None if column.pii == Pii::Yes => by_default(column, fact),
        None => return None,
    };
    let name = mask_name(&mask);
    match expression_of(&mask, product, column, fact, parts) {
        Ok(Some(expr)) => Some((name, expr)),
        Ok(None) => None,
        Err(fault) => {
            let message = format!("mask \"{name}\" of column \"{}\": {}", column.name, fault.message);
            let finding = product.finding_at_column(&column.name, message);
            findings.push(match fault.hint {
                Some(hint) => finding.with_hint(hint),
                None => finding,
            });
            None
        }
    }
}

/// How a text is hashed for comparison with a hashed column: [`lookup_of`] puts the text in. `None`: the column has no hash of
/// which that can be said.
pub(in crate::govern) fn lookup(column: &Column, fact: &ColumnFacts) -> Option<Expr> {
    (column.equality && column.mask == Some(Mask::Hash)).then(|| expression::parse(&template::lookup(fact)).ok())?
}

/// A lookup with its text.
pub(in crate::govern) fn lookup_of(lookup: &Expr, text: &Expr) -> Expr {
    let mut hash = lookup.clone();
    expression::put_in(&mut hash, template::LOOKED_FOR, text);
    hash
}

/// The mask of a personal column without one of its own: `last4` where the type holds it, else `null`.
fn by_default(column: &Column, fact: Option<&ColumnFacts>) -> Mask {
    let holds_last4 = match fact {
        Some(fact) => text_length(fact).is_some_and(|length| length >= template::LAST4_LENGTH),
        None => column.contract_type == ContractType::String,
    };
    if holds_last4 { Mask::Last4 } else { Mask::Null }
}

/// `None` only where facts are missing.
fn expression_of(
    mask: &Mask,
    product: &Product,
    column: &Column,
    fact: Option<&ColumnFacts>,
    parts: &SnapshotParts,
) -> Result<Option<Expr>, Fault> {
    if *mask == Mask::Hash && !parts.has_hash_key {
        return Err(Fault {
            message: "it needs a key".to_owned(),
            hint: Some("set [masking] hash_key in pgveil.toml".to_owned()),
        });
    }
    let sql = match mask {
        Mask::Sql(text) => {
            let facts = parts.facts.get(&product.warehouse, &product.relation);
            let inner =
                expression::compile(text, Purpose::Mask(&column.name), product, facts, &parts.policy.functions)?;
            return fact.map(|fact| template::cast(inner, fact)).transpose();
        }
        Mask::Last4
        | Mask::Redact
        | Mask::Email
        | Mask::Hash
        | Mask::Null
        | Mask::Year
        | Mask::Month
        | Mask::Bucket(_)
        | Mask::Value(_) => {
            let Some(fact) = fact else { return Ok(None) };
            template::sql(mask, fact)?
        }
    };
    expression::parse(&sql).map(Some)
}

/// How many characters a text type of `pg_catalog` holds; `None`: it is no text type that masks are written into.
fn text_length(fact: &ColumnFacts) -> Option<u32> {
    if fact.type_kind != TypeKind::Base || fact.type_schema != "pg_catalog" {
        return None;
    }
    match fact.type_name.as_str() {
        "text" => Some(u32::MAX),
        // typmod counts the length's own four bytes.
        "varchar" => Some(u32::try_from(fact.typmod - 4).unwrap_or(u32::MAX)),
        "bpchar" => Some(u32::try_from(fact.typmod - 4).unwrap_or(1)),
        _ => None,
    }
}
