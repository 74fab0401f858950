//! Function calls inside of an expression of a product: immutable ones of the allow-list, and `now()`.

use crate::govern::functions::{self, Rule, Volatility};
use crate::sql;
use crate::sql::ast::{self, Function, FunctionArg, FunctionArgExpr, FunctionArguments};

use super::Fault;
use super::check::{Check, together};
use super::kind::{self, Kind};

/// Functions that return several rows.
const SETS: &[&str] = &[
    "generate_series",
    "generate_subscripts",
    "json_array_elements",
    "json_array_elements_text",
    "json_each",
    "json_each_text",
    "json_object_keys",
    "jsonb_array_elements",
    "jsonb_array_elements_text",
    "jsonb_each",
    "jsonb_each_text",
    "jsonb_object_keys",
    "jsonb_path_query",
    "regexp_matches",
    "regexp_split_to_table",
    "string_to_table",
    "unnest",
];

/// Mathematics that keeps whole numbers and numerics what they are; the rest may return floats.
const EXACT: &[&str] =
    &["abs", "div", "factorial", "gcd", "lcm", "min_scale", "mod", "scale", "trim_scale", "width_bucket"];

/// Functions whose results are bytes.
const BYTES: &[&str] = &["decode", "set_bit", "set_byte", "sha224", "sha256", "sha384", "sha512"];

/// Functions of strings and bytes whose results are numbers or plain text, whatever they are given.
const OF_BYTES: &[&str] =
    &["bit_count", "bit_length", "encode", "get_bit", "get_byte", "length", "md5", "octet_length", "position"];

/// What may be asked of a range or an array without looking inside.
const OF_OPAQUE: &[&str] = &["array_length", "array_ndims", "cardinality", "isempty", "num_nonnulls", "num_nulls"];

impl Check<'_> {
    /// A function call: checked, and written with its schema.
    pub(super) fn call(&self, function: &mut Function) -> Result<Kind, Fault> {
        let shown = function.name.to_string();
        let no_more = function.parameters == FunctionArguments::None
            && function.within_group.is_empty()
            && function.filter.is_none()
            && function.null_treatment.is_none()
            && function.over.is_none()
            && !function.uses_odbc_syntax;
        if !no_more {
            return Err(Fault::new(format!("{shown}: aggregates and window functions are not allowed")));
        }
        let names: Option<Vec<String>> = function.name.0.iter().map(|p| p.as_ident().map(sql::ident)).collect();
        let (schema, name) = match names.as_deref() {
            Some([name]) => (None, name.as_str()),
            Some([schema, name]) => (Some(schema.as_str()), name.as_str()),
            _ => return Err(Fault::new(format!("function {shown} is not allowed"))),
        };
        if let Some(schema) = schema.filter(|schema| *schema != "pg_catalog") {
            return self.warehouse_function(schema, name, function);
        }
        if schema.is_none() && functions::is_grammar(name) {
            return self.grammar(name, function);
        }
        self.on_the_list(name)?;
        if let Some(Rule::Bounded(bound)) = functions::entry(name).map(|entry| entry.rule) {
            let arguments = list(&mut function.args, &shown)?;
            bound.apply(name, arguments).map_err(|refusal| Fault { message: refusal.message, hint: refusal.hint })?;
        }
        let kinds = self.arguments(&mut function.args, &shown)?;
        let result = result_kind(name, &kinds)?;
        function.name = ast::ObjectName::from(vec![ast::Ident::new("pg_catalog"), sql::exact(name)]);
        Ok(result)
    }

    fn on_the_list(&self, name: &str) -> Result<(), Fault> {
        let Some(entry) = functions::entry(name) else {
            return Err(Fault::new(format!("function {name} is not on the list of allowed functions")));
        };
        match entry.rule {
            Rule::Allowed | Rule::Bounded(_) | Rule::AsText => {}
            Rule::Answered(_) => {
                return Err(Fault::new(format!("function {name} is not allowed in an expression of a product"))
                    .with_hint("a user's attribute is written {user.NAME}"));
            }
            Rule::Refused { reason, .. } => {
                return Err(Fault::new(format!("function {name} is not allowed: {reason}")));
            }
        }
        if SETS.contains(&name) || matches!(entry.topic, "aggregate" | "window") {
            return Err(Fault::new(format!("function {name} is not allowed: it does not work on one row")));
        }
        match entry.volatility {
            Volatility::Immutable | Volatility::Mixed => Ok(()),
            Volatility::Stable | Volatility::Volatile if name == "now" => Ok(()),
            Volatility::Stable | Volatility::Volatile => {
                let hint = match name {
                    "concat" | "concat_ws" | "format" => "use the operator ||",
                    "clock_timestamp" | "statement_timestamp" | "transaction_timestamp" => "use now()",
                    "to_char" => "use extract(…)",
                    _ => "only immutable functions and now() are allowed",
                };
                Err(Fault::new(format!("function {name} is not immutable: its value may depend on settings"))
                    .with_hint(hint))
            }
        }
    }

    /// `coalesce` and its kin.
    fn grammar(&self, name: &str, function: &mut Function) -> Result<Kind, Fault> {
        match name {
            "coalesce" | "greatest" | "least" | "nullif" => {
                let arguments = list(&mut function.args, name)?;
                let mut expressions = Vec::new();
                for argument in arguments.iter_mut() {
                    expressions.push(expression_of(argument, name)?);
                }
                let Some((first, rest)) = expressions.split_first_mut() else { return Ok(Kind::Null) };
                let mut all = self.kind(first)?;
                for other in rest {
                    let of = self.kind(other)?;
                    all = together(first, all, other, of)?;
                }
                Ok(all)
            }
            "current_timestamp" => Ok(Kind::TimestampTz),
            "current_date" | "localtimestamp" | "current_time" | "localtime" => {
                Err(Fault::new(format!("{name} depends on the client's TimeZone"))
                    .with_hint("write now() AT TIME ZONE 'UTC', or (now() AT TIME ZONE 'UTC')::date"))
            }
            _ => Err(Fault::new(format!("{name} is not allowed in an expression of a product"))),
        }
    }

    /// A function of the warehouse that policy.toml allows; that it is immutable is the word of whoever listed it.
    fn warehouse_function(&self, schema: &str, name: &str, function: &mut Function) -> Result<Kind, Fault> {
        let written = format!("{schema}.{name}");
        if !self.functions.contains(&written) {
            return Err(Fault::new(format!("function {written} is not allowed"))
                .with_hint("list it in policy.toml under [functions] allow"));
        }
        self.arguments(&mut function.args, &written)?;
        function.name = ast::ObjectName::from(vec![sql::exact(schema), sql::exact(name)]);
        Ok(Kind::Fragile)
    }

    fn arguments(&self, arguments: &mut FunctionArguments, shown: &str) -> Result<Vec<Kind>, Fault> {
        let mut kinds = Vec::new();
        for argument in list(arguments, shown)? {
            kinds.push(self.kind(expression_of(argument, shown)?)?);
        }
        Ok(kinds)
    }
}

/// What a function makes of these arguments.
fn result_kind(name: &str, arguments: &[Kind]) -> Result<Kind, Fault> {
    use Kind::{Date, Fragile, Interval, Literal, Null, Opaque, Plain, Time, Timestamp, TimestampTz, Unknown};
    let stable = |what: &str| {
        Err(Fault::new(format!("{name} of {what} depends on the client's settings"))
            .with_hint("convert first: column AT TIME ZONE 'UTC'"))
    };
    match (name, arguments) {
        ("now", []) => Ok(TimestampTz),
        ("date_trunc", [_, of @ (Timestamp | Interval | Unknown)]) => Ok(*of),
        ("date_trunc", _) => stable("anything but a timestamp or an interval"),
        ("date_part" | "extract", [_, of]) => without_zone(*of, name).map(|()| Fragile),
        ("age", [Timestamp, Timestamp] | [TimestampTz, TimestampTz]) => Ok(Interval),
        ("age", _) => stable("anything but two timestamps"),
        ("date_bin", [Interval, of @ (Timestamp | TimestampTz), origin]) if of == origin => Ok(*of),
        ("timezone", [Literal, of]) => at_time_zone(*of),
        ("timezone", _) => stable("a zone that is no literal"),
        ("to_timestamp", [Plain | Fragile]) => Ok(TimestampTz),
        ("uuid_extract_timestamp", [_]) => Ok(TimestampTz),
        ("to_timestamp", _) => stable("a text"),
        ("isfinite", [Date | Timestamp | TimestampTz | Interval | Unknown]) => Ok(Plain),
        ("justify_days" | "justify_hours" | "justify_interval", [Interval | Unknown]) => Ok(Interval),
        ("num_nulls" | "num_nonnulls", _) => Ok(Plain),
        ("length", [_]) => Ok(Plain),
        _ => {
            if let Some(time) = arguments.iter().find(|kind| kind.is_temporal()) {
                return stable(&format!("a {}", time.word()));
            }
            if arguments.contains(&Opaque) && !OF_OPAQUE.contains(&name) {
                return stable("a range or an array of dates and times");
            }
            let Some(entry) = functions::entry(name) else { return Ok(Opaque) };
            if entry.volatility == Volatility::Mixed {
                return stable("these arguments");
            }
            if let ("types written as functions", [from]) = (entry.topic, arguments) {
                let to_number = matches!(name, "int2" | "int4" | "int8" | "bool" | "oid");
                return kind::converted(*from, kind::of_type_name(name), to_number, name);
            }
            let plain = arguments.iter().all(|kind| matches!(kind, Plain | Literal | Null | Unknown));
            Ok(match (entry.topic, name) {
                (_, "make_date") => Date,
                (_, "make_timestamp") => Timestamp,
                (_, "make_interval") => Interval,
                (_, "make_time") => Time,
                ("mathematics", _) if EXACT.contains(&name) && plain => Plain,
                ("mathematics", "round" | "trunc") if plain && arguments.len() == 2 => Plain,
                ("range", _) if matches!(name, "isempty" | "lower_inc" | "lower_inf" | "upper_inc" | "upper_inf") => {
                    Plain
                }
                ("range", _) => Opaque,
                ("mathematics" | "text search" | "xml", _) => Fragile,
                ("geometry, networks, uuid", "host" | "masklen" | "family") => Plain,
                ("geometry, networks, uuid", _) => Fragile,
                ("string", _) if BYTES.contains(&name) => Fragile,
                ("string", _) if OF_BYTES.contains(&name) => Plain,
                _ if plain => Plain,
                _ => Fragile,
            })
        }
    }
}

/// A part of a date or time that depends on no zone.
pub(super) fn without_zone(of: Kind, name: &str) -> Result<(), Fault> {
    match of {
        Kind::Date | Kind::Timestamp | Kind::Interval | Kind::Time | Kind::Unknown => Ok(()),
        other => Err(Fault::new(format!("{name} from a {} depends on the client's settings", other.word()))
            .with_hint("convert first: column AT TIME ZONE 'UTC'")),
    }
}

/// `value AT TIME ZONE 'zone'`.
pub(super) fn at_time_zone(of: Kind) -> Result<Kind, Fault> {
    match of {
        Kind::TimestampTz => Ok(Kind::Timestamp),
        Kind::Timestamp => Ok(Kind::TimestampTz),
        Kind::Unknown => Ok(Kind::Unknown),
        other => Err(Fault::new(format!("AT TIME ZONE works on a timestamp, not on a {}", other.word()))),
    }
}

fn list<'a>(arguments: &'a mut FunctionArguments, shown: &str) -> Result<&'a mut Vec<FunctionArg>, Fault> {
    match arguments {
        FunctionArguments::List(list) if list.duplicate_treatment.is_none() && list.clauses.is_empty() => {
            Ok(&mut list.args)
        }
        _ => Err(Fault::new(format!("{shown}: only a list of arguments is allowed"))),
    }
}

fn expression_of<'a>(argument: &'a mut FunctionArg, shown: &str) -> Result<&'a mut ast::Expr, Fault> {
    match argument {
        FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => Ok(expr),
        _ => Err(Fault::new(format!("{shown}: only plain arguments are allowed"))),
    }
}
