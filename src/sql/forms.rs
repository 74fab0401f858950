//! Forms of Postgres that sqlparser has no node for, in nodes that print as they are written and that no other text becomes:
//! their names are reserved words, or hold a space. Whoever walks a tree meets them under these names.
//!
//! | written | node |
//! | --- | --- |
//! | `f(VARIADIC x)` | `Prefixed` with [`VARIADIC`] |
//! | `x BETWEEN SYMMETRIC a AND b` | `Between` whose `low` is `Prefixed` with [`SYMMETRIC`] |
//! | `GROUP BY DISTINCT a, b` | the first item is `Prefixed` with [`DISTINCT`] |
//! | `GROUPING SETS (…)`, `ROLLUP (…)`, `CUBE (…)` | `Function` of that name, whose arguments are `()`, `(a)`, `(a, b)`, `a` or sets |
//! | `FROM ONLY t` | a call of [`ONLY`] in FROM |
//! | `ROWS FROM (f(a), g(b))` | a call of [`ROWS_FROM`] in FROM |
//! | `f() AS (a int)` | an alias with an empty name |
//! | `(x).*` | a field access whose last field is [`STAR`] |
//! | `COLLATION FOR (x)` | a call of [`COLLATION_FOR`] |
//! | `xmlelement(NAME a, …)`, `xmlforest(x AS a)`, `xmlparse(CONTENT x)`, … | calls, see [`super::xml`] |
//! | `x OPERATOR(s.=) ANY (…)` | `AnyOp` or `AllOp` with that operator |

use sqlparser::ast::{BinaryOperator, Expr, Ident, ObjectName, ObjectNamePart, Query};
use sqlparser::parser::{Parser, ParserError};
use sqlparser::tokenizer::{Token, TokenWithSpan};

/// `f(VARIADIC x)`.
pub const VARIADIC: &str = "VARIADIC";
/// `BETWEEN SYMMETRIC`.
pub const SYMMETRIC: &str = "SYMMETRIC";
/// `GROUP BY DISTINCT`.
pub const DISTINCT: &str = "DISTINCT";
/// `FROM ONLY t`.
pub const ONLY: &str = "ONLY";
/// `ROWS FROM (…)`.
pub const ROWS_FROM: &str = "ROWS FROM";
/// `GROUPING SETS (…)`.
pub const GROUPING_SETS: &str = "GROUPING SETS";
/// `COLLATION FOR (x)`.
pub const COLLATION_FOR: &str = "COLLATION FOR";
/// `(x).*`.
pub const STAR: &str = "*";

/// Whether an identifier is one of the names above.
pub fn is_form(ident: &Ident, form: &str) -> bool {
    ident.quote_style.is_none() && ident.value == form
}

/// Whether a function's or relation's name is one of the names above.
pub fn names_form(name: &ObjectName, form: &str) -> bool {
    matches!(name.0.as_slice(), [ObjectNamePart::Identifier(only)] if is_form(only, form))
}

/// Whether an item of GROUP BY is ROLLUP, CUBE or GROUPING SETS, by its name.
pub fn is_grouping_set(name: &ObjectName) -> bool {
    let [ObjectNamePart::Identifier(only)] = name.0.as_slice() else { return false };
    let word = |word: &str| only.quote_style.is_none() && only.value.eq_ignore_ascii_case(word);
    is_form(only, GROUPING_SETS) || word("rollup") || word("cube")
}

fn is_word(token: &TokenWithSpan, wanted: &str) -> bool {
    matches!(&token.token, Token::Word(word) if word.quote_style.is_none() && word.value.eq_ignore_ascii_case(wanted))
}

/// A form that begins with a word of its own. `between` is how tight BETWEEN binds.
pub(super) fn prefix(parser: &mut Parser<'_>, between: u8) -> Option<Result<Expr, ParserError>> {
    let (token, before) = (parser.peek_token_ref(), parser.get_current_token());
    let span = token.span;
    let (form, precedence) = match &token.token {
        Token::LParen if parser.peek_nth_token_ref(1).token == Token::RParen => {
            parser.advance_token();
            parser.advance_token();
            return Some(Ok(Expr::Tuple(Vec::new())));
        }
        Token::Word(word) if word.quote_style.is_some() => return None,
        Token::Word(_) if is_word(token, VARIADIC) && matches!(before.token, Token::LParen | Token::Comma) => {
            (VARIADIC, 0)
        }
        Token::Word(_) if is_word(token, SYMMETRIC) && is_word(before, "between") => (SYMMETRIC, between),
        Token::Word(_) if is_word(token, DISTINCT) && is_word(before, "by") => (DISTINCT, 0),
        _ => return None,
    };
    parser.advance_token();
    let prefix = Ident::with_span(span, form);
    let value = parser.parse_subexpr(precedence);
    Some(value.map(|value| Expr::Prefixed { prefix, value: Box::new(value) }))
}

/// `x IN ((SELECT …), y)`: sqlparser takes the first item for the whole. `None`: it is no such list.
pub(super) fn in_list(parser: &mut Parser<'_>, left: &Expr) -> Option<Result<Expr, ParserError>> {
    if matches!(left, Expr::InList { .. } | Expr::InSubquery { .. }) {
        // A chain of them means nothing, and would be copied at each link.
        return None;
    }
    let negated = is_word(parser.peek_token_ref(), "not");
    let at = usize::from(negated);
    if !is_word(parser.peek_nth_token_ref(at), "in") {
        return None;
    }
    let open = |n: usize| parser.peek_nth_token_ref(n).token == Token::LParen;
    let mut deep = at + 1;
    while open(deep) {
        deep += 1;
    }
    let begins = |word: &str| is_word(parser.peek_nth_token_ref(deep), word);
    if deep < at + 3 || !["select", "with", "values"].into_iter().any(begins) {
        return None;
    }
    for _ in 0..=at + 1 {
        parser.advance_token();
    }
    Some(in_parentheses(parser, left, negated))
}

/// Behind `IN (`: a query, or a list that begins with one in parentheses.
fn in_parentheses(parser: &mut Parser<'_>, left: &Expr, negated: bool) -> Result<Expr, ParserError> {
    let whole = |parser: &mut Parser<'_>| -> Result<Box<Query>, ParserError> {
        let query = parser.parse_query()?;
        parser.expect_token(&Token::RParen)?;
        Ok(query)
    };
    let expr = Box::new(left.clone());
    if let Some(subquery) = parser.maybe_parse(whole)? {
        return Ok(Expr::InSubquery { expr, subquery, negated });
    }
    let list = parser.parse_comma_separated(Parser::parse_expr)?;
    parser.expect_token(&Token::RParen)?;
    Ok(Expr::InList { expr, list, negated })
}

/// `x OPERATOR(schema.=) ANY (…)`, which sqlparser reads without a schema alone. `None`: it is something else.
pub(super) fn qualified_any(parser: &mut Parser<'_>, left: &Expr, precedence: u8) -> Option<Result<Expr, ParserError>> {
    // What is longer would be copied at each link of a chain.
    let short = match left {
        Expr::Cast { expr, .. } => matches!(**expr, Expr::Identifier(_) | Expr::CompoundIdentifier(_) | Expr::Value(_)),
        Expr::Identifier(_) | Expr::CompoundIdentifier(_) | Expr::Value(_) | Expr::Function(_) | Expr::Nested(_) => {
            true
        }
        _ => false,
    };
    if !short || !is_word(parser.peek_token_ref(), "operator") || parser.peek_nth_token_ref(1).token != Token::LParen {
        return None;
    }
    let mut parts = vec![String::new()];
    let mut at = 2;
    loop {
        match &parser.peek_nth_token_ref(at).token {
            Token::RParen => break,
            Token::EOF => return None,
            Token::Period => parts.push(String::new()),
            part => parts.last_mut()?.push_str(&part.to_string()),
        }
        at += 1;
    }
    let quantifier = parser.peek_nth_token_ref(at + 1);
    let all = is_word(quantifier, "all");
    let some = is_word(quantifier, "some");
    if !(all || some || is_word(quantifier, "any")) || parser.peek_nth_token_ref(at + 2).token != Token::LParen {
        return None;
    }
    (0..at + 2).for_each(|_| parser.advance_token());
    let compare_op = BinaryOperator::PGCustomBinaryOperator(parts);
    let left = Box::new(left.clone());
    Some(operand_of_any(parser, precedence).map(|right| match all {
        true => Expr::AllOp { left, compare_op, right },
        false => Expr::AnyOp { left, compare_op, right, is_some: some },
    }))
}

/// Behind ANY: a subquery with its parentheses, or what stands in them, as sqlparser has it.
fn operand_of_any(parser: &mut Parser<'_>, precedence: u8) -> Result<Box<Expr>, ParserError> {
    if ["select", "with"].into_iter().any(|word| is_word(parser.peek_nth_token_ref(1), word)) {
        return parser.parse_subexpr(precedence).map(Box::new);
    }
    parser.expect_token(&Token::LParen)?;
    let right = parser.parse_subexpr(precedence)?;
    parser.expect_token(&Token::RParen)?;
    Ok(Box::new(right))
}
