//! From a place in the text that was sent back to the place in the client's own text.
//!
//! The rewritten tree keeps where its names and literals stand in the client's text; what the rewriting has added has no
//! place. Its print, parsed again, is the same tree with places in the print. So the two trees have equal nodes in one order,
//! and each node that has both places is an anchor. A sign between two anchors (an operator, IN, LIKE) is found by counting,
//! if there are as many of its kind in the client's text as in the print. What cannot be told for certain has no origin.
//!
//! This runs for errors alone and may take its time.

use sqlparser::ast::Query;

use super::deep::with_deep_stack;
use super::lex::{Kind, Lexeme, lex_as_far_as_possible};
use super::parse::parse;
use super::proof::RENDERED;
use super::statement::Statement;

/// Longer texts are not worth the search.
const LONGEST: usize = 64 * 1024;
/// A masked relation makes a print much longer than the text.
const LONGEST_PRINT: usize = 512 * 1024;

/// A place in the client's text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// In characters, from 1.
    pub position: usize,
    /// What the client has written there, if it can be called.
    pub named: Option<Named>,
}

/// What stands at an [`Origin`], in the client's own words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Named {
    /// `schema.name` in front of a parenthesis.
    Function(String),
    /// An operator, or the keyword that is one.
    Operator(String),
}

/// Where in the client's text stands what `print` has at `position` (characters, from 1). `rewritten` is the tree that was
/// printed as a part of `print`, with the client's places.
pub fn origin(rewritten: &Query, print: &str, position: usize, client_text: &str) -> Option<Origin> {
    if client_text.len() > LONGEST || print.len() > LONGEST_PRINT {
        return None;
    }
    with_deep_stack(|| {
        let again = parse(print, &RENDERED).ok()?;
        let [one] = again.as_slice() else { return None };
        let printed = query_of(&one.statement)?;
        if printed != rewritten {
            return None;
        }
        let anchors: Vec<(usize, usize)> = places(printed)?
            .into_iter()
            .zip(places(rewritten)?)
            .filter(|(print, own)| *print > 0 && *own > 0)
            .collect();
        let (client, _) = lex_as_far_as_possible(client_text);
        let place = match anchors.iter().find(|(print, _)| *print == position) {
            Some((_, own)) => *own,
            None => between(&anchors, print, position, &client)?,
        };
        let at = client.iter().position(|lexeme| lexeme.position == place)?;
        Some(Origin { position: place, named: named(client.get(at..)?) })
    })
}

fn query_of(statement: &Statement) -> Option<&Query> {
    match statement {
        Statement::Query(query) | Statement::Prepare { query, .. } => Some(query),
        Statement::Explain(explain) => Some(&explain.query),
        Statement::CopyOut(copy) => Some(&copy.query),
        Statement::Declare(declare) => Some(&declare.query),
        Statement::Empty | Statement::Execute { .. } | Statement::Session(_) | Statement::Refused(_) => None,
    }
}

/// The sign at `position` of the print, by counting between the nearest anchors.
fn between(anchors: &[(usize, usize)], print: &str, position: usize, client: &[Lexeme]) -> Option<usize> {
    let before = anchors.iter().filter(|(print, _)| *print < position).max_by_key(|(print, _)| *print);
    let after = anchors.iter().filter(|(print, _)| *print > position).min_by_key(|(print, _)| *print);
    let (print_from, own_from) = before.copied().unwrap_or((0, 0));
    let (print_to, own_to) = after.copied().unwrap_or((usize::MAX, usize::MAX));
    let (printed, _) = lex_as_far_as_possible(print);
    let sign = printed.iter().find(|lexeme| lexeme.position == position)?;
    let within = |lexemes: &[Lexeme], from: usize, to: usize| -> Vec<usize> {
        let of_its_kind = |lexeme: &&Lexeme| from < lexeme.position && lexeme.position < to && alike(lexeme, sign);
        lexemes.iter().filter(of_its_kind).map(|lexeme| lexeme.position).collect()
    };
    let in_print = within(&printed, print_from, print_to);
    let own = within(client, own_from, own_to);
    if in_print.len() != own.len() {
        return None;
    }
    own.get(in_print.iter().position(|place| *place == position)?).copied()
}

fn alike(one: &Lexeme, other: &Lexeme) -> bool {
    match (&one.kind, &other.kind) {
        (Kind::Word(one), Kind::Word(other)) => one.eq_ignore_ascii_case(other),
        (one, other) => one == other,
    }
}

/// What the first of the lexemes is called.
fn named(lexemes: &[Lexeme]) -> Option<Named> {
    let first = lexemes.first()?;
    if let Kind::Operator(operator) = &first.kind {
        return Some(Named::Operator(operator.clone()));
    }
    let mut name = String::new();
    for pair in lexemes.chunks(2) {
        let part = match &pair.first()?.kind {
            Kind::Word(word) => word.to_ascii_lowercase(),
            Kind::Quoted(word) => word.clone(),
            _ => return None,
        };
        name.push_str(&part);
        match pair.get(1) {
            Some(dot) if dot.is_sign(".") => name.push('.'),
            Some(open) if open.is_sign("(") && !first.is_word("in") => return Some(Named::Function(name)),
            _ => break,
        }
    }
    let is_operator = ["in", "not", "like", "ilike", "similar", "between", "overlaps"];
    let keyword = first.word().filter(|word| is_operator.contains(&word.as_str()))?;
    Some(Named::Operator(keyword.to_ascii_uppercase()))
}

/// Where each node of a tree begins, in one order for equal trees; 0: it has no place.
///
/// `Debug` is what shows every field of every node, of kinds too that a later parser brings: `Span(Location(1,8)..…)`. `None`:
/// it does not show places as expected.
fn places(query: &Query) -> Option<Vec<usize>> {
    const SPAN: &str = "Span(Location(";
    let shown = format!("{query:?}");
    let mut places = Vec::new();
    let mut rest = shown.as_str();
    while let Some(at) = outside_of_quotes(rest, SPAN) {
        rest = rest.get(at + SPAN.len()..)?;
        let (line, behind) = rest.split_once(',')?;
        let column = behind.split_once(')')?.0.parse().ok()?;
        // What stands on another line is no part of the text.
        places.push(if line == "1" { column } else { 0 });
    }
    Some(places)
}

/// Where `wanted` begins first, texts and characters as `Debug` writes them left aside.
fn outside_of_quotes(text: &str, wanted: &str) -> Option<usize> {
    let mut quoted = None;
    let mut escaped = false;
    for (at, c) in text.char_indices() {
        match quoted {
            Some(_) if escaped => escaped = false,
            Some(_) if c == '\\' => escaped = true,
            Some(quote) if c == quote => quoted = None,
            Some(_) => {}
            None if c == '"' || c == '\'' => quoted = Some(c),
            None if text.get(at..).is_some_and(|rest| rest.starts_with(wanted)) => return Some(at),
            None => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::super::limits::TextLimits;
    use super::super::render::render_query;
    use super::*;
    use sqlparser::ast::{Expr, Ident, SelectItem, SetExpr};

    fn parsed(text: &str) -> Box<Query> {
        let mut statements = parse(text, &TextLimits::default()).unwrap();
        match std::mem::replace(&mut statements[0].statement, Statement::Empty) {
            Statement::Query(query) => query,
            other => panic!("{other:?}"),
        }
    }
    /// The first output column of a query.
    fn output(query: &mut Query) -> &mut Expr {
        let SetExpr::Select(select) = &mut *query.body else { panic!() };
        match &mut select.projection[0] {
            SelectItem::UnnamedExpr(expr) => expr,
            other => panic!("{other:?}"),
        }
    }
    fn added(name: &str) -> Expr {
        Expr::Identifier(Ident::new(name))
    }
    fn comparison(query: &mut Query) -> (&mut Expr, &mut Expr) {
        match output(query) {
            Expr::BinaryOp { left, right, .. } => (left, right),
            other => panic!("{other:?}"),
        }
    }
    /// Positions of `sign` in a text, from 1.
    fn all_of(sign: char, text: &str) -> Vec<usize> {
        text.chars().enumerate().filter(|(_, c)| *c == sign).map(|(at, _)| at + 1).collect()
    }
    fn found(query: &Query, position: usize, client: &str) -> Option<usize> {
        origin(query, &render_query(query), position, client).map(|origin| origin.position)
    }

    #[test]
    fn a_sign_is_counted_between_what_the_client_has_written() {
        let client = "SELECT   a   =   b";
        let mut query = parsed(client);
        assert_eq!(found(&query, all_of('=', &render_query(&query))[0], client), Some(14));
        // What was added has no place, and bounds nothing.
        *comparison(&mut query).1 = added("mask");
        assert_eq!(found(&query, all_of('=', &render_query(&query))[0], client), Some(14));
    }

    #[test]
    fn of_two_signs_where_the_client_has_one_neither_has_an_origin() {
        let client = "SELECT a = b";
        let mut query = parsed(client);
        let (_, right) = comparison(&mut query);
        let own = std::mem::replace(right, added("x"));
        let mut inner = parsed("SELECT 1 = 2");
        let mut both = output(&mut inner).clone();
        if let Expr::BinaryOp { left, right, .. } = &mut both {
            (**left, **right) = (added("mask"), own);
        }
        *comparison(&mut query).1 = Expr::Nested(Box::new(both));
        let signs = all_of('=', &render_query(&query));
        assert_eq!(signs.len(), 2);
        for sign in signs {
            assert_eq!(found(&query, sign, client), None);
        }
    }

    #[test]
    fn a_text_that_looks_like_a_place_is_none() {
        let client = "SELECT    'Span(Location(1,32)..'    =    b";
        let query = parsed(client);
        assert_eq!(all_of('=', &render_query(&query)), [32]);
        assert_eq!(found(&query, 32, client), Some(38));
    }

    #[test]
    fn in_is_an_operator_and_what_has_parentheses_a_function() {
        for (client, sign, named) in [
            ("SELECT a IN (1)", "IN", Named::Operator("IN".to_owned())),
            ("SELECT a LIKE b", "LIKE", Named::Operator("LIKE".to_owned())),
            ("SELECT a ->> b", "->>", Named::Operator("->>".to_owned())),
            ("SELECT \"Low\".f(a)", "\"Low\"", Named::Function("Low.f".to_owned())),
        ] {
            let query = parsed(client);
            let print = render_query(&query);
            let position = print[..print.find(sign).unwrap()].chars().count() + 1;
            let origin = origin(&query, &print, position, client).unwrap();
            assert_eq!(origin.named, Some(named), "{client}");
        }
    }

    #[test]
    fn another_tree_and_a_text_that_is_too_long_say_nothing() {
        let client = "SELECT a = b";
        let query = parsed(client);
        assert_eq!(origin(&query, "SELECT a = b, c", 8, client), None);
        assert!(origin(&query, &render_query(&query), 8, client).is_some());
        let long = format!("{client}{}", " ".repeat(LONGEST));
        assert_eq!(origin(&query, &render_query(&query), 8, &long), None);
    }
}
