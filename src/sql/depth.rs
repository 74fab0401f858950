//! How deep a tree will be, estimated from the lexemes before anything is parsed: flat chains (`a OR b OR …`) nest as deep as
//! they are long, and some of sqlparser's recursions pass its own limit.

use super::keywords::known;
use super::lex::{Kind, Lexeme};
use super::limits::SqlError;

/// The longest chain of operators, summed over the parentheses around it.
const MAX_CHAIN: usize = 20_000;

/// How many operators of an expression take as much stack as one of UNION, EXCEPT, INTERSECT.
const SET_OPERATION: usize = 4;

/// The most joins that wait for their ON: `a JOIN b JOIN c … ON … ON …`.
const MAX_PENDING_JOINS: usize = 200;

const INFIX_WORDS: &[&str] = &[
    "and", "at", "between", "collate", "escape", "ilike", "in", "is", "isnull", "join", "like", "not", "notnull",
    "operator", "or", "overlaps", "similar",
];

/// What is known at one level of parentheses.
#[derive(Clone, Copy, Default)]
struct Level {
    /// Operators since the last comma.
    chain: usize,
    /// CASEs without END, and a run of prefix operators.
    nested: usize,
    /// How much of `nested` is the run.
    run: usize,
    /// JOINs without ON.
    joins: usize,
}

/// Refuses what would become too deep a tree.
pub(super) fn bounded(lexemes: &[Lexeme], max_depth: usize) -> Result<(), SqlError> {
    let mut open: Vec<Level> = Vec::new();
    // Sums over the levels in `open`.
    let mut around = Level::default();
    let mut here = Level::default();
    for (at, lexeme) in lexemes.iter().enumerate() {
        let before = at.checked_sub(1).and_then(|at| lexemes.get(at));
        match &lexeme.kind {
            Kind::Sign("(" | "[") => {
                around.chain += here.chain;
                around.nested += here.nested + 1;
                around.joins += here.joins;
                open.push(here);
                here = Level::default();
            }
            Kind::Sign(")" | "]") => {
                if let Some(outer) = open.pop() {
                    around.chain -= outer.chain;
                    around.nested -= outer.nested + 1;
                    around.joins -= outer.joins;
                    // A subscript, an array's brackets and a call are links of a chain too.
                    here = Level { chain: outer.chain + 1, ..outer };
                }
            }
            Kind::Sign(",") => here.chain = 0,
            Kind::Operator(_) => {
                here.chain += 1;
                here.prefix(before.is_none_or(|before| matches!(before.kind, Kind::Operator(_))));
            }
            Kind::Sign("::" | ".") => here.chain += 1,
            // What this looks for is a keyword.
            Kind::Word(word) => match known(word) {
                Some(known) => here.word(known.lower, before),
                None => here.prefix(false),
            },
            _ => here.prefix(false),
        }
        if around.nested + here.nested > max_depth {
            return Err(SqlError::too_deep(max_depth));
        }
        if around.chain + here.chain > MAX_CHAIN || around.joins + here.joins > MAX_PENDING_JOINS {
            return Err(SqlError::TooDeep {
                message: format!("statement is too complex: it chains more than {MAX_CHAIN} operators or joins"),
                hint: "Write long chains of OR as IN (…) or = ANY (an array parameter).".to_owned(),
            });
        }
    }
    Ok(())
}

impl Level {
    fn word(&mut self, word: &str, before: Option<&Lexeme>) {
        if INFIX_WORDS.binary_search(&word).is_ok() {
            self.chain += 1;
        }
        self.prefix(word == "not" && before.is_some_and(|before| before.is_word("not")));
        match word {
            "union" | "except" | "intersect" => self.chain += SET_OPERATION,
            "case" => self.nested += 1,
            "end" => self.nested = self.nested.saturating_sub(1),
            "join" if !before.is_some_and(|kind| kind.is_word("cross")) => self.joins += 1,
            "on" | "using" => self.joins = self.joins.saturating_sub(1),
            // A natural join waits for nothing.
            "natural" => self.joins = self.joins.saturating_sub(1),
            _ => {}
        }
    }

    /// Notes that a run of prefix operators grew, or ended.
    fn prefix(&mut self, grows: bool) {
        if grows {
            self.run += 1;
            self.nested += 1;
        } else {
            self.nested = self.nested.saturating_sub(self.run);
            self.run = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::lex::lex;
    use super::super::limits::TextLimits;
    use super::*;

    fn too_deep(text: &str) -> bool {
        bounded(&lex(text, &TextLimits::default()).unwrap(), 50).is_err()
    }

    #[test]
    fn the_words_are_sorted() {
        assert!(INFIX_WORDS.is_sorted());
        let others = ["union", "except", "intersect", "case", "end", "join", "on", "using", "natural", "not", "cross"];
        assert!(INFIX_WORDS.iter().chain(&others).all(|word| super::known(word).is_some()), "each is a keyword");
    }

    #[test]
    fn depth_is_what_nests() {
        for (open, close, each) in
            [("(", ")", 1), ("CASE WHEN ", " END", 1), ("NOT ", "", 1), ("- ", "", 1), ("f([", "])", 2)]
        {
            let nest = |n: usize| format!("SELECT {}1{}", open.repeat(n), close.repeat(n));
            assert!(!too_deep(&nest(45 / each)), "{open}");
            assert!(too_deep(&nest(60)), "{open}");
        }
    }

    #[test]
    fn what_stands_side_by_side_does_not_nest() {
        for (item, n) in
            [("(1), ", 500), ("CASE WHEN a THEN 1 END, ", 500), ("- 1, ", 500), ("NOT a, ", 500), ("a AND b, ", 15_000)]
        {
            assert!(!too_deep(&format!("SELECT {}1", item.repeat(n))), "{item}");
        }
        assert!(!too_deep(&format!("SELECT 1 FROM a {}", "JOIN b ON true ".repeat(2_000))));
        assert!(!too_deep(&format!("SELECT 1 FROM a {}", "NATURAL LEFT JOIN b ".repeat(2_000))));
        assert!(!too_deep(&format!("SELECT 1 FROM a {}", "CROSS JOIN b ".repeat(2_000))));
        assert!(too_deep(&format!("SELECT 1 FROM a {}", "JOIN b ".repeat(2_000))));
    }

    #[test]
    fn chains_are_as_deep_as_they_are_long() {
        for link in [" OR a", " || a", "::int", "[1]", ".a", " IS NULL", " UNION SELECT 1"] {
            assert!(too_deep(&format!("SELECT a{}", link.repeat(20_001))), "{link}");
            assert!(!too_deep(&format!("SELECT a{}", link.repeat(4_000))), "{link}");
        }
    }
}
