//! Nothing lost, nothing added: the words and signs of a text and of the print of its unrewritten tree must be the same, in
//! the same order, but for words that mean nothing.
//!
//! sqlparser reads much that Postgres does not, and drops some of what it reads. Postgres' own grammar would notice, but its
//! fingerprint ignores literals, aliases and the order of some lists; this check ignores none of them.

use std::borrow::Cow;

use sqlparser::tokenizer::{Token, TokenWithSpan};

use super::keywords::known;
use super::lex::lex;
use super::limits::TextLimits;
use super::tokens::tokens;

/// Whether the two texts are the same but for noise.
pub(super) fn conserved(client_text: &str, print: &str) -> bool {
    let limits = TextLimits { max_bytes: usize::MAX, max_tokens: usize::MAX, max_depth: usize::MAX };
    let read = |text: &str| lex(text, &limits).and_then(|lexemes| tokens(&lexemes));
    let (Ok(client), Ok(print)) = (read(client_text), read(print)) else { return false };
    same(&meaning(&client), &meaning(&print))
}

/// Equal but for parentheses that a print adds: around a prefix operator's operand that begins with an operator, and around
/// a join that stands to the right of another (`a JOIN b JOIN c ON … ON …`).
fn same(client: &[Meaning<'_>], print: &[Meaning<'_>]) -> bool {
    let mut added: Vec<usize> = Vec::new();
    let (mut depth, mut at) = (0usize, 0usize);
    for (n, token) in print.iter().enumerate() {
        let expected = client.get(at);
        if token.is(&Token::RParen) && added.last() == Some(&depth) {
            added.pop();
            depth -= 1;
            continue;
        }
        let matches = expected == Some(token);
        if token.is(&Token::LParen) {
            depth += 1;
            let before = n.checked_sub(1).and_then(|n| print.get(n));
            if !matches && before.is_some_and(Meaning::may_precede_added) {
                added.push(depth);
                continue;
            }
        } else if token.is(&Token::RParen) {
            depth = depth.saturating_sub(1);
        }
        if !matches {
            return false;
        }
        at += 1;
    }
    at == client.len()
}

/// A token in one spelling.
#[derive(PartialEq)]
enum Meaning<'a> {
    /// A word without quotes, in lower case.
    Word(Cow<'a, str>),
    Other(&'a Token),
}

impl Meaning<'_> {
    fn is(&self, token: &Token) -> bool {
        matches!(self, Self::Other(own) if *own == token)
    }
    /// Whether a print may add parentheses behind it: JOIN, and operators.
    fn may_precede_added(&self) -> bool {
        match self {
            Self::Word(word) => word == "join",
            Self::Other(token) => {
                let text = token.to_string();
                !text.is_empty() && text.chars().all(|c| "~!@#^&|`?+-*/%<>=".contains(c))
            }
        }
    }
}

/// The tokens without noise.
fn meaning(tokens: &[TokenWithSpan]) -> Vec<Meaning<'_>> {
    let mut meaning: Vec<Meaning<'_>> = Vec::with_capacity(tokens.len());
    for (at, token) in tokens.iter().enumerate() {
        let next = |ahead: usize| tokens.get(at + ahead).map(|token| &token.token);
        let word = match &token.token {
            Token::Word(word) if word.quote_style.is_none() => word,
            other => {
                meaning.push(Meaning::Other(other));
                continue;
            }
        };
        let lower = match known(&word.value) {
            Some(known) => Cow::Borrowed(known.lower),
            None if word.value.bytes().any(|b| b.is_ascii_uppercase()) => Cow::Owned(word.value.to_ascii_lowercase()),
            None => Cow::Borrowed(word.value.as_str()),
        };
        let is = |token: Option<&Token>, wanted: &str| matches!(token, Some(Token::Word(word)) if word.quote_style.is_none() && word.value.eq_ignore_ascii_case(wanted));
        match &*lower {
            // Behind a name AS says nothing; in CAST and WITH it is printed as it was.
            "as" => {}
            "outer" if is(next(1), "join") => {}
            // FETCH FIRST and NEXT, ROW and ROWS behind a count.
            "next" if matches!(meaning.last(), Some(Meaning::Word(before)) if before == "fetch") => {
                meaning.push(Meaning::Word(Cow::Borrowed("first")));
            }
            "row" if is(next(1), "only") || is(next(1), "with") => meaning.push(Meaning::Word(Cow::Borrowed("rows"))),
            _ => meaning.push(Meaning::Word(lower)),
        }
    }
    meaning
}
