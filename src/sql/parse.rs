//! Text to statements.

use sqlparser::ast;
use sqlparser::parser::{Parser, ParserError, ParserOptions};
use sqlparser::tokenizer::{Span, Token, TokenWithSpan};

use super::deep::with_deep_stack;
use super::depth;
use super::dialect::Postgres;
use super::lex::{Lexeme, lex};
use super::limits::{SqlError, TextLimits};
use super::phrase::{Phrase, syntax_at};
use super::refused;
use super::session_statement::session_statement;
use super::statement::{Parsed, Refused, Statement};
use super::tokens::tokens;
use super::wrapped;

/// Splits the text at its top-level semicolons and parses each statement. A text without any is one [`Statement::Empty`].
pub fn parse(text: &str, limits: &TextLimits) -> Result<Vec<Parsed>, SqlError> {
    parse_lexemes(text, &lex(text, limits)?, limits)
}

/// [`parse`] for a text whose lexemes are known.
pub(super) fn parse_lexemes(text: &str, lexemes: &[Lexeme], limits: &TextLimits) -> Result<Vec<Parsed>, SqlError> {
    with_deep_stack(|| {
        let mut parsed = Vec::new();
        for part in split(lexemes) {
            if !part.is_empty() {
                parsed.push(statement(text, part, limits)?);
            }
        }
        if parsed.is_empty() {
            parsed.push(Parsed { text: String::new(), offset: 0, statement: Statement::Empty, query_text: None });
        }
        Ok(parsed)
    })
}

/// Parses a text that is one expression, whole: a mask, a row filter.
pub fn parse_expression(text: &str) -> Result<ast::Expr, SqlError> {
    let limits = TextLimits { max_bytes: 64 * 1024, max_tokens: 5_000, max_depth: 100 };
    let lexemes = lex(text, &limits)?;
    let phrase = Phrase::new(text, &lexemes, text.chars().count() + 1, limits.max_depth);
    if lexemes.iter().any(|lexeme| lexeme.is_sign(";")) {
        return Err(SqlError::syntax("an expression holds no \";\"", 1));
    }
    with_deep_stack(|| {
        through_sqlparser(&phrase, &lexemes, |parser| parser.parse_expr())?;
        // It becomes a part of a client's statement, in whose text it has no place. Errors above do have one, in this text.
        let mut tokens = tokens(&lexemes)?;
        tokens.iter_mut().for_each(|token| token.span = Span::empty());
        parsed_tokens(tokens, &phrase, |parser| parser.parse_expr())
            .0
            .map_err(|error| SqlError::syntax(error.to_string(), 1))
    })
}

/// The line of everything that is not in a client's text.
const OWN_LINE: u64 = 2;

/// Parses a text of pgveil's own that is one query, whole. It becomes a part of a client's statement, in whose text it has no
/// place.
pub fn parse_query(text: &str) -> Result<Box<ast::Query>, SqlError> {
    let lexemes = lex(text, &super::proof::RENDERED)?;
    let phrase = Phrase::new(text, &lexemes, 1, super::proof::RENDERED.max_depth);
    with_deep_stack(|| {
        let mut tokens = tokens(&lexemes)?;
        // The dialect asks for columns; the line says whose text it is.
        tokens.iter_mut().for_each(|token| (token.span.start.line, token.span.end.line) = (OWN_LINE, OWN_LINE));
        parsed_tokens(tokens, &phrase, |parser| parser.parse_query())
            .0
            .map_err(|error| SqlError::syntax(error.to_string(), 1))
    })
}

/// The statements between semicolons. The body of CREATE FUNCTION … BEGIN ATOMIC holds some of its own, and so do the
/// parentheses of CREATE RULE.
fn split(lexemes: &[Lexeme]) -> Vec<&[Lexeme]> {
    let mut parts = Vec::new();
    let mut rest = lexemes;
    while !rest.is_empty() {
        let mut depth = 0usize;
        let creates = rest.first().is_some_and(|first| first.is_word("create"));
        let mut atomic = false;
        let mut end = rest.len();
        for (at, lexeme) in rest.iter().enumerate() {
            if lexeme.is_sign("(") {
                depth += 1;
            } else if lexeme.is_sign(")") {
                depth = depth.saturating_sub(1);
            } else if creates && lexeme.is_word("begin") {
                atomic |= rest.get(at + 1).is_some_and(|next| next.is_word("atomic"));
            } else if lexeme.is_sign(";") && (!creates || depth == 0) && !atomic {
                end = at;
                break;
            }
        }
        let (part, tail) = rest.split_at(end);
        parts.push(part);
        rest = tail.get(1..).unwrap_or_default();
    }
    parts
}

fn statement(text: &str, lexemes: &[Lexeme], limits: &TextLimits) -> Result<Parsed, SqlError> {
    let (Some(first), Some(last)) = (lexemes.first(), lexemes.last()) else {
        return Ok(Parsed { text: String::new(), offset: 0, statement: Statement::Empty, query_text: None });
    };
    let own = text.get(first.start..last.end).unwrap_or_default();
    let end = first.position + own.chars().count();
    let mut phrase = Phrase::new(text, lexemes, end, limits.max_depth);
    let (statement, query) = classify(&mut phrase)?;
    let query_text = query.and_then(|inner: &[Lexeme]| {
        let (from, to) = (inner.first()?, inner.last()?);
        Some(from.start.checked_sub(first.start)?..to.end.checked_sub(first.start)?)
    });
    Ok(Parsed { text: own.to_owned(), offset: first.position - 1, statement, query_text })
}

/// What a statement is, and which of its lexemes are an inner query.
type Classified<'a> = (Statement, Option<&'a [Lexeme]>);

fn classify<'a>(phrase: &mut Phrase<'a>) -> Result<Classified<'a>, SqlError> {
    if let Some(refused) = refused::by_first_words(phrase.rest()) {
        return Ok((Statement::Refused(refused), None));
    }
    if begins_query(phrase.rest()) {
        return Ok(match query(phrase, phrase.rest())? {
            Found::Query(query) => (Statement::Query(query), None),
            Found::Refused(refused) => (Statement::Refused(refused), None),
        });
    }
    let word = phrase.peek().and_then(Lexeme::word).unwrap_or_default();
    match word.as_str() {
        "explain" => wrapped::explain(phrase),
        "copy" => wrapped::copy(phrase),
        "prepare" => wrapped::prepare(phrase),
        "execute" => wrapped::execute(phrase),
        "declare" => wrapped::declare(phrase),
        _ => Ok((session_statement(phrase)?, None)),
    }
}

/// A query, or why there is none.
pub(super) enum Found {
    /// SELECT, VALUES, TABLE, WITH.
    Query(Box<ast::Query>),
    /// It changes or locks something.
    Refused(Refused),
}

/// Whether the lexemes begin a query.
pub(super) fn begins_query(lexemes: &[Lexeme]) -> bool {
    lexemes.first().is_some_and(|first| {
        first.is_sign("(") || ["select", "values", "table", "with"].iter().any(|word| first.is_word(word))
    })
}

/// Parses lexemes that are one query, whole.
pub(super) fn query(phrase: &Phrase<'_>, lexemes: &[Lexeme]) -> Result<Found, SqlError> {
    if let Some(refused) = refused::inside_query(lexemes) {
        return Ok(Found::Refused(refused));
    }
    if !begins_query(lexemes) {
        return Err(syntax_at(phrase.text, lexemes.first(), phrase.end_position()));
    }
    let query = through_sqlparser(phrase, lexemes, |parser| parser.parse_query())?;
    let what = match query.body.as_ref() {
        ast::SetExpr::Insert(_) => "INSERT",
        ast::SetExpr::Update(_) => "UPDATE",
        ast::SetExpr::Delete(_) => "DELETE",
        ast::SetExpr::Merge(_) => "MERGE",
        ast::SetExpr::Select(_)
        | ast::SetExpr::Query(_)
        | ast::SetExpr::SetOperation { .. }
        | ast::SetExpr::Values(_)
        | ast::SetExpr::Table(_) => return Ok(Found::Query(query)),
    };
    Ok(Found::Refused(Refused::new(what, None)))
}

/// Hands lexemes to sqlparser; all of them must be taken.
pub(super) fn through_sqlparser<T>(
    phrase: &Phrase<'_>,
    lexemes: &[Lexeme],
    read: impl FnOnce(&mut Parser<'_>) -> Result<T, ParserError>,
) -> Result<T, SqlError> {
    depth::bounded(lexemes, phrase.max_depth)?;
    let (read, stopped) = parsed_tokens(tokens(lexemes)?, phrase, read);
    let error = match read {
        Ok(tree) => return Ok(tree),
        Err(error) => error,
    };
    let message = match error {
        ParserError::RecursionLimitExceeded if stopped.exhausted => {
            return Err(SqlError::TooDeep {
                message: "statement is too complex: parsing it takes too many steps".to_owned(),
                hint: "Write nested sub-selects as common table expressions (WITH).".to_owned(),
            });
        }
        ParserError::RecursionLimitExceeded => return Err(SqlError::too_deep(phrase.max_depth)),
        ParserError::TokenizerError(message) | ParserError::ParserError(message) => message,
    };
    let at = location(&message)
        .or(Some(stopped.position))
        .and_then(|position| lexemes.iter().find(|lexeme| lexeme.position == position));
    Err(syntax_at(phrase.text, at, lexemes_end(phrase, lexemes)).with_hint(hint(&message)))
}

/// Where a parser has stopped.
struct Stopped {
    position: usize,
    /// It has taken too many steps.
    exhausted: bool,
}

/// What the parser makes of the tokens, all of which must be taken, and where it has stopped.
fn parsed_tokens<T>(
    tokens: Vec<TokenWithSpan>,
    phrase: &Phrase<'_>,
    read: impl FnOnce(&mut Parser<'_>) -> Result<T, ParserError>,
) -> (Result<T, ParserError>, Stopped) {
    let dialect = Postgres::new(&tokens);
    let mut parser = Parser::new(&dialect)
        .with_options(ParserOptions::new().with_unescape(false).with_trailing_commas(false))
        .with_recursion_limit(phrase.max_depth * 2 + 50)
        .with_tokens_with_locations(tokens);
    let read = read(&mut parser).and_then(|tree| match &parser.peek_token_ref().token {
        Token::EOF => Ok(tree),
        _ => parser.expected_ref("the end of the statement", parser.peek_token_ref()),
    });
    let position = parser.peek_token_ref().span.start.column as usize;
    (read, Stopped { position, exhausted: dialect.exhausted() })
}

/// Character position behind the last lexeme.
fn lexemes_end(phrase: &Phrase<'_>, lexemes: &[Lexeme]) -> usize {
    lexemes.last().map_or(phrase.end_position(), |last| {
        last.position + phrase.text.get(last.start..last.end).unwrap_or_default().chars().count()
    })
}

/// The position at the end of sqlparser's messages: the column is the character position (see `tokens`).
fn location(message: &str) -> Option<usize> {
    message.rsplit_once("Column: ")?.1.trim().parse().ok().filter(|position| *position > 0)
}

/// What sqlparser had expected, as far as it says so in words for people.
fn hint(message: &str) -> Option<String> {
    let expected = message.rsplit_once("Expected: ")?.1.split(", found:").next()?;
    Some(format!("Expected {expected} here. If Postgres accepts the statement, write this part in another form."))
}

#[cfg(test)]
#[path = "parse_tests.rs"]
mod tests;
