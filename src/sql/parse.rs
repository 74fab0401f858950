//! Text to statements.

use sqlparser::ast;
use sqlparser::dialect::PostgreSqlDialect;
use sqlparser::parser::{Parser, ParserError, ParserOptions};

use super::deep::with_deep_stack;
use super::limits::{SqlError, TextLimits};
use super::statement::{Parsed, Refused, Statement};

/// Splits the text at its top-level semicolons and parses each statement.
pub fn parse(text: &str, limits: &TextLimits) -> Result<Vec<Parsed>, SqlError> {
    with_deep_stack(|| {
        let mut parsed = Vec::new();
        let mut parser = parser(text, limits)?;
        let statements = parser.parse_statements().map_err(|error| syntax(&error))?;
        for statement in statements {
            let statement = match statement {
                ast::Statement::Query(query) => Statement::Query(query),
                _ => Statement::Refused(Refused { what: "this statement".to_owned(), hint: None }),
            };
            parsed.push(Parsed { text: text.trim().to_owned(), offset: 0, statement, query_text: None });
        }
        if parsed.is_empty() {
            parsed.push(Parsed { text: String::new(), offset: 0, statement: Statement::Empty, query_text: None });
        }
        Ok(parsed)
    })
}

/// Parses a text that is one expression, whole: a mask, a row filter.
pub fn parse_expression(text: &str) -> Result<ast::Expr, SqlError> {
    with_deep_stack(|| {
        let mut parser = parser(text, &TextLimits::default())?;
        let expr = parser.parse_expr().map_err(|error| syntax(&error))?;
        parser.expect_token(&sqlparser::tokenizer::Token::EOF).map_err(|error| syntax(&error))?;
        Ok(expr)
    })
}

fn parser<'a>(text: &str, limits: &TextLimits) -> Result<Parser<'a>, SqlError> {
    Parser::new(&PostgreSqlDialect {})
        .with_options(ParserOptions::new().with_unescape(false))
        .with_recursion_limit(limits.max_depth)
        .try_with_sql(text)
        .map_err(|error| syntax(&error))
}

fn syntax(error: &ParserError) -> SqlError {
    SqlError::Syntax { message: error.to_string(), hint: None, position: None }
}
