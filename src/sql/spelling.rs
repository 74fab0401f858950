//! One lexeme as one of sqlparser's tokens.

use sqlparser::keywords::Keyword;
use sqlparser::tokenizer::{Token, Word};

use super::keywords::known;
use super::lex::Kind;

/// One lexeme. In the tree quoted text is verbatim: its quotes stay doubled, so that it prints as what it is.
pub(super) fn token(kind: &Kind, dotted: bool) -> Token {
    match kind {
        Kind::Word(word) => {
            Token::Word(Word { value: word.clone(), quote_style: None, keyword: keyword(word, dotted) })
        }
        Kind::Quoted(name) => {
            Token::Word(Word { value: name.replace('"', "\"\""), quote_style: Some('"'), keyword: Keyword::NoKeyword })
        }
        Kind::Text(value) | Kind::National(value) => Token::SingleQuotedString(value.replace('\'', "''")),
        Kind::Bits(digits) => Token::SingleQuotedByteStringLiteral(digits.clone()),
        Kind::Hex(digits) => Token::HexStringLiteral(digits.clone()),
        Kind::Number(number) => Token::Number(number.clone(), false),
        Kind::Parameter(parameter) => Token::Placeholder(parameter.clone()),
        Kind::Sign(sign) => sign_token(sign),
        Kind::Operator(operator) => operator_token(operator),
    }
}

/// A name of [`super::forms`]: a word that is no keyword.
pub(super) fn form(name: &str) -> Token {
    Token::Word(Word { value: name.to_owned(), quote_style: None, keyword: Keyword::NoKeyword })
}

/// Postgres' keywords, and the types among sqlparser's; every other word is a name.
fn keyword(word: &str, dotted: bool) -> Keyword {
    if dotted { Keyword::NoKeyword } else { known(word).map_or(Keyword::NoKeyword, |known| known.handed_on) }
}

fn sign_token(sign: &str) -> Token {
    match sign {
        "(" => Token::LParen,
        ")" => Token::RParen,
        "[" => Token::LBracket,
        "]" => Token::RBracket,
        "," => Token::Comma,
        ";" => Token::SemiColon,
        "." => Token::Period,
        ":" => Token::Colon,
        "::" => Token::DoubleColon,
        ":=" => Token::Assignment,
        _ => Token::RArrow,
    }
}

fn operator_token(operator: &str) -> Token {
    match operator {
        "=" => Token::Eq,
        "<>" => Token::Neq,
        "<" => Token::Lt,
        ">" => Token::Gt,
        "<=" => Token::LtEq,
        ">=" => Token::GtEq,
        "+" => Token::Plus,
        "-" => Token::Minus,
        "*" => Token::Mul,
        "/" => Token::Div,
        "%" => Token::Mod,
        "^" => Token::Caret,
        "||" => Token::StringConcat,
        "|" => Token::Pipe,
        "&" => Token::Ampersand,
        "#" => Token::Sharp,
        "~" => Token::Tilde,
        "<<" => Token::ShiftLeft,
        ">>" => Token::ShiftRight,
        "~*" => Token::TildeAsterisk,
        "!~" => Token::ExclamationMarkTilde,
        "!~*" => Token::ExclamationMarkTildeAsterisk,
        "~~" => Token::DoubleTilde,
        "~~*" => Token::DoubleTildeAsterisk,
        "!~~" => Token::ExclamationMarkDoubleTilde,
        "!~~*" => Token::ExclamationMarkDoubleTildeAsterisk,
        "&&" => Token::Overlap,
        "!!" => Token::DoubleExclamationMark,
        "@" => Token::AtSign,
        "^@" => Token::CaretAt,
        "|/" => Token::PGSquareRoot,
        "||/" => Token::PGCubeRoot,
        "->" => Token::Arrow,
        "->>" => Token::LongArrow,
        "#>" => Token::HashArrow,
        "#>>" => Token::HashLongArrow,
        "@>" => Token::AtArrow,
        "<@" => Token::ArrowAt,
        "#-" => Token::HashMinus,
        "@?" => Token::AtQuestion,
        "@@" => Token::AtAt,
        "?" => Token::Question,
        "?&" => Token::QuestionAnd,
        "?|" => Token::QuestionPipe,
        "@-@" => Token::AtDashAt,
        "?-" => Token::QuestionMarkDash,
        "##" => Token::DoubleSharp,
        "&<" => Token::AmpersandLeftAngleBracket,
        "&>" => Token::AmpersandRightAngleBracket,
        "&<|" => Token::AmpersandLeftAngleBracketVerticalBar,
        "|&>" => Token::VerticalBarAmpersandRightAngleBracket,
        "<->" => Token::TwoWayArrow,
        "<^" => Token::LeftAngleBracketCaret,
        ">^" => Token::RightAngleBracketCaret,
        "?#" => Token::QuestionMarkSharp,
        "?-|" => Token::QuestionMarkDashVerticalBar,
        "?||" => Token::QuestionMarkDoubleVerticalBar,
        "~=" => Token::TildeEqual,
        "<<|" => Token::ShiftLeftVerticalBar,
        "|>>" => Token::VerticalBarShiftRight,
        other => Token::CustomBinaryOperator(other.to_owned()),
    }
}
