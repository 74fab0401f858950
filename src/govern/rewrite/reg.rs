//! Casts to `regclass` and its kin. A constant becomes the OID that it means, among what is visible; what is shown as a text
//! becomes the text; every other value is the OID that it was.

use crate::error::sqlstate;
use crate::govern::functions;
use crate::govern::permit::Denial;
use crate::govern::types;
use crate::introspect::{self, Domain};
use crate::names::{fold_identifier, quote_identifier, quote_literal};
use crate::sql::ast::{DataType, Expr, ObjectNamePart};
use crate::sql::{ident, literal_text, parse_expression};

use super::Walker;
use super::refuse::{Walked, construct, denial};
use super::system::{overlays, own_expression, path, seen};

/// Types whose values are OIDs that are shown as names.
const REG: [&str; 9] = [
    "regclass",
    "regtype",
    "regnamespace",
    "regproc",
    "regprocedure",
    "regrole",
    "regoper",
    "regoperator",
    "regcollation",
];

impl Walker<'_> {
    /// A cast to such a type, or of one to a text. True when that was it.
    pub(super) fn reg_cast(&mut self, place: &mut Expr) -> Walked<bool> {
        let Expr::Cast { expr: inner, data_type, .. } = place else { return Ok(false) };
        if let Some(kind) = reg_type(data_type) {
            let mut value = std::mem::replace(&mut **inner, Expr::value(crate::sql::ast::Value::Null));
            *place = self.reg_value(kind, &mut value)?;
            return Ok(true);
        }
        if !is_text(data_type) {
            return Ok(false);
        }
        let mut below = &mut **inner;
        while let Expr::Nested(next) = below {
            below = next;
        }
        let Expr::Cast { expr: value, data_type: of, .. } = below else { return Ok(false) };
        let Some(kind) = reg_type(of) else { return Ok(false) };
        let mut value = std::mem::replace(&mut **value, Expr::value(crate::sql::ast::Value::Null));
        let shown = self.reg_text(kind, &mut value)?;
        **inner = shown;
        Ok(true)
    }

    /// What is shown after SELECT: a client expects the name.
    pub(super) fn name_of_output(&mut self, expr: &mut Expr) -> Walked {
        if self.lifted.len() != 1 {
            return Ok(());
        }
        if let Expr::Cast { data_type, .. } = &*expr
            && reg_type(data_type).is_some()
        {
            let inner = std::mem::replace(expr, Expr::value(crate::sql::ast::Value::Null));
            *expr = Expr::Cast {
                kind: crate::sql::ast::CastKind::DoubleColon,
                expr: Box::new(inner),
                data_type: DataType::Text,
                format: None,
            };
        }
        Ok(())
    }

    fn reg_value(&mut self, kind: &'static str, value: &mut Expr) -> Walked<Expr> {
        if let Some(text) = constant_text(value) {
            return self.reg_constant(kind, &text);
        }
        if makes_text(value) && kind == "regclass" {
            self.expr(value)?;
            let Some(by_name) = introspect::function("to_regclass", 1) else { return Err(refused(kind)) };
            return self.governed(by_name, std::iter::once((&*value, Domain::Any)));
        }
        self.expr(value)?;
        self.introspects();
        let inner = crate::sql::render_expr(value);
        own_expression(&format!("CAST(({inner}) AS pg_catalog.oid)"))
    }

    fn reg_text(&mut self, kind: &'static str, value: &mut Expr) -> Walked<Expr> {
        let Some(output) = introspect::output_of(kind) else { return Err(refused(kind)) };
        let domain = match constant_text(value) {
            Some(text) => {
                *value = self.reg_constant(kind, &text)?;
                Domain::Any
            }
            None => {
                let domain = self.argument_domain(value);
                self.expr(value)?;
                domain
            }
        };
        self.governed(output, std::iter::once((&*value, domain)))
    }

    /// The value that a constant of a condition has, where it is one: an OID for a name of the catalogs.
    pub(super) fn constant_value(&self, expr: &Expr) -> Option<String> {
        let mut below = expr;
        while let Expr::Nested(inner) = below {
            below = inner;
        }
        if let Expr::Cast { expr: inner, data_type, .. } = below {
            if let Some(kind) = reg_type(data_type) {
                return self.oid_of(kind, &constant_text(inner)?).ok().flatten().map(|oid| oid.to_string());
            }
            if let Expr::Cast { data_type: of, .. } = &**inner
                && reg_type(of).is_some()
            {
                return if is_text(data_type) { None } else { self.constant_value(inner) };
            }
        }
        super::system::constant(expr)
    }

    fn reg_constant(&mut self, kind: &'static str, text: &str) -> Walked<Expr> {
        self.introspects();
        if let Some(oid) = self.oid_of(kind, text)? {
            return own_expression(&format!("CAST({} AS pg_catalog.oid)", quote_literal(&oid.to_string())));
        }
        match kind {
            "regclass" => Err(unknown(sqlstate::UNDEFINED_TABLE, "relation", text)),
            "regnamespace" => Err(unknown(sqlstate::UNDEFINED_SCHEMA, "schema", text)),
            "regrole" => Err(unknown(sqlstate::UNDEFINED_OBJECT, "role", text)),
            "regtype" => self.type_constant(text),
            "regproc" => {
                let (schema, name) = parts(text);
                let known = schema.as_deref().is_none_or(|schema| schema == "pg_catalog") && functions::is_known(&name);
                if !known {
                    return Err(unknown(sqlstate::UNDEFINED_FUNCTION, "function", text));
                }
                let written = quote_literal(&format!("pg_catalog.{}", quote_identifier(&name)));
                own_expression(&format!("CAST(CAST({written} AS pg_catalog.regproc) AS pg_catalog.oid)"))
            }
            _ => Err(refused(kind)),
        }
    }

    /// The OID that a text means; `None`: it is to be looked for elsewhere, or there is none.
    fn oid_of(&self, kind: &'static str, text: &str) -> Walked<Option<u32>> {
        if text == "-" {
            return Ok(Some(0));
        }
        if let Ok(oid) = text.parse::<u32>() {
            return Ok(Some(oid));
        }
        let seen = seen(self.input);
        let (schema, name) = parts(text);
        Ok(match kind {
            "regclass" => path(self.input).relation(&seen.visible, overlays(self.input)?, schema.as_deref(), &name),
            "regnamespace" => {
                let own = seen.visible.schemas.iter().find(|schema| schema.name == name).map(|schema| schema.oid);
                let system = || overlays(self.input).ok()?.iter().find(|o| o.schema == name).map(|o| o.schema_oid);
                own.or_else(system).filter(|oid| *oid != 0)
            }
            "regrole" => (seen.visible.session.user == name).then_some(seen.visible.session.user_oid),
            "regtype" if schema.as_deref() != Some("pg_catalog") => {
                let of_column = seen.visible.types.iter().find(|(_, own)| **own == name).map(|(oid, _)| *oid);
                of_column.filter(|_| !types::is_known(&name))
            }
            _ => None,
        })
    }

    /// A built-in type by any of its names.
    fn type_constant(&mut self, text: &str) -> Walked<Expr> {
        let known = parse_expression(&format!("NULL::{text}")).ok().and_then(|expr| match expr {
            Expr::Cast { data_type, .. } => types::qualify_built_in(&data_type).ok(),
            _ => None,
        });
        let Some(data_type) = known else { return Err(unknown(sqlstate::UNDEFINED_OBJECT, "type", text)) };
        let written = quote_literal(&crate::sql::render_type(&data_type));
        own_expression(&format!("CAST(CAST({written} AS pg_catalog.regtype) AS pg_catalog.oid)"))
    }
}

/// Such a type.
fn reg_type(data_type: &DataType) -> Option<&'static str> {
    let parts = match data_type {
        DataType::Regclass => return Some("regclass"),
        DataType::Custom(name, modifiers) if modifiers.is_empty() => name.0.as_slice(),
        _ => return None,
    };
    let own = match parts {
        [ObjectNamePart::Identifier(own)] => ident(own),
        [ObjectNamePart::Identifier(schema), ObjectNamePart::Identifier(own)] if ident(schema) == "pg_catalog" => {
            ident(own)
        }
        _ => return None,
    };
    REG.into_iter().find(|known| *known == own)
}

fn is_text(data_type: &DataType) -> bool {
    match data_type {
        DataType::Text | DataType::Varchar(None) | DataType::CharacterVarying(None) => true,
        DataType::Custom(name, modifiers) if modifiers.is_empty() => {
            let parts: Vec<String> = name.0.iter().filter_map(|part| part.as_ident().map(ident)).collect();
            matches!(
                parts.iter().map(String::as_str).collect::<Vec<_>>().as_slice(),
                ["name"] | ["pg_catalog", "name" | "text" | "varchar"]
            )
        }
        _ => false,
    }
}

fn constant_text(expr: &Expr) -> Option<String> {
    match expr {
        Expr::Nested(inner) => constant_text(inner),
        Expr::Cast { expr, data_type, .. } if is_text(data_type) => constant_text(expr),
        Expr::Value(value) => literal_text(&value.value),
        _ => None,
    }
}

/// Whether an expression is put together to a name.
fn makes_text(expr: &Expr) -> bool {
    match expr {
        Expr::Nested(inner) => makes_text(inner),
        Expr::BinaryOp { op: crate::sql::ast::BinaryOperator::StringConcat, .. } => true,
        Expr::Function(function) => {
            let name = function.name.0.last().and_then(ObjectNamePart::as_ident).map(ident).unwrap_or_default();
            matches!(name.as_str(), "format" | "quote_ident" | "concat")
        }
        Expr::Cast { expr: _, data_type, .. } => is_text(data_type),
        _ => false,
    }
}

/// `schema.name` as Postgres reads it in a text.
fn parts(text: &str) -> (Option<String>, String) {
    let mut found = Vec::new();
    let mut rest = text.trim();
    loop {
        let (part, behind) = match rest.strip_prefix('"').and_then(|rest| rest.split_once('"')) {
            Some((quoted, behind)) => (fold_identifier(quoted, true), behind),
            None => match rest.split_once('.') {
                Some((part, _)) => (fold_identifier(part, false), rest.get(part.len()..).unwrap_or_default()),
                None => (fold_identifier(rest, false), ""),
            },
        };
        found.push(part);
        match behind.strip_prefix('.') {
            Some(behind) => rest = behind,
            None => break,
        }
    }
    let name = found.pop().unwrap_or_default();
    (found.pop(), name)
}

fn unknown(state: crate::error::SqlState, what: &str, text: &str) -> Box<Denial> {
    let mut denied = denial(state, "relation_unknown", format!("{what} \"{text}\" does not exist"));
    denied.error.hint = Some("Only what you may query and what is PostgreSQL's own has a name here.".to_owned());
    denied
}

fn refused(kind: &str) -> Box<Denial> {
    construct(&format!("a cast of this to {kind}"), "Use the OID itself.")
}
