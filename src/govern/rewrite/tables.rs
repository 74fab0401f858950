//! Functions in FROM.

use crate::error::sqlstate;
use crate::sql::ast::{
    Expr, Function, FunctionArg, FunctionArgExpr, FunctionArgumentList, FunctionArguments, Ident, ObjectName,
    ObjectNamePart, TableAlias, TableFactor, TableFunctionArgs,
};
use crate::sql::resolve::{Columns, Entry};
use crate::sql::{exact, forms, ident};

use super::Walker;
use super::calls::Called;
use super::columns::identifiers;
use super::refuse::{Pointing, Walked, absent, construct, denial, span_of};
use super::relations::derived;

/// A call in FROM, taken out of its node.
pub(super) struct TableCall {
    pub(super) name: ObjectName,
    pub(super) args: Vec<FunctionArg>,
    pub(super) ordinality: bool,
    pub(super) alias: Option<TableAlias>,
    pub(super) lateral: bool,
}

/// Functions that return rows of known columns. Every other allowed function returns one column.
const ROWS: [(&str, &[&str]); 13] = [
    ("_pg_expandarray", &["x", "n"]),
    ("json_each", &["key", "value"]),
    ("json_each_text", &["key", "value"]),
    ("jsonb_each", &["key", "value"]),
    ("jsonb_each_text", &["key", "value"]),
    ("pg_get_keywords", &["word", "catcode", "barelabel", "catdesc", "baredesc"]),
    ("pg_timezone_abbrevs", &["abbrev", "utc_offset", "is_dst"]),
    ("pg_timezone_names", &["name", "abbrev", "utc_offset", "is_dst"]),
    ("ts_debug", &["alias", "description", "token", "dictionaries", "dictionary", "lexemes"]),
    ("ts_parse", &["tokid", "token"]),
    ("ts_token_type", &["tokid", "alias", "description"]),
    ("ts_stat", &["word", "ndoc", "nentry"]),
    ("parse_ident", &["parse_ident"]),
];

/// Functions of one column that has a name of its own, which no alias replaces.
const OWN_COLUMN: [(&str, &str); 4] = [
    ("json_array_elements", "value"),
    ("json_array_elements_text", "value"),
    ("jsonb_array_elements", "value"),
    ("jsonb_array_elements_text", "value"),
];

/// Functions that return records, whose columns a definition list must give.
const RECORDS: [&str; 4] = ["json_to_record", "json_to_recordset", "jsonb_to_record", "jsonb_to_recordset"];

/// Whether a call returns rows with a field of this name: `(jsonb_each(x)).key`.
pub(super) fn has_field(function: &Function, field: &str) -> bool {
    let Some(ObjectNamePart::Identifier(name)) = function.name.0.last() else { return false };
    let name = ident(name);
    let row_field = super::expr::is_row_field(field, width(function));
    ROWS.iter().any(|(row, fields)| *row == name && fields.contains(&field)) || (name == "row" && row_field)
}

/// The fields of a call that returns rows of known columns, and of ROW.
pub(super) fn fields(function: &Function) -> Option<Vec<String>> {
    let [.., ObjectNamePart::Identifier(name)] = function.name.0.as_slice() else { return None };
    let name = ident(name);
    if name == "row" {
        return Some((1..=width(function)).map(|n| format!("f{n}")).collect());
    }
    let known = ROWS.iter().find(|(row, fields)| *row == name && fields.len() > 1);
    known.map(|(_, fields)| fields.iter().map(|field| (*field).to_owned()).collect())
}

impl Walker<'_> {
    /// Reads a call in FROM and writes it with its schema.
    pub(super) fn table_function(&mut self, factor: &mut TableFactor, call: TableCall) -> Walked<Entry> {
        let TableCall { name, args, ordinality, alias, lateral } = call;
        let place = self.place(span_of(&identifiers(&name)?));
        let function_name = identifiers(&name)?.last().map(ident).unwrap_or_default();
        let mut function = Function {
            name,
            uses_odbc_syntax: false,
            parameters: FunctionArguments::None,
            args: FunctionArguments::List(FunctionArgumentList {
                duplicate_treatment: None,
                args,
                clauses: Vec::new(),
            }),
            within_group: Vec::new(),
            filter: None,
            null_treatment: None,
            over: None,
        };
        let called = if forms::names_form(&function.name, forms::ROWS_FROM) {
            self.rows_from(&mut function)
        } else {
            self.call_in_from(&function_name, &mut function)
        };
        let called = called.map_err(|denied| denied.pointing(place))?;

        if let Some(TableAlias { at, .. }) = &alias {
            absent("AT after an alias", at.is_some())?;
        }
        let mut alias = alias;
        for column in alias.iter_mut().flat_map(|alias| &mut alias.columns) {
            if let Some(data_type) = &mut column.data_type {
                self.data_type(data_type).map_err(|denied| denied.pointing(place))?;
            }
        }
        let entry = function_entry(self, &function_name, &function, ordinality, alias.as_ref())
            .map_err(|denied| denied.pointing(place))?;
        let written_name = match &alias {
            Some(alias) if !forms::is_form(&alias.name, "") => alias.name.clone(),
            Some(_) | None => exact(&function_name),
        };
        let columns = alias.as_ref().map(|alias| alias.columns.clone()).unwrap_or_default();
        match called {
            Called::Answer(answer) => {
                if ordinality || !columns.is_empty() {
                    return Err(construct("an alias list after this function", "Call it after SELECT.").pointing(place));
                }
                let column = alias.as_ref().map_or_else(|| function_name.clone(), |alias| ident(&alias.name));
                let takes_arguments = width(&function) > 0;
                *factor = derived(super::calls::select_one(*answer, &column), written_name, Vec::new());
                // Its arguments may be columns of its neighbours.
                if let TableFactor::Derived { lateral, .. } = factor {
                    *lateral = takes_arguments;
                }
            }
            Called::Function => {
                let FunctionArguments::List(FunctionArgumentList { args, .. }) = function.args else {
                    return Err(construct("this call in FROM", "").pointing(place));
                };
                *factor = if lateral {
                    TableFactor::Function { lateral, name: function.name, args, with_ordinality: ordinality, alias }
                } else {
                    TableFactor::Table {
                        name: function.name,
                        alias,
                        args: Some(TableFunctionArgs { args, settings: None }),
                        with_hints: Vec::new(),
                        version: None,
                        with_ordinality: ordinality,
                        partitions: Vec::new(),
                        json_path: None,
                        sample: None,
                        index_hints: Vec::new(),
                    }
                };
            }
        }
        Ok(entry)
    }
}

impl Walker<'_> {
    /// A call that sees its neighbours to the left, LATERAL or not.
    fn call_in_from(&mut self, name: &str, function: &mut Function) -> Walked<Called> {
        let several = name == "unnest" && identifiers(&function.name)?.len() == 1 && width(function) > 1;
        self.scopes.current().lateral_active = true;
        let called =
            if several { self.unnest_several(function).map(|()| Called::Function) } else { self.called(function) };
        self.scopes.current().lateral_active = false;
        called
    }

    /// `ROWS FROM (f(…), g(…))`: each item is a call of its own, and stays one.
    fn rows_from(&mut self, function: &mut Function) -> Walked<Called> {
        let FunctionArguments::List(FunctionArgumentList { duplicate_treatment: None, args, .. }) = &mut function.args
        else {
            return Err(construct("ROWS FROM of this", "List calls of functions."));
        };
        for arg in args {
            let FunctionArg::Unnamed(FunctionArgExpr::Expr(Expr::Function(item))) = arg else {
                return Err(construct("ROWS FROM of this", "List calls of functions."));
            };
            let parts = identifiers(&item.name)?;
            let name = parts.last().map(ident).unwrap_or_default();
            let plain = item.over.is_none() && item.filter.is_none() && item.within_group.is_empty();
            absent("a clause after a call in FROM", !plain)?;
            if RECORDS.contains(&name.as_str()) {
                let hint = "Call it in FROM by itself: f(…) AS t (a integer, b text).";
                return Err(construct(&format!("{name} inside of ROWS FROM"), hint));
            }
            match self.call_in_from(&name, item).map_err(|denied| denied.pointing(self.place(span_of(&parts))))? {
                Called::Function => {}
                Called::Answer(_) => {
                    return Err(construct(&format!("{name} inside of ROWS FROM"), "Call it after SELECT."));
                }
            }
        }
        Ok(Called::Function)
    }
}

/// The columns of `ROWS FROM`: those of each call, one after the other.
fn rows_from_columns(function: &Function) -> Columns {
    let mut columns = Columns { list: Vec::new(), complete: true };
    let FunctionArguments::List(FunctionArgumentList { args, .. }) = &function.args else { return Columns::unknown() };
    for arg in args {
        let FunctionArg::Unnamed(FunctionArgExpr::Expr(Expr::Function(item))) = arg else { return Columns::unknown() };
        let Some(ObjectNamePart::Identifier(name)) = item.name.0.last() else { return Columns::unknown() };
        let name = ident(name);
        let own = call_columns(&name, item, &name);
        columns.complete &= own.complete;
        columns.list.extend(own.list);
    }
    columns
}

/// The columns of a call in FROM. A scalar's is called as the call is.
fn call_columns(name: &str, function: &Function, own: &str) -> Columns {
    if let Some((_, columns)) = ROWS.iter().find(|(row, _)| *row == name) {
        Columns::named(columns.iter().copied())
    } else if let Some((_, column)) = OWN_COLUMN.iter().find(|(function, _)| *function == name) {
        Columns::named([*column])
    } else if name == "unnest" {
        unnested(function, own)
    } else if !in_pg_catalog(function) {
        // A function of the warehouse: what it returns is not known here.
        Columns { complete: false, ..Columns::named([own]) }
    } else {
        Columns::named([own])
    }
}

/// What a function in FROM adds to the namespace.
fn function_entry(
    walker: &Walker<'_>,
    name: &str,
    function: &Function,
    ordinality: bool,
    alias: Option<&TableAlias>,
) -> Walked<Entry> {
    // `f() AS (a int)` is called as the function is.
    let named = alias.filter(|alias| !forms::is_form(&alias.name, ""));
    let own = named.map_or_else(|| Ok(name.to_owned()), |alias| walker.alias_name(alias))?;
    let list = alias.map(|alias| alias.columns.as_slice()).unwrap_or_default();
    let typed = list.iter().filter(|column| column.data_type.is_some()).count();
    let names: Vec<String> = list.iter().map(|column| ident(&column.name)).collect();
    if RECORDS.contains(&name) {
        if typed == 0 || typed < list.len() {
            let message = "a column definition list is required for functions returning \"record\"";
            let mut denied = denial(sqlstate::SYNTAX_ERROR, "syntax", message);
            denied.error.hint = Some(format!("Write {name}(…) AS t (a integer, b text)."));
            return Err(denied);
        }
        return Ok(Entry::aliased(&own, Columns::named(names)));
    }
    if typed > 0 {
        let message = "a column definition list is only allowed for functions returning \"record\"";
        return Err(denial(sqlstate::SYNTAX_ERROR, "syntax", message));
    }
    let mut columns = if forms::names_form(&function.name, forms::ROWS_FROM) {
        rows_from_columns(function)
    } else {
        call_columns(name, function, &own)
    };
    if ordinality {
        columns.list.push(crate::sql::resolve::Column::computed("ordinality"));
    }
    columns.renamed(&names);
    Ok(Entry::aliased(&own, columns))
}

/// `unnest` of several arrays has a column for each; of one it has one, which the alias names.
fn unnested(function: &Function, own: &str) -> Columns {
    let width = width(function);
    if width > 1 { Columns::named((0..width).map(|_| "unnest")) } else { Columns::named([own]) }
}

/// Whether the call, which is written with its schema by now, is one of the system's own functions.
fn in_pg_catalog(function: &Function) -> bool {
    match function.name.0.as_slice() {
        [_] => true,
        [ObjectNamePart::Identifier(schema), ..] => ident(schema) == "pg_catalog",
        _ => false,
    }
}

/// How many arguments a call has.
pub(super) fn width(function: &Function) -> usize {
    match &function.args {
        FunctionArguments::List(list) => list.args.len(),
        FunctionArguments::None | FunctionArguments::Subquery(_) => 0,
    }
}

/// An expression's argument list, for calls that the rewrite makes.
pub(super) fn arguments(exprs: Vec<crate::sql::ast::Expr>) -> FunctionArguments {
    FunctionArguments::List(FunctionArgumentList {
        duplicate_treatment: None,
        args: exprs.into_iter().map(|expr| FunctionArg::Unnamed(FunctionArgExpr::Expr(expr))).collect(),
        clauses: Vec::new(),
    })
}

/// A name of parts, for calls that the rewrite makes.
pub(super) fn object_name(parts: Vec<Ident>) -> ObjectName {
    ObjectName(parts.into_iter().map(ObjectNamePart::Identifier).collect())
}
