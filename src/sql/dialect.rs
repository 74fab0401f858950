//! sqlparser's PostgreSQL dialect with what it gets wrong put right, and with a budget: some of its speculative parses take
//! exponential time on hostile text.

use std::any::TypeId;
use std::cell::Cell;

use sqlparser::ast::{Expr, Function, FunctionArguments, Ident, ObjectName, UnaryOperator};
use sqlparser::dialect::{Dialect, PostgreSqlDialect, Precedence};
use sqlparser::keywords::Keyword;
use sqlparser::parser::{Parser, ParserError};
use sqlparser::tokenizer::{Token, TokenWithSpan};

use super::forms;
use super::keywords::{Reserved, known};
use super::nested_query::NestedQueries;
use super::xml;

/// What binds loosest: the name of an argument of XML.
const LABEL: u8 = 1;
/// What binds looser than a cast or a subscript and tighter than everything else.
const UNARY_SIGN: u8 = 125;
const COLLATE: u8 = 120;
const OTHER_OPERATOR: u8 = 70;

/// PostgreSQL, for the parse of one text.
#[derive(Debug)]
pub(super) struct Postgres {
    inner: PostgreSqlDialect,
    budget: Cell<usize>,
    nested: NestedQueries,
}

impl Postgres {
    /// For a text of these tokens.
    pub(super) fn new(tokens: &[TokenWithSpan]) -> Self {
        let budget = Cell::new(tokens.len().saturating_mul(64) + 20_000);
        Self { inner: PostgreSqlDialect {}, budget, nested: NestedQueries::of(tokens) }
    }
    /// Whether the parse was given up because it took too many steps.
    pub(super) fn exhausted(&self) -> bool {
        self.budget.get() == 0
    }

    /// A prefix operator. Its operand stands in parentheses in the tree when it begins with an operator too: printed without
    /// them the two would become another operator, or a comment.
    fn unary(&self, parser: &mut Parser<'_>) -> Option<Result<Expr, ParserError>> {
        let (op, precedence) = match parser.peek_token_ref().token {
            Token::Minus => (UnaryOperator::Minus, UNARY_SIGN),
            Token::Plus => (UnaryOperator::Plus, UNARY_SIGN),
            Token::Tilde => (UnaryOperator::BitwiseNot, OTHER_OPERATOR),
            Token::AtSign => (UnaryOperator::PGAbs, OTHER_OPERATOR),
            Token::PGSquareRoot => (UnaryOperator::PGSquareRoot, OTHER_OPERATOR),
            Token::PGCubeRoot => (UnaryOperator::PGCubeRoot, OTHER_OPERATOR),
            Token::Sharp => (UnaryOperator::Hash, OTHER_OPERATOR),
            Token::AtDashAt => (UnaryOperator::AtDashAt, OTHER_OPERATOR),
            Token::AtAt => (UnaryOperator::DoubleAt, OTHER_OPERATOR),
            Token::QuestionMarkDash => (UnaryOperator::QuestionDash, OTHER_OPERATOR),
            Token::QuestionPipe => (UnaryOperator::QuestionPipe, OTHER_OPERATOR),
            _ => return None,
        };
        parser.advance_token();
        let chained = !matches!(
            parser.peek_token_ref().token,
            Token::Word(_)
                | Token::Number(..)
                | Token::SingleQuotedString(_)
                | Token::SingleQuotedByteStringLiteral(_)
                | Token::HexStringLiteral(_)
                | Token::Placeholder(_)
                | Token::LParen
        );
        let operand = match parser.parse_subexpr(precedence) {
            Ok(operand) if chained => Expr::Nested(Box::new(operand)),
            Ok(operand) => operand,
            Err(error) => return Some(Err(error)),
        };
        Some(Ok(Expr::UnaryOp { op, expr: Box::new(operand) }))
    }
}

/// A word that Postgres reads as a function although no parentheses follow, and sqlparser as a column.
fn bare_function(parser: &Parser<'_>) -> Option<Ident> {
    let token = parser.peek_token_ref();
    let Token::Word(word) = &token.token else { return None };
    let known = ["current_role", "current_schema", "system_user"].iter().any(|k| word.value.eq_ignore_ascii_case(k));
    let plain = word.quote_style.is_none() && known && parser.peek_nth_token_ref(1).token != Token::LParen;
    plain.then(|| word.to_ident(token.span))
}

/// The reserved words of Postgres that may begin an expression.
const BEGIN_EXPRESSIONS: &[&str] = &[
    "all",
    "any",
    "array",
    "case",
    "cast",
    "current_catalog",
    "current_date",
    "current_role",
    "current_time",
    "current_timestamp",
    "current_user",
    "false",
    "localtime",
    "localtimestamp",
    "not",
    "null",
    "session_user",
    "some",
    "true",
    "user",
];

/// A reserved word where an expression should begin: sqlparser would take `FROM` for a column.
fn misplaced(parser: &Parser<'_>) -> Option<ParserError> {
    let token = parser.peek_token_ref();
    let Token::Word(word) = &token.token else { return None };
    if word.quote_style.is_some() {
        return None;
    }
    let known = known(&word.value)?;
    if known.reserved != Some(Reserved::Fully) || BEGIN_EXPRESSIONS.contains(&known.lower) {
        return None;
    }
    parser.expected_ref::<()>("an expression", token).err()
}

impl Dialect for Postgres {
    fn dialect(&self) -> TypeId {
        self.inner.dialect()
    }

    fn parse_prefix(&self, parser: &mut Parser<'_>) -> Option<Result<Expr, ParserError>> {
        let left = self.budget.get().saturating_sub(1);
        self.budget.set(left);
        if left == 0 {
            // The one error that no speculation swallows.
            return Some(Err(ParserError::RecursionLimitExceeded));
        }
        if let Some(form) = xml::prefix(parser) {
            return Some(form);
        }
        if let Some(form) = forms::prefix(parser, self.prec_value(Precedence::Between)) {
            return Some(form);
        }
        if let Some(error) = misplaced(parser) {
            return Some(Err(error));
        }
        if let Some(query) = self.nested.prefix(parser) {
            return Some(query);
        }
        if let Some(name) = bare_function(parser) {
            parser.advance_token();
            return Some(Ok(Expr::Function(Function {
                name: ObjectName::from(vec![name]),
                uses_odbc_syntax: false,
                parameters: FunctionArguments::None,
                args: FunctionArguments::None,
                filter: None,
                null_treatment: None,
                over: None,
                within_group: vec![],
            })));
        }
        self.unary(parser)
    }

    fn parse_infix(&self, parser: &mut Parser<'_>, left: &Expr, precedence: u8) -> Option<Result<Expr, ParserError>> {
        if let Some(list) = forms::in_list(parser, left) {
            return Some(list);
        }
        if let Some(any) = forms::qualified_any(parser, left, precedence) {
            return Some(any);
        }
        if let Some(suffixed) = xml::infix(parser, left) {
            return Some(suffixed);
        }
        // A collation of a collation means nothing, and a chain of them would be copied at each link.
        if matches!(left, Expr::Collate { .. }) || !parser.parse_keyword(Keyword::COLLATE) {
            return None;
        }
        let collation = parser.parse_object_name(false);
        Some(collation.map(|collation| Expr::Collate { expr: Box::new(left.clone()), collation }))
    }

    fn get_next_precedence(&self, parser: &Parser<'_>) -> Option<Result<u8, ParserError>> {
        if let Some(kind) = xml::suffix(parser.peek_token_ref()) {
            return Some(Ok(match kind {
                xml::Suffix::Label(_) => LABEL,
                xml::Suffix::Document(_) => self.prec_value(Precedence::Is),
            }));
        }
        match &parser.peek_token_ref().token {
            Token::Word(word) if word.keyword == Keyword::COLLATE => Some(Ok(COLLATE)),
            // These are no infix operators: `:=` names an argument, postfix `!` is gone since 14.
            Token::Assignment | Token::ExclamationMark => Some(Ok(self.inner.prec_unknown())),
            Token::AtSign
            | Token::QuestionMarkDash
            | Token::DoubleSharp
            | Token::AmpersandLeftAngleBracket
            | Token::AmpersandRightAngleBracket
            | Token::QuestionMarkDashVerticalBar
            | Token::AmpersandLeftAngleBracketVerticalBar
            | Token::VerticalBarAmpersandRightAngleBracket
            | Token::TwoWayArrow
            | Token::LeftAngleBracketCaret
            | Token::RightAngleBracketCaret
            | Token::QuestionMarkSharp
            | Token::QuestionMarkDoubleVerticalBar
            | Token::TildeEqual
            | Token::ShiftLeftVerticalBar
            | Token::VerticalBarShiftRight
            | Token::Tilde
            | Token::TildeAsterisk
            | Token::ExclamationMarkTilde
            | Token::ExclamationMarkTildeAsterisk
            | Token::DoubleTilde
            | Token::DoubleTildeAsterisk
            | Token::ExclamationMarkDoubleTilde
            | Token::ExclamationMarkDoubleTildeAsterisk
            | Token::Pipe
            | Token::Ampersand => Some(Ok(OTHER_OPERATOR)),
            Token::Word(word) if word.keyword == Keyword::OPERATOR => Some(Ok(OTHER_OPERATOR)),
            _ => self.inner.get_next_precedence(parser),
        }
    }

    fn prec_value(&self, precedence: Precedence) -> u8 {
        self.inner.prec_value(precedence)
    }
    fn identifier_quote_style(&self, identifier: &str) -> Option<char> {
        self.inner.identifier_quote_style(identifier)
    }
    fn is_delimited_identifier_start(&self, ch: char) -> bool {
        self.inner.is_delimited_identifier_start(ch)
    }
    fn is_identifier_start(&self, ch: char) -> bool {
        self.inner.is_identifier_start(ch)
    }
    fn is_identifier_part(&self, ch: char) -> bool {
        self.inner.is_identifier_part(ch)
    }
    fn is_reserved_for_identifier(&self, keyword: Keyword) -> bool {
        self.inner.is_reserved_for_identifier(keyword)
    }
    fn is_table_alias(&self, keyword: &Keyword, parser: &mut Parser<'_>) -> bool {
        self.inner.is_table_alias(keyword, parser)
    }
    fn supports_filter_during_aggregation(&self) -> bool {
        true
    }
    /// Its nodes for grouping sets lose parentheses and hold no sets in one another: see [`super::forms`].
    fn supports_group_by_expr(&self) -> bool {
        false
    }
    fn allow_extract_custom(&self) -> bool {
        true
    }
    fn allow_extract_single_quotes(&self) -> bool {
        true
    }
    fn supports_bitwise_shift_operators(&self) -> bool {
        true
    }
    fn supports_named_fn_args_with_assignment_operator(&self) -> bool {
        true
    }
    /// FROM behind a WITH query: a marked clause stands there (see [`super::marks`]).
    fn supports_from_first_insert(&self) -> bool {
        true
    }
    fn supports_empty_projections(&self) -> bool {
        true
    }
    fn supports_array_typedef_with_brackets(&self) -> bool {
        true
    }
    fn supports_geometric_types(&self) -> bool {
        true
    }
    fn supports_order_by_using_operator(&self) -> bool {
        true
    }
    fn supports_left_associative_joins_without_parens(&self) -> bool {
        false
    }
    fn supports_interval_options(&self) -> bool {
        true
    }
    fn supports_comma_separated_trim(&self) -> bool {
        true
    }
    fn supports_string_escape_constant(&self) -> bool {
        true
    }
    fn supports_unicode_string_literal(&self) -> bool {
        true
    }
    fn supports_nested_comments(&self) -> bool {
        true
    }
}
