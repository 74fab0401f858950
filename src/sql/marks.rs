//! Clauses that Postgres writes behind a parenthesis, or at its end, where sqlparser's tree has no place for them. In the tree
//! each is one marked name in the nearest place that holds a name; [`placed`] puts it where it belongs when a tree is printed.
//!
//! | written | in the tree |
//! | --- | --- |
//! | `OVER (w … EXCLUDE TIES)` | the name of the window that it refines: the mark, then `w` |
//! | `JOIN … USING (a) AS j` | one more name in the list of USING |
//! | `WITH t AS (…) SEARCH … CYCLE …` | `Cte::from` |
//!
//! A mark begins and ends with a control character that no name of a client's text holds outside of quotes, and what is
//! between is written here, word by word, with every name and text in quotes.

use std::collections::BTreeMap;

use sqlparser::ast::Ident;
use sqlparser::tokenizer::Token;

use crate::names::{fold_identifier, quote_identifier, quote_literal};

use super::lex::{Kind, Lexeme};
use super::spelling::form;
use super::xml;

const MARK: char = '\u{1}';

/// Where a clause goes.
const AT_END: char = 'e';
const BEHIND: char = 'b';
const HERE: char = 'h';

/// What is handed on in the place of the lexeme at an index, and where to go on.
pub(super) type Moves = BTreeMap<usize, (Vec<Token>, usize)>;

fn mark(place: char, clause: &str) -> String {
    format!("{MARK}{place}{clause}{MARK}")
}

/// What stands between the marks of a name, and what follows them.
fn clause_of(ident: &Ident, place: char) -> Option<&str> {
    let inside = ident.value.strip_prefix(MARK)?.strip_prefix(place)?;
    ident.quote_style.is_none().then(|| inside.strip_suffix(MARK))?
}

/// The alias of `USING (…) AS j`, when a name of the list is one.
pub fn using_alias(ident: &Ident) -> Option<String> {
    let quoted = clause_of(ident, BEHIND)?.strip_prefix("AS \"")?.strip_suffix('"')?;
    Some(quoted.replace("\"\"", "\""))
}

/// The columns that SEARCH and CYCLE add to a WITH query.
pub fn added_columns(ident: &Ident) -> Option<Vec<String>> {
    let mut names = Vec::new();
    let (lexemes, _) = super::lex::lex_as_far_as_possible(clause_of(ident, HERE)?);
    for pair in lexemes.windows(2) {
        if let [word, name] = pair
            && (word.is_word("set") || word.is_word("using"))
            && let Kind::Quoted(name) = &name.kind
        {
            names.push(name.clone());
        }
    }
    Some(names)
}

/// Finds the clauses of a text that have to be moved.
pub(super) fn moves(lexemes: &[Lexeme]) -> Moves {
    let mut moves = Moves::new();
    let mut open = Vec::new();
    for (at, lexeme) in lexemes.iter().enumerate() {
        match &lexeme.kind {
            Kind::Sign("(") => open.push(at),
            Kind::Sign(")") => {
                let from = open.pop();
                using(lexemes, from, at, &mut moves);
                search_and_cycle(lexemes, at, &mut moves);
            }
            Kind::Word(_) if lexeme.is_word("exclude") => {
                if let Some(from) = open.last() {
                    exclude(lexemes, *from, at, &mut moves);
                }
            }
            Kind::Word(_) => xml::moves(lexemes, open.last().copied(), at, &mut moves),
            _ => {}
        }
    }
    moves
}

/// `(… EXCLUDE CURRENT ROW | GROUP | TIES | NO OTHERS)`: `open` is the parenthesis, `at` the word.
fn exclude(lexemes: &[Lexeme], open: usize, at: usize, moves: &mut Moves) {
    let is = |ahead: usize, word: &str| lexemes.get(at + ahead).is_some_and(|l| l.is_word(word));
    let (clause, length) = if is(1, "current") && is(2, "row") {
        ("EXCLUDE CURRENT ROW", 3)
    } else if is(1, "no") && is(2, "others") {
        ("EXCLUDE NO OTHERS", 3)
    } else if is(1, "group") {
        ("EXCLUDE GROUP", 2)
    } else if is(1, "ties") {
        ("EXCLUDE TIES", 2)
    } else {
        return;
    };
    let close = at + length;
    let frame = lexemes.get(open..at).unwrap_or_default();
    let framed = frame.iter().any(|l| ["rows", "range", "groups"].iter().any(|unit| l.is_word(unit)));
    if !framed || !lexemes.get(close).is_some_and(|l| l.is_sign(")")) {
        return;
    }
    let mut name = mark(AT_END, clause);
    let mut next = open + 1;
    match lexemes.get(next).map(|l| &l.kind) {
        Some(Kind::Quoted(own)) => name.push_str(&quote_identifier(own)),
        Some(Kind::Word(own)) if !begins_window(own) => name.push_str(&quote_identifier(&fold_identifier(own, false))),
        _ => next = open,
    }
    let next = if next == open { open + 1 } else { next + 1 };
    moves.insert(open, (vec![Token::LParen, form(&name)], next));
    moves.insert(at, (Vec::new(), close));
}

/// Whether a word begins a part of a window and is not the name of another.
fn begins_window(word: &str) -> bool {
    ["partition", "order", "range", "rows", "groups"].iter().any(|part| word.eq_ignore_ascii_case(part))
}

/// `USING (a, b) AS j`.
fn using(lexemes: &[Lexeme], open: Option<usize>, close: usize, moves: &mut Moves) {
    let before = open.and_then(|open| open.checked_sub(1)).and_then(|before| lexemes.get(before));
    if !before.is_some_and(|before| before.is_word("using")) || !lexemes.get(close + 1).is_some_and(|l| l.is_word("as"))
    {
        return;
    }
    if let Some(name) = lexemes.get(close + 2).and_then(name) {
        let alias = form(&mark(BEHIND, &format!("AS {name}")));
        moves.insert(close, (vec![Token::Comma, alias, Token::RParen], close + 3));
    }
}

/// A name as Postgres reads it, in quotes.
pub(super) fn name(lexeme: &Lexeme) -> Option<String> {
    let exact = match &lexeme.kind {
        Kind::Quoted(name) => fold_identifier(name, true),
        Kind::Word(word) => fold_identifier(word, false),
        _ => return None,
    };
    (!exact.contains(MARK)).then(|| format!("\"{}\"", exact.replace('"', "\"\"")))
}

/// The clauses behind a WITH query, `close` being its parenthesis.
fn search_and_cycle(lexemes: &[Lexeme], close: usize, moves: &mut Moves) {
    let mut reader = Reader { lexemes, at: close + 1 };
    let mut clauses = Vec::new();
    clauses.extend(reader.optional(Reader::search));
    clauses.extend(reader.optional(Reader::cycle));
    if !clauses.is_empty() {
        let mark = form(&mark(HERE, &clauses.join(" ")));
        moves.insert(close + 1, (vec![Token::make_word("FROM", None), mark], reader.at));
    }
}

struct Reader<'a> {
    lexemes: &'a [Lexeme],
    at: usize,
}

impl Reader<'_> {
    /// Reads a clause, or stays where it is.
    fn optional(&mut self, read: impl FnOnce(&mut Self) -> Option<String>) -> Option<String> {
        let start = self.at;
        let clause = read(self);
        if clause.is_none() {
            self.at = start;
        }
        clause
    }
    fn word(&mut self, word: &str) -> Option<()> {
        self.lexemes.get(self.at).filter(|l| l.is_word(word))?;
        self.at += 1;
        Some(())
    }
    fn name(&mut self) -> Option<String> {
        let name = self.lexemes.get(self.at).and_then(name)?;
        self.at += 1;
        Some(name)
    }
    fn names(&mut self) -> Option<String> {
        let mut names = vec![self.name()?];
        while self.lexemes.get(self.at).is_some_and(|l| l.is_sign(",")) {
            self.at += 1;
            names.push(self.name()?);
        }
        Some(names.join(", "))
    }
    /// A constant without a type.
    fn constant(&mut self) -> Option<String> {
        let constant = match &self.lexemes.get(self.at)?.kind {
            Kind::Text(text) if !text.contains(MARK) => quote_literal(text),
            Kind::Number(number) => number.clone(),
            Kind::Word(word) if word.eq_ignore_ascii_case("true") => "true".to_owned(),
            Kind::Word(word) if word.eq_ignore_ascii_case("false") => "false".to_owned(),
            _ => return None,
        };
        self.at += 1;
        Some(constant)
    }

    /// `SEARCH DEPTH | BREADTH FIRST BY a, b SET c`
    fn search(&mut self) -> Option<String> {
        self.word("search")?;
        let order = if self.word("depth").is_some() {
            "DEPTH"
        } else {
            self.word("breadth")?;
            "BREADTH"
        };
        self.word("first")?;
        self.word("by")?;
        let by = self.names()?;
        self.word("set")?;
        Some(format!("SEARCH {order} FIRST BY {by} SET {}", self.name()?))
    }

    /// `CYCLE a, b SET c [TO x DEFAULT y] USING d`
    fn cycle(&mut self) -> Option<String> {
        self.word("cycle")?;
        let columns = self.names()?;
        self.word("set")?;
        let set = self.name()?;
        let mut values = String::new();
        if self.word("to").is_some() {
            let value = self.constant()?;
            self.word("default")?;
            values = format!(" TO {value} DEFAULT {}", self.constant()?);
        }
        self.word("using")?;
        Some(format!("CYCLE {columns} SET {set}{values} USING {}", self.name()?))
    }
}

/// A print with each marked clause in its place.
pub(super) fn placed(print: String) -> String {
    if !print.contains(MARK) {
        return print;
    }
    let mut out = String::with_capacity(print.len());
    // For each open parenthesis: what goes before its end, and what behind it.
    let mut levels: Vec<(String, String)> = Vec::new();
    let mut rest = print.as_str();
    while let Some(at) = rest.find(['\'', '"', '(', ')', MARK]) {
        let Some((before, tail)) = rest.split_at_checked(at) else { break };
        out.push_str(before);
        let mut chars = tail.chars();
        let sign = chars.next();
        rest = chars.as_str();
        match sign {
            Some(quote @ ('\'' | '"')) => {
                // A doubled quote ends one run and begins the next.
                let end = rest.find(quote).map_or(rest.len(), |end| end + 1);
                let (quoted, behind) = rest.split_at_checked(end).unwrap_or((rest, ""));
                out.push(quote);
                out.push_str(quoted);
                rest = behind;
            }
            Some('(') => {
                levels.push((String::new(), String::new()));
                out.push('(');
            }
            Some(')') => {
                let (at_end, behind) = levels.pop().unwrap_or_default();
                out.push_str(&at_end);
                out.push(')');
                out.push_str(&behind);
            }
            _ => rest = take_mark(rest, &mut out, &mut levels),
        }
    }
    out.push_str(rest);
    out
}

/// Reads a mark, of which the first sign is read already; gives what follows.
fn take_mark<'a>(rest: &'a str, out: &mut String, levels: &mut [(String, String)]) -> &'a str {
    let (inside, behind) = rest.split_once(MARK).unwrap_or((rest, ""));
    let mut chars = inside.chars();
    let place = chars.next();
    let clause = chars.as_str();
    match (place, levels.last_mut()) {
        (Some(AT_END), Some((at_end, _))) => {
            *at_end = format!(" {clause}");
            behind.strip_prefix(' ').unwrap_or(behind)
        }
        (Some(BEHIND), Some((_, after))) => {
            out.truncate(out.trim_end_matches([',', ' ']).len());
            *after = format!(" {clause}");
            behind
        }
        _ => {
            let kept = out.strip_suffix("FROM ").map_or(out.len(), str::len);
            out.truncate(kept);
            out.push_str(clause);
            behind
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::limits::TextLimits;
    use super::super::{parse, prove, render};

    #[test]
    fn clauses_come_back_where_they_were() {
        for (text, print) in [
            (
                "SELECT sum(a) OVER (ORDER BY b ROWS 1 PRECEDING EXCLUDE TIES), ')' FROM t",
                "SELECT sum(a) OVER (ORDER BY b ROWS 1 PRECEDING EXCLUDE TIES), ')' FROM t",
            ),
            (
                "SELECT sum(a) OVER (W groups BETWEEN (1 + f(2)) PRECEDING AND CURRENT ROW exclude no others) FROM t",
                "SELECT sum(a) OVER (\"w\" GROUPS BETWEEN (1 + f(2)) PRECEDING AND CURRENT ROW EXCLUDE NO OTHERS) FROM t",
            ),
            (
                "SELECT 1 FROM t WINDOW \"W('\" AS (RANGE UNBOUNDED PRECEDING EXCLUDE GROUP)",
                "SELECT 1 FROM t WINDOW \"W('\" AS (RANGE UNBOUNDED PRECEDING EXCLUDE GROUP)",
            ),
            (
                "SELECT sum(a) OVER (\"A\"\"(\" ROWS UNBOUNDED PRECEDING EXCLUDE CURRENT ROW) FROM t",
                "SELECT sum(a) OVER (\"A\"\"(\" ROWS UNBOUNDED PRECEDING EXCLUDE CURRENT ROW) FROM t",
            ),
            ("SELECT * FROM t JOIN u USING (a, b) AS j", "SELECT * FROM t JOIN u USING(a, b) AS \"j\""),
            ("SELECT * FROM (t JOIN u USING (a) AS \"J\"\")\") LEFT JOIN v USING (b) AS k ON true", ""),
            (
                "SELECT * FROM t JOIN u USING (a) AS \"J\"\")\" LEFT JOIN v USING (b) AS k WHERE true",
                "SELECT * FROM t JOIN u USING(a) AS \"J\"\")\" LEFT JOIN v USING(b) AS \"k\" WHERE true",
            ),
            (
                "WITH RECURSIVE t AS (SELECT 1 AS a UNION ALL SELECT a FROM t) SEARCH breadth FIRST BY a, \"B\" SET o CYCLE a SET m TO 'it''s' DEFAULT '(' USING p SELECT * FROM t",
                "WITH RECURSIVE t AS (SELECT 1 AS a UNION ALL SELECT a FROM t) SEARCH BREADTH FIRST BY \"a\", \"B\" SET \"o\" CYCLE \"a\" SET \"m\" TO 'it''s' DEFAULT '(' USING \"p\" SELECT * FROM t",
            ),
            (
                "WITH t AS (SELECT 1), u AS (SELECT 2) CYCLE a SET m USING p SELECT (1) cycle, (2) search FROM t",
                "WITH t AS (SELECT 1), u AS (SELECT 2) CYCLE \"a\" SET \"m\" USING \"p\" SELECT (1) AS cycle, (2) AS search FROM t",
            ),
            ("SELECT exclude, (exclude) FROM t", "SELECT exclude, (exclude) FROM t"),
            (
                "SELECT '\u{1}eEXCLUDE TIES\u{1}' AS \"\u{1}h\u{1}\"",
                "SELECT '\u{1}eEXCLUDE TIES\u{1}' AS \"\u{1}h\u{1}\"",
            ),
        ] {
            let parsed = parse(text, &TextLimits::default());
            if print.is_empty() {
                assert!(parsed.is_err(), "{text}");
                continue;
            }
            let parsed = parsed.unwrap_or_else(|error| panic!("{text}: {error}"));
            assert_eq!(render(&parsed[0].statement), print);
            assert!(prove(&parsed[0].statement, print).is_ok(), "{text}");
        }
    }

    #[test]
    fn a_mark_is_nothing_that_a_client_can_write() {
        for text in [
            "SELECT sum(a) OVER (\u{1}eEXCLUDE TIES\u{1} ROWS 1 PRECEDING) FROM t",
            "SELECT * FROM t JOIN u USING (a, \u{1}bAS j\u{1})",
            "SELECT \u{1}h, (SELECT 1)\u{1} FROM t",
            "WITH t AS (SELECT 1) FROM \u{1}hSEARCH\u{1} SELECT 1",
            "WITH t AS (SELECT 1) FROM u SELECT 1",
            "SELECT * FROM t JOIN u USING (a) AS \"\u{1}h\"",
        ] {
            let sent = parse(text, &TextLimits::default());
            let kept = sent.as_ref().is_ok_and(|parsed| super::super::guard::check(&parsed[0]).is_ok());
            assert!(!kept, "{text}: {sent:?}");
        }
    }
}
