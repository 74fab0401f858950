//! XML expressions and XMLTABLE: they make values of their arguments, and read nothing else.

use crate::sql::ast::{
    Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments, ObjectName, ObjectNamePart, TableAlias,
    TableFactor, XmlNamespaceDefinition, XmlPassingArgument, XmlPassingClause, XmlTableColumn, XmlTableColumnOption,
};
use crate::sql::resolve::{Columns, Entry};
use crate::sql::{forms, ident, xml};

use super::Walker;
use super::query::plain_names;
use super::refuse::{Walked, absent, construct};

/// Which call of the XML grammar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum XmlCall {
    /// `xmlelement(NAME a [, xmlattributes(…)] [, content …])`
    Element,
    /// `xmlattributes(x [AS a], …)`, inside of an element alone.
    Attributes,
    /// `xmlforest(x [AS a], …)`
    Forest,
    /// `xmlconcat(x, …)`
    Concat,
    /// `xmlparse(DOCUMENT | CONTENT x)`
    Parse,
    /// `xmlserialize(DOCUMENT | CONTENT x AS text)`
    Serialize,
}

impl XmlCall {
    /// The one that a function's name without a schema begins.
    pub(super) fn of(name: &crate::sql::ast::Ident) -> Option<Self> {
        if name.quote_style.is_some() {
            return None;
        }
        Some(match ident(name).as_str() {
            "xmlelement" => Self::Element,
            "xmlforest" => Self::Forest,
            "xmlconcat" => Self::Concat,
            "xmlparse" => Self::Parse,
            "xmlserialize" => Self::Serialize,
            _ => return None,
        })
    }
}

impl Walker<'_> {
    /// The arguments of a call of the XML grammar.
    pub(super) fn xml_call(&mut self, of: XmlCall, function: &mut Function) -> Walked {
        let Function { name: _, uses_odbc_syntax, parameters, args, within_group, filter, null_treatment, over } =
            function;
        let more = *uses_odbc_syntax
            || !matches!(parameters, FunctionArguments::None)
            || !within_group.is_empty()
            || filter.is_some()
            || null_treatment.is_some()
            || over.is_some();
        absent("a clause after an XML expression", more)?;
        let FunctionArguments::List(list) = args else { return Err(form_expected()) };
        absent("this in an XML expression", list.duplicate_treatment.is_some() || !list.clauses.is_empty())?;
        for (at, arg) in list.args.iter_mut().enumerate() {
            let FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) = arg else { return Err(form_expected()) };
            self.xml_argument(of, at, expr)?;
        }
        Ok(())
    }

    fn xml_argument(&mut self, of: XmlCall, at: usize, expr: &mut Expr) -> Walked {
        match (of, expr) {
            (XmlCall::Element, Expr::Identifier(name)) if at == 0 && xml::is_element_name(name) => Ok(()),
            (XmlCall::Element, _) if at == 0 => Err(form_expected()),
            (XmlCall::Element, Expr::Function(function)) if at == 1 && is_attributes(&function.name) => {
                self.xml_call(XmlCall::Attributes, function)
            }
            (XmlCall::Attributes | XmlCall::Forest, Expr::Named { expr, name: _ }) => self.expr(expr),
            (XmlCall::Parse, Expr::Prefixed { prefix, value }) if at == 0 && is_kind(prefix) => self.expr(value),
            (XmlCall::Serialize, Expr::Prefixed { prefix, value }) if at == 0 && is_kind(prefix) => {
                match &mut **value {
                    // The type is text: nothing else is handed on.
                    Expr::Named { expr, name } if ident(name) == "text" => self.expr(expr),
                    _ => Err(construct("this form of xmlserialize", "Write xmlserialize(CONTENT x AS text).")),
                }
            }
            (XmlCall::Parse | XmlCall::Serialize, _) => Err(form_expected()),
            (XmlCall::Element | XmlCall::Attributes | XmlCall::Forest | XmlCall::Concat, expr) => self.expr(expr),
        }
    }

    /// `XMLTABLE(…)` in FROM: its columns, by the names of its own list.
    pub(super) fn xml_table(&mut self, factor: &mut TableFactor) -> Walked<Entry> {
        let TableFactor::XmlTable { namespaces, row_expression, passing, columns, alias } = factor else {
            return Err(form_expected());
        };
        self.scopes.current().lateral_active = true;
        let read = self.xml_table_parts(namespaces, row_expression, passing, columns);
        self.scopes.current().lateral_active = false;
        read?;
        self.fences.keep_all("XMLTABLE may fail on any row");
        let mut shown = Columns::named(columns.iter().map(|column| ident(&column.name)));
        match alias {
            Some(alias) => {
                let TableAlias { at, .. } = &*alias;
                absent("AT after an alias", at.is_some())?;
                shown.renamed(&plain_names(alias)?);
                Ok(Entry::aliased(&self.alias_name(alias)?, shown))
            }
            None => Ok(Entry::aliased("xmltable", shown)),
        }
    }

    fn xml_table_parts(
        &mut self,
        namespaces: &mut [XmlNamespaceDefinition],
        row_expression: &mut Expr,
        passing: &mut XmlPassingClause,
        columns: &mut [XmlTableColumn],
    ) -> Walked {
        for XmlNamespaceDefinition { uri, name: _ } in namespaces {
            self.expr(uri)?;
        }
        self.expr(row_expression)?;
        for XmlPassingArgument { expr, alias, by_value } in &mut passing.arguments {
            absent("AS or BY VALUE after PASSING", alias.is_some() || *by_value)?;
            self.expr(expr)?;
        }
        for XmlTableColumn { name: _, option } in columns {
            match option {
                XmlTableColumnOption::ForOrdinality => {}
                XmlTableColumnOption::NamedInfo { r#type, path, default, nullable: _ } => {
                    self.data_type(r#type)?;
                    for expr in path.iter_mut().chain(default.iter_mut()) {
                        self.expr(expr)?;
                    }
                }
            }
        }
        Ok(())
    }
}

fn is_attributes(name: &ObjectName) -> bool {
    matches!(name.0.as_slice(), [ObjectNamePart::Identifier(only)]
        if only.quote_style.is_none() && ident(only) == "xmlattributes")
}

fn is_kind(prefix: &crate::sql::ast::Ident) -> bool {
    forms::is_form(prefix, xml::DOCUMENT) || forms::is_form(prefix, xml::CONTENT)
}

fn form_expected() -> Box<crate::govern::permit::Denial> {
    construct("this form of an XML expression", "Write it as PostgreSQL's documentation has it.")
}
