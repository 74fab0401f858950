//! Statements that differ in plain literals alone share one decision: a dashboard's look-ups by key are each a new text, and
//! deciding each anew would cost more than running it.
//!
//! The shape of a text is the text with its plain literals taken out. A shape is learnt by deciding it once more with
//! stand-ins for the literals: where the stand-ins come out again is where a literal goes. That is sound because such a
//! decision is *blind*: it did not look at a literal's value ([`PermitBody::blind`]); and it is checked, since the template
//! filled with the first text's own literals must be the first decision's SQL to the letter. Anything that this module does
//! not recognise as a plain literal stays in the shape, and a text with anything doubtful in it has none.

use std::sync::Arc;

use crate::sql::plain_literals;

use super::cache::{Decided, DecidedText};
use super::decide::{Decision, Plan};
use super::permit::{Permit, PermitBody, PermitKind};

/// Longer texts are looked up and decided as they are.
const MAX_TEXT: usize = 4096;
/// More literals than this are not worth a template.
const MAX_LITERALS: usize = 64;
/// An integer of so many digits is an int4 for Postgres whatever its value; longer ones may be of another type.
const MAX_DIGITS: usize = 9;

/// What stands in a shape for a literal. None of them can be part of a statement that has a shape.
const INTEGER: char = '\u{1}';
const STRING: char = '\u{2}';

/// A text without its literals, and the literals.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shape<'a> {
    /// The text with one character for each literal.
    pub key: String,
    /// The literals as they stand in the text, quotes included.
    pub literals: Vec<&'a str>,
}

/// The shape of a text; `None` when it has no plain literal, or something in it that needs a real lexer.
pub fn shape(text: &str) -> Option<Shape<'_>> {
    if text.len() > MAX_TEXT {
        return None;
    }
    let bytes = text.as_bytes();
    let mut key = String::with_capacity(text.len());
    let mut literals = Vec::new();
    let mut at = 0;
    let mut copied = 0;
    while let Some(&byte) = bytes.get(at) {
        let start = at;
        match byte {
            b'\'' => {
                at = end_of_string(bytes, at)?;
                take(text, &mut key, &mut literals, STRING, (copied, start, at))?;
                copied = at;
            }
            b'"' => at = end_of_name(bytes, at)?,
            b'0'..=b'9' => {
                at = end_of_digits(bytes, at)?;
                // Some places write `007` as 7.
                let plain = byte != b'0' || at - start == 1;
                if plain && at - start <= MAX_DIGITS {
                    take(text, &mut key, &mut literals, INTEGER, (copied, start, at))?;
                    copied = at;
                }
            }
            b'a'..=b'z' | b'A'..=b'Z' | b'_' | 0x80.. => {
                at = end_of_word(bytes, at);
                // E'', B'', X'', N'', U&'' are not plain.
                if matches!(bytes.get(at), Some(b'\'' | b'&')) {
                    return None;
                }
            }
            // A parameter is part of the shape; a dollar quote needs a real lexer.
            b'$' => {
                at = end_of_word(bytes, at + 1);
                if at == start + 1 || bytes.get(at) == Some(&b'$') || !bytes.get(start + 1)?.is_ascii_digit() {
                    return None;
                }
            }
            b'-' if bytes.get(at + 1) == Some(&b'-') => return None,
            b'/' if bytes.get(at + 1) == Some(&b'*') => return None,
            b'\\' | 0..=8 | 11 | 14..=31 | 127 => return None,
            // `.5`, `1.5`: the dot is taken with its digits, which stay in the shape.
            b'.' if bytes.get(at + 1).is_some_and(u8::is_ascii_digit) => return None,
            _ => at += 1,
        }
    }
    key.push_str(text.get(copied..)?);
    (!literals.is_empty()).then_some(Shape { key, literals })
}

fn take<'a>(
    text: &'a str,
    key: &mut String,
    literals: &mut Vec<&'a str>,
    kind: char,
    (copied, start, end): (usize, usize, usize),
) -> Option<()> {
    key.push_str(text.get(copied..start)?);
    key.push(kind);
    literals.push(text.get(start..end)?);
    (literals.len() <= MAX_LITERALS).then_some(())
}

/// Behind the closing quote; `None` for a backslash, no end, or another string right behind (`'a' 'b'`, `'a'x`).
fn end_of_string(bytes: &[u8], start: usize) -> Option<usize> {
    let mut at = start + 1;
    loop {
        match *bytes.get(at)? {
            b'\\' | 0 => return None,
            b'\'' if bytes.get(at + 1) == Some(&b'\'') => at += 2,
            b'\'' => break,
            _ => at += 1,
        }
    }
    let next = bytes.get(at + 1..)?.iter().find(|b| !b.is_ascii_whitespace());
    // A literal goes on when another one follows on a new line.
    if next == Some(&b'\'') || bytes.get(at + 1).is_some_and(|b| is_word(*b)) {
        return None;
    }
    Some(at + 1)
}

/// Behind the quote that ends a name, or the half of it before a doubled one.
fn end_of_name(bytes: &[u8], start: usize) -> Option<usize> {
    let rest = bytes.get(start + 1..)?;
    let length = rest.iter().position(|b| *b == b'"')?;
    let plain = rest.get(..length)?.iter().all(|b| *b >= b' ');
    plain.then_some(start + length + 2)
}

/// Behind the digits; `None` when they are part of something else (`1e5`, `0x1f`, `1_000`, `1.5`).
fn end_of_digits(bytes: &[u8], start: usize) -> Option<usize> {
    let digits = bytes.get(start..)?.iter().take_while(|b| b.is_ascii_digit()).count();
    let end = start + digits;
    match bytes.get(end) {
        Some(b'.') => None,
        Some(b) if is_word(*b) => None,
        _ => Some(end),
    }
}

fn end_of_word(bytes: &[u8], start: usize) -> usize {
    start + bytes.get(start..).unwrap_or_default().iter().take_while(|b| is_word(**b)).count()
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'$' || byte >= 0x80
}

/// A text of the shape in which each literal is one of its own, and those literals.
pub fn stand_ins(shape: &Shape<'_>) -> (String, Vec<String>) {
    let mut text = String::with_capacity(shape.key.len() + 24 * shape.literals.len());
    let mut all = Vec::with_capacity(shape.literals.len());
    for c in shape.key.chars() {
        let stand_in = match c {
            INTEGER => format!("{}", 918_273_000 + all.len()),
            STRING => format!("'pgveil stand-in {:03}'", all.len()),
            other => {
                text.push(other);
                continue;
            }
        };
        text.push_str(&stand_in);
        all.push(stand_in);
    }
    (text, all)
}

/// The SQL of a shape's decision, with places for the literals.
#[derive(Debug)]
pub struct Template {
    pieces: Box<[Piece]>,
    permit: Arc<Permit>,
    /// How many bytes of a text precede its statement, and how many follow it: white space and a semicolon.
    around: (usize, usize),
}

#[derive(Debug)]
enum Piece {
    Text(Box<str>),
    Literal(usize),
}

impl Template {
    /// Whether the decision on a text may be the first of two that make a template.
    pub fn may_begin_with(decided: &[Decided]) -> bool {
        template_of(decided).is_some()
    }

    /// From the decision on a text, and the decision on its shape with stand-ins. `None` when the two say anything different,
    /// or when either looked at a value.
    pub fn learn(
        text: &str,
        shape: &Shape<'_>,
        first: &[Decided],
        stand_ins: &[String],
        second: &[Decided],
    ) -> Option<Self> {
        let (decided, permit) = template_of(first)?;
        let (_, other) = template_of(second)?;
        // A constant of a filter or a mask that looks like a stand-in would be taken for the client's literal.
        if stand_ins.iter().any(|stand_in| permit.sql.contains(stand_in.as_str())) {
            return None;
        }
        // That includes the redacted SQL: what is left of both when the literals are taken out.
        if permit.terms != other.terms {
            return None;
        }
        let before = text.find(&*decided.text)?;
        let after = text.len().checked_sub(before + decided.text.len())?;
        let pieces = cut(&other.sql, stand_ins)?.into();
        let template = Self { pieces, permit: Arc::clone(permit), around: (before, after) };
        (template.fill(&shape.literals)? == *permit.sql).then_some(template)
    }

    /// The decision on a text of this shape.
    pub fn decided(&self, text: &str, shape: &Shape<'_>) -> Option<DecidedText> {
        let (before, after) = self.around;
        let own = Arc::from(text.get(before..text.len().checked_sub(after)?)?);
        let offset = text.get(..before)?.chars().count();
        let sql = Arc::from(self.fill(&shape.literals)?);
        let permit = Arc::new(Permit::seal(PermitBody { sql, terms: Arc::clone(&self.permit.terms) }));
        Some(Arc::new([Decided::of_permit(own, offset, permit)]))
    }

    /// About how many bytes it takes.
    pub fn size(&self) -> usize {
        self.permit.sql.len() * 2 + self.pieces.len() * size_of::<Piece>() + 1_024
    }

    fn fill(&self, literals: &[&str]) -> Option<String> {
        let literals_length: usize = literals.iter().map(|literal| literal.len()).sum();
        let mut sql = String::with_capacity(self.permit.sql.len() + literals_length);
        for piece in &self.pieces {
            match piece {
                Piece::Text(text) => sql.push_str(text),
                Piece::Literal(n) => sql.push_str(literals.get(*n)?),
            }
        }
        Some(sql)
    }
}

/// One query, allowed without a look at its literals' values or at the session.
fn template_of(decided: &[Decided]) -> Option<(&Decided, &Arc<Permit>)> {
    match decided {
        [one] => match &one.decision {
            Decision::Allow(Plan::Upstream(permit))
                if permit.blind && permit.cacheable && permit.kind == PermitKind::Query =>
            {
                Some((one, permit))
            }
            _ => None,
        },
        _ => None,
    }
}

/// Takes the stand-ins out of the SQL. `None` unless each of them is there, and nowhere but as a literal of its own.
fn cut(sql: &str, stand_ins: &[String]) -> Option<Vec<Piece>> {
    let mut pieces = Vec::new();
    let mut places = vec![0_usize; stand_ins.len()];
    let mut end = 0;
    for literal in plain_literals(sql)? {
        let written = sql.get(literal.clone())?;
        let Some(n) = stand_ins.iter().position(|stand_in| stand_in == written) else { continue };
        pieces.push(Piece::Text(sql.get(end..literal.start)?.into()));
        pieces.push(Piece::Literal(n));
        *places.get_mut(n)? += 1;
        end = literal.end;
    }
    pieces.push(Piece::Text(sql.get(end..)?.into()));
    let whole =
        |(places, stand_in): (&usize, &String)| *places > 0 && sql.matches(stand_in.as_str()).count() == *places;
    places.iter().zip(stand_ins).all(whole).then_some(pieces)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(text: &str) -> Option<(String, Vec<&str>)> {
        shape(text).map(|s| (s.key.replace(INTEGER, "#").replace(STRING, "§"), s.literals))
    }

    #[test]
    fn plain_literals_leave_the_shape() {
        let (k, literals) =
            key("SELECT a1, \"b 2\" FROM t WHERE x = 12 AND y IN ('a', 'it''s') AND z = $3 LIMIT 5").unwrap();
        assert_eq!(k, "SELECT a1, \"b 2\" FROM t WHERE x = # AND y IN (§, §) AND z = $3 LIMIT #");
        assert_eq!(literals, ["12", "'a'", "'it''s'", "5"]);
        assert_eq!(key("SELECT x-1,-2,(3)").unwrap().0, "SELECT x-#,-#,(#)");
    }

    #[test]
    fn what_is_not_plain_has_no_shape() {
        for text in [
            "SELECT 1.5",
            "SELECT .5",
            "SELECT 1e5",
            "SELECT 0x1F",
            "SELECT 1_000",
            "SELECT E'a'",
            "SELECT U&'a'",
            "SELECT 'a\\'",
            "SELECT 'a' 'b'",
            "SELECT 'a'\n'b'",
            "SELECT 'a",
            "SELECT $$a$$",
            "SELECT $x$a$x$",
            "SELECT 1 -- 2",
            "SELECT 1 /* 2 */",
            "SELECT \u{1}",
            "SELECT \"\u{1}\", 1",
            "SELECT 1 \u{2}",
            "SELECT a",
        ] {
            assert_eq!(key(text), None, "{text}");
        }
        assert_eq!(key("SELECT 1, 12345678901").unwrap().1, ["1"], "an integer that may be an int8 stays");
        assert_eq!(key("SELECT 0, 007").unwrap().1, ["0"]);
    }

    #[test]
    fn stand_ins_make_a_text_of_the_same_shape() {
        let text = "SELECT a FROM t WHERE x = 12 AND y = 'b' OR z = '' LIMIT 7";
        let first = shape(text).unwrap();
        let (other, literals) = stand_ins(&first);
        let second = shape(&other).unwrap();
        assert_eq!(second.key, first.key);
        assert_eq!(second.literals, literals);
        assert_eq!(literals.iter().collect::<std::collections::BTreeSet<_>>().len(), 4);
    }
}
