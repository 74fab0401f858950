//! Queries in the parentheses of an expression that sqlparser takes for something else: `(VALUES (1))`, which would be a call
//! of a function `values`, and `((SELECT 1) EXCEPT SELECT 2)`, of which it reads the first half; behind ANY and ALL too.

use std::collections::HashMap;

use sqlparser::ast::Expr;
use sqlparser::keywords::Keyword;
use sqlparser::parser::{Parser, ParserError};
use sqlparser::tokenizer::{Token, TokenWithSpan, Word};

/// Where such queries begin, by the position of a token.
#[derive(Debug, Default)]
pub(super) struct NestedQueries(HashMap<u64, Begins>);

/// How a query begins at a token.
#[derive(Clone, Copy, Debug)]
enum Begins {
    /// The token is the parenthesis around it.
    InParentheses,
    /// The parenthesis before the token is ANY's or ALL's, and read with them.
    Bare,
}

impl NestedQueries {
    /// Finds them in a text's tokens.
    pub(super) fn of(tokens: &[TokenWithSpan]) -> Self {
        let mut found = Self::default();
        let mut open: Vec<usize> = Vec::new();
        for (at, token) in tokens.iter().enumerate() {
            match &token.token {
                Token::LParen => open.push(at),
                Token::RParen => {
                    let Some(opened) = open.pop() else { continue };
                    let begins = tokens.get(opened + 1).is_some_and(begins_query);
                    if begins && tokens.get(at + 1).is_some_and(continues_query) {
                        found.behind_parenthesis(tokens, opened);
                    }
                }
                // No function has that name: Postgres reserves it.
                Token::Word(word) if is(word, &[Keyword::VALUES]) => found.behind_parenthesis(tokens, at),
                _ => {}
            }
        }
        found
    }

    /// A query begins at this token, if a parenthesis opens right before it.
    fn behind_parenthesis(&mut self, tokens: &[TokenWithSpan], at: usize) {
        let before = |n: usize| at.checked_sub(n).and_then(|before| tokens.get(before));
        let (Some(here), Some(outer)) = (tokens.get(at), before(1)) else { return };
        if outer.token != Token::LParen {
            return;
        }
        let quantified = before(2).is_some_and(
            |token| matches!(&token.token, Token::Word(word) if is(word, &[Keyword::ANY, Keyword::ALL, Keyword::SOME])),
        );
        if quantified {
            self.0.insert(here.span.start.column, Begins::Bare);
        } else {
            self.0.insert(outer.span.start.column, Begins::InParentheses);
        }
    }

    /// The query that begins here, where an expression should.
    pub(super) fn prefix(&self, parser: &mut Parser<'_>) -> Option<Result<Expr, ParserError>> {
        let begins = *self.0.get(&parser.peek_token_ref().span.start.column)?;
        Some(read(parser, begins))
    }
}

fn read(parser: &mut Parser<'_>, begins: Begins) -> Result<Expr, ParserError> {
    match begins {
        Begins::Bare => Ok(Expr::Subquery(parser.parse_query()?)),
        Begins::InParentheses => {
            parser.expect_token(&Token::LParen)?;
            let query = parser.parse_query()?;
            parser.expect_token(&Token::RParen)?;
            Ok(Expr::Subquery(query))
        }
    }
}

fn is(word: &Word, keywords: &[Keyword]) -> bool {
    word.quote_style.is_none() && keywords.contains(&word.keyword)
}

fn begins_query(token: &TokenWithSpan) -> bool {
    match &token.token {
        Token::LParen => true,
        Token::Word(word) => is(word, &[Keyword::SELECT, Keyword::WITH, Keyword::VALUES]),
        _ => false,
    }
}

/// What follows a query in parentheses that is a part of another one, and follows no other expression in parentheses.
fn continues_query(token: &TokenWithSpan) -> bool {
    let words = [Keyword::UNION, Keyword::INTERSECT, Keyword::EXCEPT, Keyword::LIMIT, Keyword::OFFSET, Keyword::FETCH];
    matches!(&token.token, Token::Word(word) if is(word, &words))
}
