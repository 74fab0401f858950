//! A text of pgveil's own as words, by the lexer that reads every statement.

use std::ops::Range;

use crate::names::fold_identifier;

use super::lex::{Kind, lex};
use super::limits::SqlError;

/// What a word is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WordKind {
    /// A name or keyword, exactly as Postgres reads it.
    Name(String),
    /// The value of a string constant.
    Text(String),
    /// A number as written.
    Number(String),
    /// An operator or a sign.
    Sign(String),
    /// `$1`
    Parameter(usize),
}

/// A word of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Word {
    /// What it is.
    pub kind: WordKind,
    /// Where it stands (bytes).
    pub range: Range<usize>,
}

impl Word {
    /// Whether it is this sign or operator.
    pub fn is_sign(&self, sign: &str) -> bool {
        matches!(&self.kind, WordKind::Sign(own) if own == sign)
    }
    /// The name, when it is one.
    pub fn name(&self) -> Option<&str> {
        match &self.kind {
            WordKind::Name(name) => Some(name),
            WordKind::Text(_) | WordKind::Number(_) | WordKind::Sign(_) | WordKind::Parameter(_) => None,
        }
    }
    /// Whether it is this name.
    pub fn is_name(&self, name: &str) -> bool {
        self.name() == Some(name)
    }
}

/// The words of a text.
pub fn words(text: &str) -> Result<Vec<Word>, SqlError> {
    let lexemes = lex(text, &super::proof::RENDERED)?;
    let word = |lexeme: super::lex::Lexeme| Word {
        range: lexeme.start..lexeme.end,
        kind: match lexeme.kind {
            Kind::Word(word) => WordKind::Name(fold_identifier(&word, false)),
            Kind::Quoted(name) => WordKind::Name(fold_identifier(&name, true)),
            Kind::Text(text) | Kind::National(text) => WordKind::Text(text),
            Kind::Number(number) | Kind::Bits(number) | Kind::Hex(number) => WordKind::Number(number),
            Kind::Parameter(parameter) => {
                WordKind::Parameter(parameter.strip_prefix('$').and_then(|n| n.parse().ok()).unwrap_or_default())
            }
            Kind::Operator(operator) => WordKind::Sign(operator),
            Kind::Sign(sign) => WordKind::Sign(sign.to_owned()),
        },
    };
    Ok(lexemes.into_iter().map(word).collect())
}
