//! What pgveil answers by itself, as a typed literal in the place of the call.

use crate::error::sqlstate;
use crate::sql::ast::{
    Array, ArrayElemTypeDef, CastKind, DataType, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments,
    Ident, ObjectName, Value,
};

use super::decide::{DecideInput, SearchPath};
use super::functions::Answer;
use super::permit::Denial;
use super::rewrite::{Walked, denial};

/// An answer, and whether it holds for this session alone.
pub(super) struct Folded {
    pub(super) expr: Expr,
    pub(super) of_session: bool,
}

/// The answer to a call by this name. `call` is `None` for keywords without parentheses.
pub(super) fn fold(answer: Answer, name: &str, call: Option<&Function>, input: &DecideInput<'_>) -> Walked<Folded> {
    let args = arguments(name, call)?;
    let shared = |expr| Folded { expr, of_session: false };
    let of_session = |expr| Folded { expr, of_session: true };
    Ok(match answer {
        Answer::CurrentUser => shared(typed(text(input.subject.user.as_str()), "name")),
        Answer::CurrentDatabase => shared(typed(text(input.warehouse.as_str()), "name")),
        Answer::CurrentSchema => {
            let first = schemas(input).into_iter().next();
            shared(typed(first.map_or_else(null, |schema| text(&schema)), "name"))
        }
        Answer::CurrentSchemas => {
            let implicit = match args.as_slice() {
                [Expr::Value(value)] => matches!(value.value, Value::Boolean(true)),
                _ => return Err(constant_needed(name, "true or false")),
            };
            let system = implicit.then(|| "pg_catalog".to_owned());
            let elements = system.into_iter().chain(schemas(input)).map(|schema| text(&schema)).collect();
            shared(array(elements, "name"))
        }
        Answer::Version => {
            let version = input.session.setting("server_version").unwrap_or_else(|| "15".to_owned());
            of_session(typed(text(&format!("PostgreSQL {version} (pgveil)")), "text"))
        }
        Answer::BackendPid => of_session(typed(number(input.session.backend_pid()), "int4")),
        Answer::CurrentSetting => of_session(setting(name, &args, input)?),
        Answer::InRecovery => shared(typed(Expr::value(Value::Boolean(false)), "bool")),
        Answer::ClientEncoding => shared(typed(text("UTF8"), "name")),
        Answer::Null(type_name) => shared(typed(null(), type_name)),
        Answer::CancelBackend | Answer::TerminateBackend => {
            let mut denied = denial(
                sqlstate::INSUFFICIENT_PRIVILEGE,
                "function",
                format!("function {name} is not allowed inside of a statement"),
            );
            denied.error.hint = Some(format!("Send SELECT {name}(PID) with a constant PID as a statement of its own."));
            return Err(denied);
        }
    })
}

/// The session's value of a setting.
fn setting(name: &str, args: &[Expr], input: &DecideInput<'_>) -> Walked<Expr> {
    let (setting, missing_ok) = match args {
        [setting] => (setting, false),
        [setting, Expr::Value(value)] => match value.value {
            Value::Boolean(missing_ok) => (setting, missing_ok),
            _ => return Err(constant_needed(name, "true or false after the setting's name")),
        },
        _ => return Err(constant_needed(name, "the setting's name")),
    };
    let Some(asked) = constant_text(setting) else { return Err(constant_needed(name, "the setting's name")) };
    match input.session.setting(&asked.to_ascii_lowercase()) {
        Some(value) => Ok(typed(text(&value), "text")),
        None if missing_ok => Ok(typed(null(), "text")),
        None => Err(denial(
            sqlstate::UNDEFINED_OBJECT,
            "setting",
            format!("unrecognized configuration parameter \"{asked}\""),
        )),
    }
}

/// The arguments of an answered call, which has nothing but arguments.
fn arguments(name: &str, call: Option<&Function>) -> Walked<Vec<Expr>> {
    let Some(call) = call else { return Ok(Vec::new()) };
    let Function { name: _, uses_odbc_syntax: _, parameters: _, args, within_group, filter, null_treatment: _, over } =
        call;
    if !within_group.is_empty() || filter.is_some() || over.is_some() {
        return Err(constant_needed(name, "no FILTER, OVER or WITHIN GROUP"));
    }
    match args {
        FunctionArguments::None => Ok(Vec::new()),
        FunctionArguments::Subquery(_) => Err(constant_needed(name, "constants")),
        FunctionArguments::List(list) => list
            .args
            .iter()
            .map(|arg| match arg {
                FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => Ok(bare(expr).clone()),
                _ => Err(constant_needed(name, "constants")),
            })
            .collect(),
    }
}

/// A constant below parentheses and casts.
fn bare(expr: &Expr) -> &Expr {
    match expr {
        Expr::Nested(inner) => bare(inner),
        Expr::Cast { expr: inner, .. } => bare(inner),
        expr => expr,
    }
}

fn constant_text(expr: &Expr) -> Option<String> {
    match expr {
        Expr::Value(value) => match &value.value {
            Value::SingleQuotedString(text) => Some(text.replace("''", "'")),
            _ => None,
        },
        _ => None,
    }
}

fn constant_needed(name: &str, what: &str) -> Box<Denial> {
    let message = format!("function {name} is not allowed with these arguments");
    let mut denied = denial(sqlstate::INSUFFICIENT_PRIVILEGE, "function", message);
    denied.error.hint = Some(format!("pgveil answers it by itself, and takes {what}."));
    denied
}

/// The search path as schemas that the subject can see.
fn schemas(input: &DecideInput<'_>) -> Vec<String> {
    let visible = input.snapshot.visible_domains(input.subject, input.warehouse, input.today);
    match input.search_path {
        SearchPath::Domains => visible,
        SearchPath::Explicit(path) => {
            let exists = |schema: &&String| *schema == "pg_catalog" || visible.contains(schema);
            path.iter().filter(exists).cloned().collect()
        }
    }
}

/// A literal of a type.
fn typed(expr: Expr, type_name: &str) -> Expr {
    cast(expr, named_type(type_name))
}

fn array(elem: Vec<Expr>, type_name: &str) -> Expr {
    let element = Box::new(named_type(type_name));
    let data_type = DataType::Array(ArrayElemTypeDef::SquareBracket(element, None));
    cast(Expr::Array(Array { elem, named: true }), data_type)
}

fn cast(expr: Expr, data_type: DataType) -> Expr {
    Expr::Cast { kind: CastKind::DoubleColon, expr: Box::new(expr), data_type, format: None }
}

/// A type of pg_catalog, in the shape that the parser gives it.
fn named_type(name: &str) -> DataType {
    match name {
        "text" => DataType::Text,
        "int4" => DataType::Int4(None),
        "int8" => DataType::Int8(None),
        "bool" => DataType::Bool,
        name => {
            let parts = vec![Ident::new("pg_catalog"), Ident::new(name)];
            DataType::Custom(ObjectName::from(parts), Vec::new())
        }
    }
}

/// Literals of the tree are verbatim: quotes are doubled in them.
fn text(value: &str) -> Expr {
    Expr::value(Value::SingleQuotedString(value.replace('\'', "''")))
}

fn null() -> Expr {
    Expr::value(Value::Null)
}

fn number(n: i32) -> Expr {
    Expr::value(Value::Number(n.unsigned_abs().to_string(), false))
}
