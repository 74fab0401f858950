//! Names of two parts in a text of pgveil's own, by the lexer that reads every statement.

use std::ops::Range;

use crate::names::fold_identifier;

use super::lex::{Kind, Lexeme, lex};
use super::limits::SqlError;

/// `schema.name` in a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dotted {
    /// The exact first part.
    pub schema: String,
    /// The exact second part.
    pub name: String,
    /// Where both stand (bytes).
    pub range: Range<usize>,
    /// An opening parenthesis follows.
    pub called: bool,
}

/// Every name of exactly two parts in a text.
pub fn dotted(text: &str) -> Result<Vec<Dotted>, SqlError> {
    let lexemes = lex(text, &super::proof::RENDERED)?;
    let sign = |at: usize, sign: &str| lexemes.get(at).is_some_and(|lexeme| lexeme.is_sign(sign));
    let mut found = Vec::new();
    for (at, lexeme) in lexemes.iter().enumerate() {
        let (Some(schema), Some(last)) = (name(lexeme), lexemes.get(at + 2)) else { continue };
        let inner = at.checked_sub(1).is_some_and(|before| sign(before, "."));
        let Some(own) = name(last).filter(|_| sign(at + 1, ".") && !inner && !sign(at + 3, ".")) else { continue };
        found.push(Dotted { schema, name: own, range: lexeme.start..last.end, called: sign(at + 3, "(") });
    }
    Ok(found)
}

fn name(lexeme: &Lexeme) -> Option<String> {
    match &lexeme.kind {
        Kind::Quoted(name) => Some(fold_identifier(name, true)),
        Kind::Word(word) => Some(fold_identifier(word, false)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_two_parts_are_found_where_they_are_names() {
        let text = "SELECT a.b, 'c.d', f.g(1), x.y.z -- h.i\n FROM \"J\".\"k l\" AS m";
        let found = dotted(text).unwrap();
        let names: Vec<(&str, &str, bool)> =
            found.iter().map(|d| (d.schema.as_str(), d.name.as_str(), d.called)).collect();
        assert_eq!(names, [("a", "b", false), ("f", "g", true), ("J", "k l", false)]);
        assert_eq!(&text[found[2].range.clone()], "\"J\".\"k l\"");
    }
}
