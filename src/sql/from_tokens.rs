//! Lexemes of FROM and GROUP BY that sqlparser reads under a name of [`super::forms`].

use sqlparser::tokenizer::{Span, Token};

use super::forms;
use super::lex::{Kind, Lexeme};
use super::limits::SqlError;
use super::spelling::{form, token};
use super::tokens::{Writer, span as span_of};

/// Words that begin a clause, as far as one may be taken for another.
const CLAUSES: &[&str] =
    &["select", "from", "where", "group", "order", "having", "window", "limit", "offset", "values", "by"];

/// Words behind a relation that cannot begin an expression.
const BEHIND_RELATION: &[&str] = &[
    "as",
    "cross",
    "except",
    "fetch",
    "for",
    "full",
    "group",
    "having",
    "inner",
    "intersect",
    "join",
    "limit",
    "natural",
    "offset",
    "on",
    "order",
    "union",
    "using",
    "where",
    "window",
];

impl Writer<'_> {
    /// `ONLY t`, `ONLY (t)`: a call of [`forms::ONLY`].
    pub(super) fn only(&mut self, span: Span) -> Result<bool, SqlError> {
        self.push(form(forms::ONLY), span);
        self.at += 1;
        if self.next_is_sign(0, "(") {
            return Ok(true);
        }
        self.push(Token::LParen, span);
        let length = self.name_length(0);
        for n in 0..length {
            let Some(part) = self.peek(n) else { break };
            let dotted = n > 0 && self.next_is_sign(n - 1, ".");
            let (token, span) = (token(&part.kind, dotted), span_of(part));
            self.push(token, span);
        }
        self.push(Token::RParen, span);
        self.at += length;
        Ok(true)
    }

    /// How many lexemes from here on are a name with its dots.
    fn name_length(&self, ahead: usize) -> usize {
        let part = |n: usize| self.peek(n).is_some_and(|part| matches!(part.kind, Kind::Word(_) | Kind::Quoted(_)));
        if !part(ahead) {
            return 0;
        }
        let mut length = 1;
        while self.next_is_sign(ahead + length, ".") && part(ahead + length + 1) {
            length += 2;
        }
        length
    }

    /// Whether a relation may begin at this lexeme: behind FROM or JOIN, or behind a comma of FROM.
    fn begins_relation(&self, at: usize) -> bool {
        let Some(before) = at.checked_sub(1).and_then(|before| self.lexemes.get(before)) else { return false };
        if before.is_sign(",") {
            return self.clause_around(at) == Some("from");
        }
        ["from", "join", "lateral"].iter().any(|word| before.is_word(word))
    }

    /// The clause that a lexeme stands in, by the nearest word that begins one.
    fn clause_around(&self, at: usize) -> Option<&'static str> {
        let mut depth = 0usize;
        for lexeme in self.lexemes.get(..at)?.iter().rev() {
            match &lexeme.kind {
                Kind::Sign(")" | "]") => depth += 1,
                Kind::Sign("(" | "[") => depth = depth.checked_sub(1)?,
                Kind::Word(_) if depth == 0 => {
                    if let Some(clause) = CLAUSES.iter().find(|clause| lexeme.is_word(clause)) {
                        return Some(clause);
                    }
                }
                _ => {}
            }
        }
        None
    }

    /// Whether the ROWS that stands here begins `ROWS FROM (f(…), …)`.
    pub(super) fn rows_from(&self) -> bool {
        let queries = ["select", "values", "with", "table"];
        self.next_is_word(1, "from")
            && self.next_is_sign(2, "(")
            && !self.next_is_sign(3, "(")
            && !queries.iter().any(|word| self.next_is_word(3, word))
            && self.begins_relation(self.at)
    }

    /// Whether the AS that stands here precedes a column definition list without an alias: `f() AS (a int)`. The query or the
    /// window that else stands behind `AS (` begins with a reserved word, or has one word alone.
    pub(super) fn defines_columns(&self) -> bool {
        let column = self.peek(2).is_some_and(|name| matches!(name.kind, Kind::Word(_) | Kind::Quoted(_)));
        let typed = self.peek(3).is_some_and(|word| matches!(word.kind, Kind::Word(_) | Kind::Quoted(_)));
        let queries = ["select", "values", "with", "table"];
        self.next_is_sign(1, "(")
            && column
            && typed
            && self.previous().is_some_and(|before| before.is_sign(")") || before.is_word("ordinality"))
            && !queries.iter().any(|word| self.next_is_word(2, word))
    }

    /// Whether the `*` that stands here is that of `FROM t *`, which asks for a relation's children, as every FROM does.
    pub(super) fn all_children(&self) -> bool {
        let mut start = self.at;
        let name = |lexeme: &Lexeme| matches!(lexeme.kind, Kind::Word(_) | Kind::Quoted(_));
        loop {
            let Some(part) = start.checked_sub(1).filter(|at| self.lexemes.get(*at).is_some_and(name)) else {
                return false;
            };
            start = part;
            match start.checked_sub(1).filter(|at| self.lexemes.get(*at).is_some_and(|dot| dot.is_sign("."))) {
                Some(dot) => start = dot,
                None => break,
            }
        }
        let ends = match self.peek(1) {
            None => true,
            Some(next) if next.is_sign(")") || next.is_sign(",") || next.is_sign(";") => true,
            Some(next) if (next.is_word("left") || next.is_word("right")) && !self.next_is_sign(2, "(") => true,
            Some(next) => BEHIND_RELATION.iter().any(|word| next.is_word(word)),
        };
        ends && self.begins_relation(start)
    }
}
