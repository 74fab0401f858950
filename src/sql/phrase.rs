//! A cursor over the lexemes of one statement, for the small grammars that pgveil reads itself.

use sqlparser::ast;

use crate::names::fold_identifier;

use super::keywords::{Reserved, reserved};
use super::lex::{Kind, Lexeme};
use super::limits::SqlError;

/// What remains of a statement.
pub(super) struct Phrase<'a> {
    /// The client's whole text.
    pub(super) text: &'a str,
    lexemes: &'a [Lexeme],
    at: usize,
    /// Character position behind the statement, for errors at its end.
    end: usize,
    /// How deep expressions and queries may nest.
    pub(super) max_depth: usize,
}

impl<'a> Phrase<'a> {
    pub(super) fn new(text: &'a str, lexemes: &'a [Lexeme], end: usize, max_depth: usize) -> Self {
        Self { text, lexemes, at: 0, end, max_depth }
    }

    /// What has not been taken.
    pub(super) fn rest(&self) -> &'a [Lexeme] {
        self.lexemes.get(self.at..).unwrap_or_default()
    }
    pub(super) fn peek(&self) -> Option<&'a Lexeme> {
        self.lexemes.get(self.at)
    }
    pub(super) fn is_done(&self) -> bool {
        self.at >= self.lexemes.len()
    }
    pub(super) fn skip(&mut self, count: usize) {
        self.at += count;
    }
    /// Where the next lexeme begins (characters from 1), or where the statement ends.
    pub(super) fn position(&self) -> usize {
        self.peek().map_or(self.end, |lexeme| lexeme.position)
    }
    pub(super) fn end_position(&self) -> usize {
        self.end
    }

    /// A syntax error at the next lexeme.
    pub(super) fn unexpected(&self) -> SqlError {
        syntax_at(self.text, self.peek(), self.end)
    }

    /// Takes the word if it is next.
    pub(super) fn word(&mut self, word: &str) -> bool {
        let taken = self.peek().is_some_and(|lexeme| lexeme.is_word(word));
        self.at += usize::from(taken);
        taken
    }
    /// Takes all of the words if they are next.
    pub(super) fn words(&mut self, words: &[&str]) -> bool {
        let taken = words
            .iter()
            .enumerate()
            .all(|(ahead, word)| self.lexemes.get(self.at + ahead).is_some_and(|lexeme| lexeme.is_word(word)));
        self.at += if taken { words.len() } else { 0 };
        taken
    }
    /// Takes the word or fails.
    pub(super) fn expect(&mut self, word: &str) -> Result<(), SqlError> {
        if self.word(word) { Ok(()) } else { Err(self.unexpected()) }
    }
    /// Takes the sign if it is next.
    pub(super) fn sign(&mut self, sign: &str) -> bool {
        let taken = self.peek().is_some_and(|lexeme| lexeme.is_sign(sign));
        self.at += usize::from(taken);
        taken
    }
    /// Takes the sign or fails.
    pub(super) fn expect_sign(&mut self, sign: &str) -> Result<(), SqlError> {
        if self.sign(sign) { Ok(()) } else { Err(self.unexpected()) }
    }
    /// Takes the operator if it is next.
    pub(super) fn operator(&mut self, operator: &str) -> bool {
        let taken = self.peek().is_some_and(|lexeme| lexeme.is_operator(operator));
        self.at += usize::from(taken);
        taken
    }
    /// Fails unless everything was taken.
    pub(super) fn done(&self) -> Result<(), SqlError> {
        if self.is_done() { Ok(()) } else { Err(self.unexpected()) }
    }

    /// A name: of a cursor, a prepared statement, a savepoint, a column.
    pub(super) fn name(&mut self) -> Result<String, SqlError> {
        let name = match self.peek().map(|lexeme| &lexeme.kind) {
            Some(Kind::Quoted(name)) => fold_identifier(name, true),
            Some(Kind::Word(word)) => {
                if matches!(reserved(word), Some(Reserved::Fully | Reserved::FunctionOrType)) {
                    return Err(self.unexpected());
                }
                fold_identifier(word, false)
            }
            _ => return Err(self.unexpected()),
        };
        self.at += 1;
        Ok(name)
    }

    /// A string constant.
    pub(super) fn string(&mut self) -> Result<String, SqlError> {
        match self.peek().map(|lexeme| &lexeme.kind) {
            Some(Kind::Text(value)) => {
                self.at += 1;
                Ok(value.clone())
            }
            _ => Err(self.unexpected()),
        }
    }

    /// An integer with an optional sign, as far as Postgres reads one (32 bits).
    pub(super) fn integer(&mut self) -> Result<Option<i64>, SqlError> {
        let negative = self.peek().is_some_and(|lexeme| lexeme.is_operator("-"));
        let signed = negative || self.peek().is_some_and(|lexeme| lexeme.is_operator("+"));
        let ahead = usize::from(signed);
        match self.lexemes.get(self.at + ahead).map(|lexeme| &lexeme.kind) {
            Some(Kind::Number(digits)) => match digits.parse::<i32>() {
                Ok(value) => {
                    self.at += ahead + 1;
                    let value = i64::from(value);
                    Ok(Some(if negative { -value } else { value }))
                }
                Err(_) => Err(self.unexpected()),
            },
            _ if signed => Err(self.unexpected()),
            _ => Ok(None),
        }
    }

    /// Everything up to the closing parenthesis that belongs to the one already taken; takes that too.
    pub(super) fn parenthesised(&mut self) -> Result<&'a [Lexeme], SqlError> {
        let start = self.at;
        let mut depth = 1usize;
        while let Some(lexeme) = self.peek() {
            match &lexeme.kind {
                Kind::Sign("(") => depth += 1,
                Kind::Sign(")") => depth -= 1,
                _ => {}
            }
            self.at += 1;
            if depth == 0 {
                return Ok(self.lexemes.get(start..self.at - 1).unwrap_or_default());
            }
        }
        Err(self.unexpected())
    }
}

/// The identifier of the tree for a name that was read exactly.
pub(super) fn tree_name(name: &str) -> ast::Ident {
    super::names::exact(name)
}

/// Postgres' own words for an error at a lexeme, or at the end.
pub(super) fn syntax_at(text: &str, lexeme: Option<&Lexeme>, end: usize) -> SqlError {
    match lexeme {
        Some(lexeme) => {
            let shown: String = text.get(lexeme.start..lexeme.end).unwrap_or_default().chars().take(60).collect();
            SqlError::syntax(format!("syntax error at or near \"{shown}\""), lexeme.position)
        }
        None => SqlError::syntax("syntax error at end of input", end),
    }
}
