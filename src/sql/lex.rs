//! Text to lexemes, by Postgres' own lexical rules (`scan.l` of version 15, `standard_conforming_strings = on`).
//!
//! Quoted forms are decoded here, once: whether a literal was written `'…'`, `E'…'`, `U&'…'`, `$$…$$` or in pieces on several
//! lines, from here on it is its value, and it is printed in one form only. Comments end here.

use super::limits::{SqlError, TextLimits};
use super::quoted;

/// A word or sign of a statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Lexeme {
    pub(super) kind: Kind,
    /// First byte in the text.
    pub(super) start: usize,
    /// Byte after the last.
    pub(super) end: usize,
    /// First character in the text, from 1.
    pub(super) position: usize,
}

/// What a lexeme is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Keyword or name, as written.
    Word(String),
    /// `"name"`, `U&"name"`: the name.
    Quoted(String),
    /// A string constant in any form: its value.
    Text(String),
    /// `N'…'`: its value.
    National(String),
    /// `B'…'`: its digits.
    Bits(String),
    /// `X'…'`: its digits.
    Hex(String),
    /// As written.
    Number(String),
    /// `$1`: as written.
    Parameter(String),
    /// An operator; `!=` is `<>`.
    Operator(String),
    /// `( ) [ ] , ; . : :: := =>`
    Sign(&'static str),
}

impl Lexeme {
    /// The word in lower case, when it is one and not quoted.
    pub(super) fn word(&self) -> Option<String> {
        match &self.kind {
            Kind::Word(word) => Some(word.to_ascii_lowercase()),
            _ => None,
        }
    }
    /// Whether it is this unquoted word (given in lower case).
    pub(super) fn is_word(&self, word: &str) -> bool {
        matches!(&self.kind, Kind::Word(own) if own.eq_ignore_ascii_case(word))
    }
    /// Whether it is this sign.
    pub(super) fn is_sign(&self, sign: &str) -> bool {
        matches!(&self.kind, Kind::Sign(own) if *own == sign)
    }
    /// Whether it is this operator.
    pub(super) fn is_operator(&self, operator: &str) -> bool {
        matches!(&self.kind, Kind::Operator(own) if own == operator)
    }
}

/// Reads a whole text.
pub(super) fn lex(text: &str, limits: &TextLimits) -> Result<Vec<Lexeme>, SqlError> {
    if text.len() > limits.max_bytes {
        return Err(SqlError::too_large("bytes", text.len(), limits.max_bytes));
    }
    if text.contains('\0') {
        return Err(SqlError::Encoding { message: "invalid byte sequence for encoding \"UTF8\": 0x00".to_owned() });
    }
    let mut scanner = Scanner { text, at: 0, counted: 0, characters: 0 };
    let mut lexemes = Vec::new();
    let mut depth = 0usize;
    while let Some(lexeme) = scanner.next()? {
        match lexeme.kind {
            Kind::Sign("(" | "[") => depth += 1,
            Kind::Sign(")" | "]") => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > limits.max_depth {
            return Err(SqlError::too_deep(limits.max_depth));
        }
        if lexemes.len() >= limits.max_tokens {
            return Err(SqlError::TooLarge {
                message: format!("statement is too large: it has more than {} words and signs", limits.max_tokens),
                hint: "Send long lists of values as an array parameter, or in several statements.".to_owned(),
            });
        }
        lexemes.push(lexeme);
    }
    Ok(lexemes)
}

/// Reads as much of a text as can be read, without limits; whether that was all of it.
pub(super) fn lex_as_far_as_possible(text: &str) -> (Vec<Lexeme>, bool) {
    let mut scanner = Scanner { text, at: 0, counted: 0, characters: 0 };
    let mut lexemes = Vec::new();
    loop {
        match scanner.next() {
            Ok(Some(lexeme)) => lexemes.push(lexeme),
            Ok(None) => return (lexemes, true),
            Err(_) => return (lexemes, false),
        }
    }
}

/// Where the scanner is in the text.
pub(super) struct Scanner<'a> {
    pub(super) text: &'a str,
    pub(super) at: usize,
    /// Up to this byte `characters` counts.
    counted: usize,
    characters: usize,
}

const OPERATOR_CHARACTERS: &str = "~!@#^&|`?+-*/%<>=";

pub(super) fn starts_name(c: char) -> bool {
    c.is_ascii_alphabetic() || c == '_' || !c.is_ascii()
}

pub(super) fn continues_name(c: char) -> bool {
    starts_name(c) || c.is_ascii_digit() || c == '$'
}

impl<'a> Scanner<'a> {
    pub(super) fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }
    pub(super) fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }
    /// Takes the characters for which `wanted` holds.
    fn take_while(&mut self, wanted: impl Fn(char) -> bool) -> &'a str {
        let rest = self.rest();
        let length = rest.find(|c| !wanted(c)).unwrap_or(rest.len());
        self.at += length;
        rest.get(..length).unwrap_or_default()
    }
    /// The character position (from 1) of a byte that is not before the last one asked for.
    fn position(&mut self, byte: usize) -> usize {
        self.characters += self.text.get(self.counted..byte).unwrap_or_default().chars().count();
        self.counted = byte;
        self.characters + 1
    }
    pub(super) fn syntax(&self, byte: usize, message: impl Into<String>) -> SqlError {
        let position = self.text.get(..byte).unwrap_or_default().chars().count() + 1;
        SqlError::Syntax { message: message.into(), hint: None, position: Some(position) }
    }
    fn near(&self, byte: usize) -> SqlError {
        let rest = self.text.get(byte..).unwrap_or_default();
        let shown: String = rest.chars().take_while(|c| !c.is_whitespace()).take(40).collect();
        self.syntax(byte, format!("syntax error at or near \"{shown}\""))
    }

    /// Skips white space and comments.
    fn skip_blank(&mut self) -> Result<(), SqlError> {
        loop {
            self.take_while(is_space);
            if self.rest().starts_with("--") {
                self.take_while(|c| c != '\n' && c != '\r');
            } else if self.rest().starts_with("/*") {
                self.skip_comment()?;
            } else {
                return Ok(());
            }
        }
    }

    fn skip_comment(&mut self) -> Result<(), SqlError> {
        let start = self.at;
        let mut depth = 0usize;
        loop {
            let rest = self.rest();
            if rest.starts_with("/*") {
                depth += 1;
                self.at += 2;
            } else if rest.starts_with("*/") {
                depth -= 1;
                self.at += 2;
                if depth == 0 {
                    return Ok(());
                }
            } else {
                match self.peek() {
                    Some(c) => self.at += c.len_utf8(),
                    None => return Err(self.syntax(start, "unterminated /* comment")),
                }
            }
        }
    }

    fn next(&mut self) -> Result<Option<Lexeme>, SqlError> {
        self.skip_blank()?;
        let start = self.at;
        let Some(first) = self.peek() else { return Ok(None) };
        let second = self.rest().chars().nth(1);
        let kind = match (first, second) {
            ('\'', _) => Kind::Text(quoted::plain(self)?),
            ('"', _) => Kind::Quoted(quoted::identifier(self)?),
            ('e' | 'E', Some('\'')) => Kind::Text(quoted::escaped(self)?),
            ('b' | 'B', Some('\'')) => Kind::Bits(quoted::digits(self, |c| matches!(c, '0' | '1'), "binary")?),
            ('x' | 'X', Some('\'')) => Kind::Hex(quoted::digits(self, |c| c.is_ascii_hexdigit(), "hexadecimal")?),
            ('n' | 'N', Some('\'')) => {
                self.at += 1;
                Kind::National(quoted::plain(self)?)
            }
            ('u' | 'U', Some('&')) if self.rest().get(2..).is_some_and(|rest| rest.starts_with(['\'', '"'])) => {
                quoted::unicode(self)?
            }
            ('$', _) => self.dollar()?,
            (c, _) if starts_name(c) => Kind::Word(self.take_while(continues_name).to_owned()),
            (c, _) if c.is_ascii_digit() => self.number()?,
            ('.', Some(c)) if c.is_ascii_digit() => self.number()?,
            ('.', Some('.')) => return Err(self.near(start)),
            (':', Some(':')) => self.sign("::"),
            (':', Some('=')) => self.sign(":="),
            ('=', Some('>')) if !self.longer_operator() => self.sign("=>"),
            ('(', _) => self.sign("("),
            (')', _) => self.sign(")"),
            ('[', _) => self.sign("["),
            (']', _) => self.sign("]"),
            (',', _) => self.sign(","),
            (';', _) => self.sign(";"),
            ('.', _) => self.sign("."),
            (':', _) => self.sign(":"),
            (c, _) if OPERATOR_CHARACTERS.contains(c) => self.operator(),
            _ => return Err(self.near(start)),
        };
        let end = self.at;
        let position = self.position(start);
        Ok(Some(Lexeme { kind, start, end, position }))
    }

    fn sign(&mut self, sign: &'static str) -> Kind {
        self.at += sign.len();
        Kind::Sign(sign)
    }

    /// Whether more operator characters follow `=>`, which makes it part of a longer operator.
    fn longer_operator(&self) -> bool {
        operator_length(self.rest()) > 2
    }

    fn operator(&mut self) -> Kind {
        let rest = self.rest();
        let length = operator_length(rest);
        self.at += length;
        match rest.get(..length).unwrap_or_default() {
            "!=" => Kind::Operator("<>".to_owned()),
            operator => Kind::Operator(operator.to_owned()),
        }
    }

    /// `$1`, `$$…$$`, `$tag$…$tag$`.
    fn dollar(&mut self) -> Result<Kind, SqlError> {
        let start = self.at;
        let rest = self.rest().get(1..).unwrap_or_default();
        if rest.starts_with(|c: char| c.is_ascii_digit()) {
            self.at += 1;
            let digits = self.take_while(|c| c.is_ascii_digit());
            if self.peek().is_some_and(continues_name) {
                return Err(self.syntax(start, "trailing junk after parameter"));
            }
            return match digits.parse::<u16>() {
                Ok(number) if number > 0 => Ok(Kind::Parameter(format!("${number}"))),
                _ => Err(self.syntax(start, format!("there is no parameter ${digits}"))),
            };
        }
        let tag = rest.find(|c: char| !(starts_name(c) || c.is_ascii_digit())).unwrap_or(rest.len());
        if !rest.get(tag..).is_some_and(|after| after.starts_with('$')) {
            return Err(self.near(start));
        }
        let delimiter = self.rest().get(..tag + 2).unwrap_or_default();
        let body = self.rest().get(tag + 2..).unwrap_or_default();
        match body.find(delimiter) {
            Some(length) => {
                self.at += delimiter.len() * 2 + length;
                Ok(Kind::Text(body.get(..length).unwrap_or_default().to_owned()))
            }
            None => {
                let shown: String = self.rest().chars().take(40).collect();
                Err(self.syntax(start, format!("unterminated dollar-quoted string at or near \"{shown}\"")))
            }
        }
    }

    fn number(&mut self) -> Result<Kind, SqlError> {
        let start = self.at;
        self.take_while(|c| c.is_ascii_digit());
        if self.rest().starts_with('.') && !self.rest().starts_with("..") {
            self.at += 1;
            self.take_while(|c| c.is_ascii_digit());
        }
        if self.rest().starts_with(['e', 'E']) {
            let exponent = self.rest().get(1..).unwrap_or_default();
            let digits = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
            if digits.starts_with(|c: char| c.is_ascii_digit()) {
                self.at += 1 + (exponent.len() - digits.len());
                self.take_while(|c| c.is_ascii_digit());
            }
        }
        let end = self.at;
        if self.peek().is_some_and(continues_name) || self.rest().starts_with("..") {
            self.take_while(continues_name);
            let shown: String = self.text.get(start..self.at).unwrap_or_default().chars().take(40).collect();
            return Err(self.syntax(start, format!("trailing junk after numeric literal at or near \"{shown}\"")));
        }
        Ok(Kind::Number(self.text.get(start..end).unwrap_or_default().to_owned()))
    }
}

pub(super) fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\n' | '\r' | '\x0c')
}

/// How long the operator at the beginning of `rest` is: all operator characters, up to a comment, without trailing `+` and
/// `-` unless a character stands in it that SQL's own operators do not have.
fn operator_length(rest: &str) -> usize {
    let run = rest.find(|c| !OPERATOR_CHARACTERS.contains(c)).unwrap_or(rest.len());
    let run = rest.get(..run).unwrap_or_default();
    let comment = [run.find("--"), run.find("/*")].into_iter().flatten().filter(|at| *at > 0).min();
    let mut operator = run.get(..comment.unwrap_or(run.len())).unwrap_or_default();
    if !operator.contains(['~', '!', '@', '#', '^', '&', '|', '`', '?', '%']) {
        while operator.len() > 1 && operator.ends_with(['+', '-']) {
            operator = operator.get(..operator.len() - 1).unwrap_or_default();
        }
    }
    operator.len()
}

#[cfg(test)]
#[path = "lex_tests.rs"]
mod tests;
