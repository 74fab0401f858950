//! Postgres' XML expressions. Their arguments are written with words of their own, which are handed to sqlparser as one name
//! each that no other text becomes (it ends in a space or holds a quote), and stand in the tree so that they print as they are
//! written.
//!
//! | written | in the tree |
//! | --- | --- |
//! | `xmlelement(NAME a, …)` | a call whose first argument is the name `NAME "a"` |
//! | `xmlattributes(x AS a)`, `xmlforest(x AS a)`, `xmlserialize(… AS text)` | `Named` |
//! | `xmlparse(DOCUMENT x)`, `xmlserialize(CONTENT x …)` | `Prefixed` with [`DOCUMENT`] or [`CONTENT`] |
//! | `x IS [NOT] DOCUMENT` | an operator `IS` or `IS NOT` with the name [`DOCUMENT`] |
//! | `XMLTABLE(… COLUMNS a int PATH 'p')` | sqlparser's own node |

use sqlparser::ast::{BinaryOperator, Expr, Ident};
use sqlparser::parser::{Parser, ParserError};
use sqlparser::tokenizer::{Token, TokenWithSpan};

use super::forms::is_form;
use super::lex::Lexeme;
use super::marks::{Moves, name};
use super::spelling::form;

/// `DOCUMENT x`, `IS DOCUMENT`.
pub const DOCUMENT: &str = "DOCUMENT ";
/// `CONTENT x`.
pub const CONTENT: &str = "CONTENT ";
const NAME: &str = "NAME ";
const AS: &str = "AS ";
const IS_DOCUMENT: &str = "IS DOCUMENT ";
const IS_NOT_DOCUMENT: &str = "IS NOT DOCUMENT ";

/// Whether the identifier is `NAME "a"`.
pub fn is_element_name(ident: &Ident) -> bool {
    ident.quote_style.is_none() && quoted_behind(&ident.value, NAME).is_some()
}

/// Whether `op right` is `IS [NOT] DOCUMENT`.
pub fn is_document(op: &BinaryOperator, right: &Expr) -> bool {
    matches!(op, BinaryOperator::Custom(op) if op == "IS" || op == "IS NOT")
        && matches!(right, Expr::Identifier(right) if is_form(right, DOCUMENT))
}

/// What stands in quotes behind a word.
fn quoted_behind<'v>(value: &'v str, word: &str) -> Option<&'v str> {
    value.strip_prefix(word)?.strip_prefix('"')?.strip_suffix('"')
}

/// What follows an expression.
pub(super) enum Suffix<'t> {
    /// `AS "a"`, its quotes doubled.
    Label(&'t str),
    /// The operator of `IS DOCUMENT`.
    Document(&'static str),
}

/// The suffix that a token is.
pub(super) fn suffix(token: &TokenWithSpan) -> Option<Suffix<'_>> {
    let Token::Word(word) = &token.token else { return None };
    match word.value.as_str() {
        _ if word.quote_style.is_some() => None,
        IS_DOCUMENT => Some(Suffix::Document("IS")),
        IS_NOT_DOCUMENT => Some(Suffix::Document("IS NOT")),
        value => quoted_behind(value, AS).map(Suffix::Label),
    }
}

/// An expression with what follows it. `None`: nothing of this kind does.
pub(super) fn infix(parser: &mut Parser<'_>, left: &Expr) -> Option<Result<Expr, ParserError>> {
    let token = parser.peek_token_ref();
    let span = token.span;
    let suffixed = match suffix(token)? {
        // A chain of them means nothing, and would be copied at each link.
        _ if matches!(left, Expr::Named { .. }) || is_tested(left) => return None,
        Suffix::Label(label) => {
            Expr::Named { expr: Box::new(left.clone()), name: Ident::with_quote_and_span('"', span, label) }
        }
        Suffix::Document(op) => Expr::BinaryOp {
            left: Box::new(left.clone()),
            op: BinaryOperator::Custom(op.to_owned()),
            right: Box::new(Expr::Identifier(Ident::with_span(span, DOCUMENT))),
        },
    };
    parser.advance_token();
    Some(Ok(suffixed))
}

fn is_tested(expr: &Expr) -> bool {
    matches!(expr, Expr::BinaryOp { op, right, .. } if is_document(op, right))
}

/// `DOCUMENT x`, `CONTENT x`, as they are handed on.
pub(super) fn prefix(parser: &mut Parser<'_>) -> Option<Result<Expr, ParserError>> {
    let token = parser.peek_token_ref();
    let Token::Word(word) = &token.token else { return None };
    let known = [DOCUMENT, CONTENT].into_iter().find(|known| word.quote_style.is_none() && word.value == *known)?;
    let prefix = Ident::with_span(token.span, known);
    parser.advance_token();
    Some(parser.parse_expr().map(|value| Expr::Prefixed { prefix, value: Box::new(value) }))
}

/// Notes what the lexeme at `at` is handed on as. `open` is the parenthesis around it.
pub(super) fn moves(lexemes: &[Lexeme], open: Option<usize>, at: usize, moves: &mut Moves) {
    let is = |at: usize, word: &str| lexemes.get(at).is_some_and(|lexeme| lexeme.is_word(word));
    let labelled =
        at.checked_sub(1).is_some_and(|before| is(before, "as") || lexemes.get(before).is_some_and(|l| l.is_sign(".")));
    if is(at, "is") && !labelled {
        if is(at + 1, "document") {
            moves.insert(at, (vec![form(IS_DOCUMENT)], at + 2));
        } else if is(at + 1, "not") && is(at + 2, "document") {
            moves.insert(at, (vec![form(IS_NOT_DOCUMENT)], at + 3));
        }
        return;
    }
    let Some(open) = open else { return };
    let called = |word: &str| open.checked_sub(1).is_some_and(|before| is(before, word));
    let ends = |at: usize| lexemes.get(at).is_some_and(|l| l.is_sign(",") || l.is_sign(")"));
    let first = at == open + 1;
    if is(at, "name") && first && called("xmlelement") {
        if let Some(element) = lexemes.get(at + 1).filter(|_| ends(at + 2)).and_then(name) {
            moves.insert(at, (vec![form(&format!("{NAME}{element}"))], at + 2));
        }
    } else if is(at, "as") && ["xmlattributes", "xmlforest", "xmlserialize"].into_iter().any(called) {
        // A type that is no keyword, and means the same in quotes.
        let fits = |label: &String| !called("xmlserialize") || label == "\"text\"";
        if let Some(label) = lexemes.get(at + 1).filter(|_| ends(at + 2)).and_then(name).filter(fits) {
            moves.insert(at, (vec![form(&format!("{AS}{label}"))], at + 2));
        }
    } else if first && (called("xmlparse") || called("xmlserialize")) {
        for (word, handed_on) in [("document", DOCUMENT), ("content", CONTENT)] {
            if is(at, word) {
                moves.insert(at, (vec![form(handed_on)], at + 1));
            }
        }
    } else if let Some(keyword) = ["path", "default"].into_iter().find(|word| is(at, word))
        && called("xmltable")
        && !first
    {
        // Behind a type it is a word of the grammar, behind COLUMNS or a comma a name.
        let named = at
            .checked_sub(1)
            .is_some_and(|before| is(before, "columns") || lexemes.get(before).is_some_and(|l| l.is_sign(",")));
        if !named {
            moves.insert(at, (vec![Token::make_keyword(&keyword.to_uppercase())], at + 1));
        }
    }
}
