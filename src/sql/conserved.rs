//! Nothing lost, nothing added: the words and signs of a text and of the print of its unrewritten tree must be the same, in
//! the same order, but for words that mean nothing.
//!
//! sqlparser reads much that Postgres does not, and drops some of what it reads. Postgres' own grammar would notice, but its
//! fingerprint ignores literals, aliases and the order of some lists; this check ignores none of them.

use sqlparser::tokenizer::{Token, TokenWithSpan};

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
fn same(client: &[String], print: &[String]) -> bool {
    let mut added: Vec<usize> = Vec::new();
    let (mut depth, mut at) = (0usize, 0usize);
    for (n, token) in print.iter().enumerate() {
        let expected = client.get(at);
        if token == ")" && added.last() == Some(&depth) {
            added.pop();
            depth -= 1;
            continue;
        }
        let matches = expected == Some(token);
        if token == "(" {
            depth += 1;
            let before = n.checked_sub(1).and_then(|n| print.get(n));
            let may_be_added = before.is_some_and(|before| {
                before == "join" || (!before.is_empty() && before.chars().all(|c| "~!@#^&|`?+-*/%<>=".contains(c)))
            });
            if !matches && may_be_added {
                added.push(depth);
                continue;
            }
        } else if token == ")" {
            depth = depth.saturating_sub(1);
        }
        if !matches {
            return false;
        }
        at += 1;
    }
    at == client.len()
}

/// The tokens without noise, in one spelling.
fn meaning(tokens: &[TokenWithSpan]) -> Vec<String> {
    let mut meaning: Vec<String> = Vec::with_capacity(tokens.len());
    for (at, token) in tokens.iter().enumerate() {
        let next = |ahead: usize| tokens.get(at + ahead).map(|token| &token.token);
        let Token::Word(word) = &token.token else {
            meaning.push(token.token.to_string());
            continue;
        };
        if word.quote_style.is_some() {
            meaning.push(token.token.to_string());
            continue;
        }
        let lower = word.value.to_ascii_lowercase();
        let is = |token: Option<&Token>, wanted: &str| matches!(token, Some(Token::Word(word)) if word.quote_style.is_none() && word.value.eq_ignore_ascii_case(wanted));
        match lower.as_str() {
            // Behind a name AS says nothing; in CAST and WITH it is printed as it was.
            "as" => {}
            "outer" if is(next(1), "join") => {}
            // FETCH FIRST and NEXT, ROW and ROWS behind a count.
            "next" if meaning.last().is_some_and(|before| before == "fetch") => meaning.push("first".to_owned()),
            "row" if is(next(1), "only") || is(next(1), "with") => meaning.push("rows".to_owned()),
            _ => meaning.push(lower),
        }
    }
    meaning
}
