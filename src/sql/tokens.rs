//! Lexemes of one query as sqlparser's tokens: with Postgres' keywords only, and with the forms that sqlparser would misread
//! written in the one that it reads right. Each of these means the same tree to Postgres (`sql::guard` asks it):
//!
//! | written | handed on |
//! | --- | --- |
//! | `TABLE t` | `SELECT * FROM t` |
//! | `x ISNULL`, `x NOTNULL` | `x IS NULL`, `x IS NOT NULL` |
//! | `LIMIT ALL` | `LIMIT NULL` |
//! | `OFFSET n LIMIT m` | `LIMIT m OFFSET n` |
//! | `trim(leading FROM x)` | `trim(leading x)` |
//! | `type 'text'`, `interval(2) 'text'`, `N'text'` | `CAST('text' AS type)` |
//! | `'1 day'::interval PRECEDING`, `'x' PRECEDING` | `CAST('1 day' AS interval) PRECEDING`, `('x') PRECEDING` |
//! | `FOR READ ONLY` | nothing |
//! | `FROM t *`, `GROUP BY ALL a`, `BETWEEN ASYMMETRIC` | without `*`, ALL, ASYMMETRIC |
//! | `ONLY t`, `ROWS FROM (`, `GROUPING SETS (`, `f() AS (a int)`, `(x).*` | a name of [`super::forms`] |
//! | `EXCLUDE …` of a window, `USING (…) AS j`, SEARCH, CYCLE | a mark, see [`super::marks`] |
//!
//! A token's location is not a line and a column: the column is the character position in the client's text.

use sqlparser::tokenizer::{Location, Span, Token, TokenWithSpan};

use super::forms;
use super::keywords::{Reserved, known, reserved};
use super::lex::{Kind, Lexeme};
use super::limits::SqlError;
use super::marks::{Moves, moves};
use super::spelling::{form, token};

/// Reserved words that stand nowhere in a query.
const NOT_IN_QUERIES: &[&str] = &[
    "analyse",
    "analyze",
    "check",
    "column",
    "constraint",
    "create",
    "default",
    "deferrable",
    "do",
    "foreign",
    "grant",
    "initially",
    "primary",
    "references",
    "returning",
];

/// The tokens of one query.
pub(super) fn tokens(lexemes: &[Lexeme]) -> Result<Vec<TokenWithSpan>, SqlError> {
    let ordered = limits_in_order(lexemes);
    let lexemes = ordered.as_deref().unwrap_or(lexemes);
    let moves = moves(lexemes);
    let mut writer = Writer { lexemes, at: 0, tokens: Vec::with_capacity(lexemes.len() + 8), moves };
    while writer.at < lexemes.len() {
        writer.step()?;
    }
    Ok(writer.tokens)
}

/// The lexemes with each `OFFSET n LIMIT m` turned round, the only order that is printed; `None`: there is none.
fn limits_in_order(lexemes: &[Lexeme]) -> Option<Vec<Lexeme>> {
    // For each open parenthesis an OFFSET, and the LIMIT behind it.
    let mut levels: Vec<(Option<usize>, Option<usize>)> = vec![(None, None)];
    let mut turns = Vec::new();
    for (at, lexeme) in lexemes.iter().enumerate() {
        let labelled =
            at.checked_sub(1).and_then(|at| lexemes.get(at)).is_some_and(|l| l.is_word("as") || l.is_sign("."));
        let is_any = |words: &[&str]| words.iter().any(|word| lexeme.is_word(word)) && !labelled;
        let nested = levels.len() > 1;
        let level = levels.last_mut()?;
        if let (Some(offset), Some(limit)) = *level
            && (lexeme.is_sign(")") || is_any(&["for", "fetch", "union", "except", "intersect", "offset"]))
        {
            turns.push((offset, limit, at));
            *level = (None, None);
        }
        match &lexeme.kind {
            Kind::Sign("(") => levels.push((None, None)),
            Kind::Sign(")") if nested => {
                levels.pop();
            }
            Kind::Word(_) if is_any(&["offset"]) => *level = (Some(at), None),
            Kind::Word(_) if is_any(&["limit"]) && level.0.is_some() => level.1 = Some(at),
            Kind::Word(_) if is_any(&["select", "union", "except", "intersect"]) => *level = (None, None),
            _ => {}
        }
    }
    if let Some((Some(offset), Some(limit))) = levels.first() {
        turns.push((*offset, *limit, lexemes.len()));
    }
    if turns.is_empty() {
        return None;
    }
    let mut ordered = lexemes.to_vec();
    // Inner ones come first: they move within a range that an outer one moves as a whole.
    for (offset, limit, end) in turns {
        if let Some(range) = ordered.get_mut(offset..end) {
            range.rotate_left(limit - offset);
        }
    }
    Some(ordered)
}

pub(super) struct Writer<'a> {
    pub(super) lexemes: &'a [Lexeme],
    pub(super) at: usize,
    tokens: Vec<TokenWithSpan>,
    moves: Moves,
}

impl Writer<'_> {
    pub(super) fn peek(&self, ahead: usize) -> Option<&Lexeme> {
        self.lexemes.get(self.at + ahead)
    }
    pub(super) fn previous(&self) -> Option<&Lexeme> {
        self.lexemes.get(self.at.checked_sub(1)?)
    }
    pub(super) fn next_is_word(&self, ahead: usize, word: &str) -> bool {
        self.peek(ahead).is_some_and(|lexeme| lexeme.is_word(word))
    }
    pub(super) fn next_is_sign(&self, ahead: usize, sign: &str) -> bool {
        self.peek(ahead).is_some_and(|lexeme| lexeme.is_sign(sign))
    }

    /// Whether the lexeme so many places back is there and such.
    pub(super) fn behind(&self, back: usize, is_it: impl FnOnce(&Lexeme) -> bool) -> bool {
        self.at.checked_sub(back).and_then(|at| self.lexemes.get(at)).is_some_and(is_it)
    }

    fn step(&mut self) -> Result<(), SqlError> {
        let Some(lexeme) = self.lexemes.get(self.at) else { return Ok(()) };
        if let Some((tokens, next)) = self.moves.remove(&self.at) {
            for token in tokens {
                self.push(token, span(lexeme));
            }
            self.at = next;
            return Ok(());
        }
        let labelled = self.previous().is_some_and(|before| before.is_word("as") || before.is_sign("."));
        if let Kind::Word(word) = &lexeme.kind
            && !labelled
            && let Some(known) = known(word)
            && self.rewritten(known.lower, lexeme)?
        {
            return Ok(());
        }
        if matches!(lexeme.kind, Kind::Word(_) | Kind::Quoted(_)) && self.typed_literal(lexeme) {
            return Ok(());
        }
        let dotted = self.previous().is_some_and(|before| before.is_sign("."));
        match &lexeme.kind {
            Kind::Operator(star) if star == "*" && self.all_children() => {}
            Kind::Operator(star)
                if star == "*" && dotted && self.behind(2, |before| before.is_sign(")") || before.is_sign("]")) =>
            {
                self.push(Token::make_word(forms::STAR, None), span(lexeme));
            }
            Kind::National(value) => self.cast(value, span(lexeme), |writer, span| {
                for part in ["pg_catalog", ".", "bpchar"] {
                    writer.push(if part == "." { Token::Period } else { Token::make_word(part, None) }, span);
                }
            }),
            Kind::Text(value) if self.begins_bound() && self.next_is_bound(1) => {
                let value = value.clone();
                self.push(Token::LParen, span(lexeme));
                self.push(token(&Kind::Text(value), false), span(lexeme));
                self.push(Token::RParen, span(lexeme));
            }
            Kind::Text(value)
                if self.begins_bound() && self.next_is_sign(1, "::") && self.cast_bound(value, span(lexeme)) =>
            {
                return Ok(());
            }
            // sqlparser takes these for names.
            Kind::Text(_) if labelled || self.next_is_sign(1, ".") => return Err(near(lexeme)),
            Kind::Parameter(_) if dotted => return Err(near(lexeme)),
            kind => self.push(token(kind, dotted), span(lexeme)),
        }
        self.at += 1;
        Ok(())
    }

    pub(super) fn push(&mut self, token: Token, span: Span) {
        self.tokens.push(TokenWithSpan { token, span });
    }

    fn push_words(&mut self, words: &[&str], span: Span) {
        for word in words {
            self.push(if *word == "*" { Token::Mul } else { Token::make_word(word, None) }, span);
        }
    }

    /// `CAST('value' AS type)`, the type being written by `data_type`.
    fn cast(&mut self, value: &str, span: Span, data_type: impl FnOnce(&mut Self, Span)) {
        self.push_words(&["CAST"], span);
        self.push(Token::LParen, span);
        self.push(Token::SingleQuotedString(value.replace('\'', "''")), span);
        self.push_words(&["AS"], span);
        data_type(self, span);
        self.push(Token::RParen, span);
    }

    /// Whether no output item follows a SELECT, and no FROM.
    fn selects_nothing(&self) -> bool {
        let clauses =
            ["where", "group", "having", "window", "union", "intersect", "except", "order", "limit", "offset", "fetch"];
        self.peek(1)
            .is_none_or(|next| next.is_sign(")") || next.is_sign(";") || clauses.iter().any(|word| next.is_word(word)))
    }

    /// Keywords that are handed on as something else. True when it did so.
    fn rewritten(&mut self, word: &str, lexeme: &Lexeme) -> Result<bool, SqlError> {
        let span = span(lexeme);
        let called = self.next_is_sign(1, "(");
        match word {
            "table" if called => return Err(near(lexeme)),
            "table" => self.push_words(&["SELECT", "*", "FROM"], span),
            "isnull" if !called => self.push_words(&["IS", "NULL"], span),
            "notnull" if !called => self.push_words(&["IS", "NOT", "NULL"], span),
            "limit" if self.next_is_word(1, "all") => {
                self.push_words(&["LIMIT", "NULL"], span);
                self.at += 1;
            }
            "for" if self.next_is_word(1, "read") && self.next_is_word(2, "only") => self.at += 2,
            "from" if self.trims() => {}
            "interval" if called => return Ok(self.interval(span)),
            "only" if !self.previous().is_some_and(|before| before.is_word("row") || before.is_word("rows")) => {
                return self.only(span);
            }
            "rows" if self.rows_from() => {
                self.push(form(forms::ROWS_FROM), span);
                self.at += 1;
            }
            "grouping" if self.next_is_word(1, "sets") && self.next_is_sign(2, "(") => {
                self.push(form(forms::GROUPING_SETS), span);
                self.at += 1;
            }
            // sqlparser knows a SELECT of nothing in front of FROM alone.
            "select" if self.selects_nothing() => {
                self.push_words(&["SELECT"], span);
                self.push(form(""), span);
            }
            // A character is of the server's encoding, national or not.
            "national" if self.next_is_word(1, "character") || self.next_is_word(1, "char") => {}
            "collation" if self.next_is_word(1, "for") && self.next_is_sign(2, "(") => {
                self.push(form(forms::COLLATION_FOR), span);
                self.at += 1;
            }
            "asymmetric" if self.behind(1, |before| before.is_word("between")) => {}
            "all" if self.behind(1, |by| by.is_word("by")) && self.behind(2, |group| group.is_word("group")) => {}
            "as" if self.defines_columns() => {
                self.push_words(&["AS"], span);
                self.push(form(""), span);
            }
            _ if NOT_IN_QUERIES.contains(&word) => return Err(near(lexeme)),
            _ => return Ok(false),
        }
        self.at += 1;
        Ok(true)
    }

    /// Whether a bound of a window's frame may begin here.
    fn begins_bound(&self) -> bool {
        self.previous()
            .is_some_and(|before| ["range", "rows", "groups", "between", "and"].iter().any(|word| before.is_word(word)))
    }
    fn next_is_bound(&self, ahead: usize) -> bool {
        self.next_is_word(ahead, "preceding") || self.next_is_word(ahead, "following")
    }

    /// `'1 day'::interval PRECEDING`: sqlparser reads no cast behind a text there.
    fn cast_bound(&mut self, value: &str, span: Span) -> bool {
        const LONGEST_TYPE: usize = 6;
        let Some(length) = (1..=LONGEST_TYPE).find(|length| self.next_is_bound(2 + length)) else { return false };
        let name = self.lexemes.get(self.at + 2..self.at + 2 + length).unwrap_or_default();
        if !name.iter().all(|part| matches!(part.kind, Kind::Word(_) | Kind::Quoted(_)) || part.is_sign(".")) {
            return false;
        }
        self.cast(value, span, |writer, span| {
            for (n, part) in name.iter().enumerate() {
                let dotted = n.checked_sub(1).and_then(|n| name.get(n)).is_some_and(|before| before.is_sign("."));
                writer.push(token(&part.kind, dotted), span);
            }
        });
        self.at += 2 + length;
        true
    }

    /// Whether the FROM that stands here is the empty one of `trim(leading FROM x)`.
    fn trims(&self) -> bool {
        let before = |back: usize| self.at.checked_sub(back).and_then(|at| self.lexemes.get(at));
        let side = before(1).is_some_and(|side| ["both", "leading", "trailing"].iter().any(|word| side.is_word(word)));
        let open = if side { 2 } else { 1 };
        before(open).is_some_and(|open| open.is_sign("(")) && before(open + 1).is_some_and(|trim| trim.is_word("trim"))
    }

    /// `interval(2) 'text'`: sqlparser would lose the precision.
    fn interval(&mut self, span: Span) -> bool {
        let (Some(digits), Some(value)) = (self.peek(2), self.peek(4)) else { return false };
        let (Kind::Number(digits), Kind::Text(value)) = (&digits.kind, &value.kind) else { return false };
        if !self.next_is_sign(3, ")") {
            return false;
        }
        let (digits, value) = (digits.clone(), value.clone());
        self.cast(&value, span, |writer, span| {
            writer.push_words(&["INTERVAL"], span);
            writer.push(Token::LParen, span);
            writer.push(Token::Number(digits, false), span);
            writer.push(Token::RParen, span);
        });
        self.at += 5;
        true
    }

    /// `type 'text'` with a type's name of any length. True when it was one.
    fn typed_literal(&mut self, lexeme: &Lexeme) -> bool {
        if self.previous().is_some_and(|before| before.is_sign(".")) {
            return false;
        }
        let mut length = 1;
        while self.next_is_sign(length, ".")
            && self.peek(length + 1).is_some_and(|part| matches!(part.kind, Kind::Word(_) | Kind::Quoted(_)))
        {
            length += 2;
        }
        let Some(Kind::Text(value)) = self.peek(length).map(|behind| &behind.kind) else { return false };
        let names_a_type = match &lexeme.kind {
            Kind::Word(word) if length == 1 => {
                reserved(word).is_none() || ["text", "name", "xml"].iter().any(|name| word.eq_ignore_ascii_case(name))
            }
            Kind::Word(word) => !matches!(reserved(word), Some(Reserved::Fully)),
            _ => true,
        };
        if !names_a_type {
            return false;
        }
        let value = value.clone();
        let lexemes = self.lexemes;
        let name = lexemes.get(self.at..self.at + length).unwrap_or_default();
        self.cast(&value, span(lexeme), |writer, span| {
            for (n, part) in name.iter().enumerate() {
                writer.push(token(&part.kind, n > 0), span);
            }
        });
        self.at += length + 1;
        true
    }
}

pub(super) fn span(lexeme: &Lexeme) -> Span {
    let at = |position: usize| Location { line: 1, column: position as u64 };
    Span { start: at(lexeme.position), end: at(lexeme.position + lexeme.end - lexeme.start) }
}

pub(super) fn near(lexeme: &Lexeme) -> SqlError {
    let shown = match &lexeme.kind {
        Kind::Word(word) => word.clone(),
        other => token(other, false).to_string(),
    };
    SqlError::syntax(format!("syntax error at or near \"{shown}\""), lexeme.position)
}
