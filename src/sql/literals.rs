//! Literals between the tree and their values. In the tree a string's text is verbatim: its quotes stay doubled.

use sqlparser::ast::{Expr, Value};

/// A string constant of the tree that means exactly this text.
pub fn literal(text: &str) -> Expr {
    Expr::Value(Value::SingleQuotedString(text.replace('\'', "''")).with_empty_span())
}

/// An integer constant of the tree.
pub fn integer(value: u64) -> Expr {
    Expr::Value(Value::Number(value.to_string(), false).with_empty_span())
}

/// The text of a string constant of the tree; every quoted form has become this one when the text was read.
pub fn literal_text(value: &Value) -> Option<String> {
    match value {
        Value::SingleQuotedString(verbatim) => Some(verbatim.replace("''", "'")),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::{parse_expression, render_expr};
    use super::*;

    #[test]
    fn any_text_is_what_comes_back() {
        for text in ["", "x", "it's", "''", r"a\'", r"\", "'; DROP TABLE t --", "é\n"] {
            let expr = literal(text);
            let print = render_expr(&expr);
            assert_eq!(print, crate::names::quote_literal(text));
            let Expr::Value(value) = parse_expression(&print).unwrap() else { panic!("{print}") };
            assert_eq!(literal_text(&value.value).as_deref(), Some(text));
        }
    }
}
