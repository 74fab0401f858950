//! Leaves: literals, operators, types, collations.

use crate::govern::{operators, types};
use crate::sql::ast::{BinaryOperator, DataType, Expr, ObjectName, UnaryOperator, Value};
use crate::sql::{ident, render_type};

use super::Walker;
use super::columns::identifiers;
use super::refuse::{Walked, construct, foreign, refused};

impl Walker<'_> {
    /// Checks a type and writes its full name.
    pub(super) fn data_type(&mut self, data_type: &mut DataType) -> Walked {
        *data_type = types::qualify(data_type, self.input.snapshot, self.input.warehouse).map_err(refused)?;
        // The number in `varchar(10)` is no literal of a value: the parser reads it, and may write it in another way.
        let written = render_type(data_type);
        let modified = written.as_bytes().windows(2).any(|pair| matches!(pair, [b'(' | b'[', b'0'..=b'9']));
        self.needs.literal_values |= modified;
        Ok(())
    }

    pub(super) fn unary_operator(&self, operator: UnaryOperator) -> Walked {
        let text = match operator {
            UnaryOperator::Not => return Ok(()),
            UnaryOperator::Plus => "+",
            UnaryOperator::Minus => "-",
            UnaryOperator::BitwiseNot => "~",
            UnaryOperator::PGAbs => "@",
            UnaryOperator::PGSquareRoot => "|/",
            UnaryOperator::PGCubeRoot => "||/",
            UnaryOperator::AtDashAt => "@-@",
            UnaryOperator::DoubleAt => "@@",
            UnaryOperator::Hash => "#",
            UnaryOperator::QuestionDash => "?-",
            UnaryOperator::QuestionPipe => "?|",
            UnaryOperator::PGPrefixFactorial => "!!",
            UnaryOperator::BangNot | UnaryOperator::PGPostfixFactorial => {
                return Err(construct("!", "Use NOT or factorial()."));
            }
        };
        self.operator(None, text)
    }

    pub(super) fn binary_operator(&mut self, operator: &BinaryOperator) -> Walked {
        if matches!(
            operator,
            BinaryOperator::LtDashGt | BinaryOperator::Custom(_) | BinaryOperator::PGCustomBinaryOperator(_)
        ) {
            // ORDER BY a distance may be evaluated inside of an index, before any condition.
            self.fences.keep_all("an index may evaluate an operator of distance on every row");
        }
        let text = match operator {
            BinaryOperator::And | BinaryOperator::Or | BinaryOperator::Overlaps => return Ok(()),
            BinaryOperator::PGCustomBinaryOperator(parts) => {
                return match parts.as_slice() {
                    [operator] => self.operator(None, operator),
                    [schema, operator] => self.operator(Some(&crate::names::fold_identifier(schema, false)), operator),
                    _ => Err(construct("an operator name of more than two parts", "Write OPERATOR(pg_catalog.=).")),
                };
            }
            BinaryOperator::Custom(text) => text.as_str(),
            BinaryOperator::Plus => "+",
            BinaryOperator::Minus => "-",
            BinaryOperator::Multiply => "*",
            BinaryOperator::Divide => "/",
            BinaryOperator::Modulo => "%",
            BinaryOperator::StringConcat => "||",
            BinaryOperator::Gt => ">",
            BinaryOperator::Lt => "<",
            BinaryOperator::GtEq => ">=",
            BinaryOperator::LtEq => "<=",
            BinaryOperator::Eq => "=",
            BinaryOperator::NotEq => "<>",
            BinaryOperator::BitwiseOr => "|",
            BinaryOperator::BitwiseAnd => "&",
            BinaryOperator::PGBitwiseXor => "#",
            BinaryOperator::PGBitwiseShiftLeft => "<<",
            BinaryOperator::PGBitwiseShiftRight => ">>",
            // PostgreSQL's power operator, which the parser takes for another dialect's.
            BinaryOperator::BitwiseXor | BinaryOperator::PGExp => "^",
            BinaryOperator::PGOverlap => "&&",
            BinaryOperator::PGRegexMatch => "~",
            BinaryOperator::PGRegexIMatch => "~*",
            BinaryOperator::PGRegexNotMatch => "!~",
            BinaryOperator::PGRegexNotIMatch => "!~*",
            BinaryOperator::PGLikeMatch => "~~",
            BinaryOperator::PGILikeMatch => "~~*",
            BinaryOperator::PGNotLikeMatch => "!~~",
            BinaryOperator::PGNotILikeMatch => "!~~*",
            BinaryOperator::PGStartsWith => "^@",
            BinaryOperator::Arrow => "->",
            BinaryOperator::LongArrow => "->>",
            BinaryOperator::HashArrow => "#>",
            BinaryOperator::HashLongArrow => "#>>",
            BinaryOperator::AtAt => "@@",
            BinaryOperator::AtArrow => "@>",
            BinaryOperator::ArrowAt => "<@",
            BinaryOperator::HashMinus => "#-",
            BinaryOperator::AtQuestion => "@?",
            BinaryOperator::Question => "?",
            BinaryOperator::QuestionAnd => "?&",
            BinaryOperator::QuestionPipe => "?|",
            BinaryOperator::DoubleHash => "##",
            BinaryOperator::LtDashGt => "<->",
            BinaryOperator::AndLt => "&<",
            BinaryOperator::AndGt => "&>",
            BinaryOperator::LtLtPipe => "<<|",
            BinaryOperator::PipeGtGt => "|>>",
            BinaryOperator::AndLtPipe => "&<|",
            BinaryOperator::PipeAndGt => "|&>",
            BinaryOperator::LtCaret => "<^",
            BinaryOperator::GtCaret => ">^",
            BinaryOperator::QuestionHash => "?#",
            BinaryOperator::QuestionDash => "?-",
            BinaryOperator::QuestionDashPipe => "?-|",
            BinaryOperator::QuestionDoublePipe => "?||",
            BinaryOperator::At => "@",
            BinaryOperator::TildeEq => "~=",
            BinaryOperator::Xor => return Err(construct("XOR", "Use <> between booleans, # between integers.")),
            BinaryOperator::Spaceship => return Err(construct("<=>", "Use IS NOT DISTINCT FROM.")),
            BinaryOperator::DuckIntegerDivide | BinaryOperator::MyIntegerDivide => {
                return Err(construct("an operator for whole division", "Use div(a, b)."));
            }
            BinaryOperator::Match | BinaryOperator::Regexp | BinaryOperator::Glob => {
                return Err(construct("MATCH, REGEXP or GLOB", "Use ~ or LIKE."));
            }
            BinaryOperator::Assignment => return Err(foreign(":=")),
        };
        self.operator(None, text)
    }

    fn operator(&self, schema: Option<&str>, operator: &str) -> Walked {
        operators::check(schema, operator, self.input.snapshot.warehouse_rules(self.input.warehouse)).map_err(refused)
    }
}

/// PostgreSQL's own kinds of literal.
pub(super) fn literal(value: &Value) -> Walked {
    match value {
        Value::Number(_, long) => {
            if *long {
                return Err(foreign("a number with the suffix L"));
            }
            Ok(())
        }
        Value::SingleQuotedString(_)
        | Value::DollarQuotedString(_)
        | Value::EscapedStringLiteral(_)
        | Value::UnicodeStringLiteral(_)
        | Value::SingleQuotedByteStringLiteral(_)
        | Value::NationalStringLiteral(_)
        | Value::HexStringLiteral(_)
        | Value::Boolean(_)
        | Value::Null => Ok(()),
        Value::Placeholder(name) => {
            let number = name.strip_prefix('$').map(str::as_bytes).unwrap_or_default();
            let plain = !number.is_empty() && number.iter().all(u8::is_ascii_digit);
            if plain { Ok(()) } else { Err(construct("a placeholder of this form", "Use $1, $2, …")) }
        }
        Value::TripleSingleQuotedString(_)
        | Value::TripleDoubleQuotedString(_)
        | Value::DoubleQuotedByteStringLiteral(_)
        | Value::TripleSingleQuotedByteStringLiteral(_)
        | Value::TripleDoubleQuotedByteStringLiteral(_)
        | Value::SingleQuotedRawStringLiteral(_)
        | Value::DoubleQuotedRawStringLiteral(_)
        | Value::TripleSingleQuotedRawStringLiteral(_)
        | Value::TripleDoubleQuotedRawStringLiteral(_)
        | Value::QuoteDelimitedStringLiteral(_)
        | Value::NationalQuoteDelimitedStringLiteral(_)
        | Value::DoubleQuotedString(_) => Err(foreign("a literal of this form")),
    }
}

/// Text search configurations of every installation; each but `simple` has a dictionary of its name and `_stem`.
const LANGUAGES: [&str; 29] = [
    "arabic",
    "armenian",
    "basque",
    "catalan",
    "danish",
    "dutch",
    "english",
    "finnish",
    "french",
    "german",
    "greek",
    "hindi",
    "hungarian",
    "indonesian",
    "irish",
    "italian",
    "lithuanian",
    "nepali",
    "norwegian",
    "portuguese",
    "romanian",
    "russian",
    "serbian",
    "simple",
    "spanish",
    "swedish",
    "tamil",
    "turkish",
    "yiddish",
];

/// The type of `'english'::regconfig` and its like, written in full: a constant that names what every installation has asks
/// nothing of the warehouse. `None`: it is no such cast.
pub(super) fn built_in_name(expr: &Expr, data_type: &DataType) -> Option<DataType> {
    let DataType::Custom(name, modifiers) = data_type else { return None };
    let parts = identifiers(name).ok().filter(|_| modifiers.is_empty())?;
    let own = match parts.as_slice() {
        [own] => ident(own),
        [schema, own] if ident(schema) == "pg_catalog" => ident(own),
        _ => return None,
    };
    let mut inner = expr;
    while let Expr::Nested(next) = inner {
        inner = next;
    }
    let Expr::Value(value) = inner else { return None };
    let text = crate::sql::literal_text(&value.value)?;
    let wanted = text.strip_prefix("pg_catalog.").unwrap_or(&text);
    let known = match own.as_str() {
        "regconfig" => LANGUAGES.contains(&wanted),
        "regdictionary" => {
            wanted == "simple" || wanted.strip_suffix("_stem").is_some_and(|l| l != "simple" && LANGUAGES.contains(&l))
        }
        _ => false,
    };
    let parts = vec![crate::sql::exact("pg_catalog"), crate::sql::exact(&own)];
    known.then(|| DataType::Custom(ObjectName::from(parts), Vec::new()))
}

/// Collations of pg_catalog that every installation has: those of the C library and of ICU.
pub(super) fn collation(name: &ObjectName) -> Walked {
    let parts = identifiers(name)?;
    let own = match parts.as_slice() {
        [own] => Some(ident(own)),
        [schema, own] if ident(schema) == "pg_catalog" => Some(ident(own)),
        _ => None,
    };
    let known = own.is_some_and(|own| {
        matches!(own.as_str(), "C" | "POSIX" | "default" | "ucs_basic" | "unicode" | "C.UTF-8" | "C.utf8")
            || own.ends_with("-x-icu")
            || is_locale(&own)
    });
    if known {
        Ok(())
    } else {
        let hint = "Use one of pg_catalog's own: \"C\", \"default\", \"en-x-icu\" and the like.";
        Err(construct(&format!("collation {}", super::relations::dotted(&parts)), hint))
    }
}

/// `de_DE`, `en_US.utf8`, `sr_RS@latin`: collations of pg_catalog that initdb makes.
fn is_locale(name: &str) -> bool {
    let (territory, rest) = name.split_at_checked(5).unwrap_or((name, ""));
    let bytes = territory.as_bytes();
    let named = matches!(bytes, [a, b, b'_', c, d]
        if a.is_ascii_lowercase() && b.is_ascii_lowercase() && c.is_ascii_uppercase() && d.is_ascii_uppercase());
    named && (rest.is_empty() || rest.starts_with('.') || rest.starts_with('@'))
}
