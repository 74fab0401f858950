//! Statement kinds that are never allowed, recognised by their leading words alone: a CREATE is refused as such, whether or
//! not anybody can parse the rest of it.

use super::keywords::known;
use super::lex::{Kind, Lexeme};
use super::statement::Refused;

const READ_ONLY: &str = "pgveil gives read access to data products; it changes nothing in the warehouse.";
const NO_TEMPORARY: &str = "Use WITH (a common table expression) in place of a temporary table or view.";
const NO_TABLE_LOCKS: &str = "Leave the statement out: a statement sees one state of the data anyway; \
    for several, use BEGIN ISOLATION LEVEL REPEATABLE READ.";
const NO_LOCKS: &str = "Leave out the locking clause: nothing can be changed through pgveil.";

impl Refused {
    /// A refused kind with what to do instead.
    pub(super) fn new(what: impl Into<String>, hint: Option<&str>) -> Self {
        Self { what: what.into(), hint: hint.map(str::to_owned) }
    }
}

/// What kind of refused statement the words begin, if they do.
pub(super) fn by_first_words(lexemes: &[Lexeme]) -> Option<Refused> {
    let words: Vec<String> = lexemes.iter().map_while(Lexeme::word).take(8).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let (what, hint) = match words.as_slice() {
        ["insert" | "update" | "delete" | "merge" | "truncate" | "call", ..] => (upper(&words, 1), Some(READ_ONLY)),
        ["do", ..] => ("DO".to_owned(), Some("Write the statement without a procedural block.")),
        ["create" | "alter" | "drop", ..] => (definition(&words), definition_hint(&words)),
        ["grant" | "revoke", ..] => {
            (upper(&words, 1), Some("Access is granted in pgveil's policy, by its administrators."))
        }
        ["listen" | "notify", ..] => {
            (upper(&words, 1), Some("Ask for the data again in place of waiting for a notification."))
        }
        ["lock", ..] => ("LOCK TABLE".to_owned(), Some(NO_TABLE_LOCKS)),
        ["vacuum" | "reindex" | "cluster" | "checkpoint" | "load", ..] => (upper(&words, 1), Some(READ_ONLY)),
        ["analyze" | "analyse", ..] => ("ANALYZE".to_owned(), Some(READ_ONLY)),
        ["comment", ..] => ("COMMENT".to_owned(), Some("Descriptions live in the catalog, in the product's own file.")),
        ["refresh", ..] => ("REFRESH MATERIALIZED VIEW".to_owned(), Some(READ_ONLY)),
        ["security", "label", ..] => ("SECURITY LABEL".to_owned(), Some(READ_ONLY)),
        ["import", "foreign", ..] => ("IMPORT FOREIGN SCHEMA".to_owned(), Some(READ_ONLY)),
        ["reassign", "owned", ..] => ("REASSIGN OWNED".to_owned(), Some(READ_ONLY)),
        ["prepare", "transaction", ..] => ("PREPARE TRANSACTION".to_owned(), Some("Use COMMIT.")),
        ["commit", "prepared", ..] => ("COMMIT PREPARED".to_owned(), Some("Use COMMIT.")),
        ["rollback", "prepared", ..] => ("ROLLBACK PREPARED".to_owned(), Some("Use ROLLBACK.")),
        ["set", "constraints", ..] => ("SET CONSTRAINTS".to_owned(), Some(READ_ONLY)),
        ["set", "transaction", "snapshot", ..] => (
            "SET TRANSACTION SNAPSHOT".to_owned(),
            Some("Use one transaction for statements that must see the same data."),
        ),
        _ => return None,
    };
    Some(Refused::new(what, hint))
}

fn upper(words: &[&str], count: usize) -> String {
    words.iter().take(count).map(|word| word.to_uppercase()).collect::<Vec<_>>().join(" ")
}

/// `CREATE OR REPLACE TEMP VIEW …` is `CREATE VIEW`.
fn definition(words: &[&str]) -> String {
    const SKIPPED: &[&str] = &[
        "or",
        "replace",
        "global",
        "local",
        "temp",
        "temporary",
        "unlogged",
        "unique",
        "recursive",
        "trusted",
        "procedural",
        "constraint",
        "default",
    ];
    const OBJECTS: &[&[&str]] = &[
        &["foreign", "data", "wrapper"],
        &["text", "search", "configuration"],
        &["text", "search", "dictionary"],
        &["text", "search", "parser"],
        &["text", "search", "template"],
        &["foreign", "table"],
        &["materialized", "view"],
        &["event", "trigger"],
        &["access", "method"],
        &["operator", "class"],
        &["operator", "family"],
        &["user", "mapping"],
        &["large", "object"],
    ];
    let Some((verb, rest)) = words.split_first() else { return String::new() };
    let rest: Vec<&str> = rest.iter().copied().skip_while(|word| SKIPPED.contains(word)).collect();
    let length = OBJECTS.iter().find(|object| rest.starts_with(object)).map_or(1, |object| object.len());
    let object = upper(&rest, length);
    // As Postgres tags it: a user is a role.
    let object = if matches!(object.as_str(), "USER" | "GROUP") { "ROLE".to_owned() } else { object };
    format!("{} {object}", verb.to_uppercase()).trim_end().to_owned()
}

fn definition_hint(words: &[&str]) -> Option<&'static str> {
    match words {
        ["create", rest @ ..] if rest.iter().take(3).any(|word| matches!(*word, "temp" | "temporary")) => {
            Some(NO_TEMPORARY)
        }
        _ => Some(READ_ONLY),
    }
}

/// What makes a query more than a query: SELECT INTO, FOR UPDATE, a changing statement behind or inside of WITH.
pub(super) fn inside_query(lexemes: &[Lexeme]) -> Option<Refused> {
    let mut depth = 0usize;
    let mut expects_main = lexemes.first().is_some_and(|first| first.is_word("with"));
    for (at, lexeme) in lexemes.iter().enumerate() {
        let before = at.checked_sub(1).and_then(|at| lexemes.get(at));
        match &lexeme.kind {
            Kind::Sign("(") => depth += 1,
            Kind::Sign(")") => depth = depth.saturating_sub(1),
            Kind::Word(_) if before.is_some_and(|before| before.is_sign(".") || before.is_word("as")) => {}
            Kind::Word(word) => {
                // What this looks for is a keyword.
                let Some(known) = known(word) else { continue };
                let next = |ahead: usize, wanted: &str| lexemes.get(at + ahead).is_some_and(|l| l.is_word(wanted));
                match known.lower {
                    "into" => {
                        return Some(Refused::new("SELECT INTO", Some("Use WITH (a common table expression).")));
                    }
                    "for" if next(1, "update") => return Some(Refused::new("SELECT FOR UPDATE", Some(NO_LOCKS))),
                    "for" if next(1, "share") => return Some(Refused::new("SELECT FOR SHARE", Some(NO_LOCKS))),
                    "for" if next(1, "no") && next(2, "key") => {
                        return Some(Refused::new("SELECT FOR NO KEY UPDATE", Some(NO_LOCKS)));
                    }
                    "for" if next(1, "key") && next(2, "share") => {
                        return Some(Refused::new("SELECT FOR KEY SHARE", Some(NO_LOCKS)));
                    }
                    verb @ ("insert" | "update" | "delete" | "merge") if changes(lexemes, at, depth, expects_main) => {
                        return Some(Refused::new(verb.to_uppercase(), Some(READ_ONLY)));
                    }
                    "select" | "values" | "table" if depth == 0 => expects_main = false,
                    _ => {}
                }
            }
            _ => {}
        }
    }
    None
}

/// Whether the changing verb at `at` begins a statement: behind `AS (` or `AS MATERIALIZED (`, or as what WITH is for.
fn changes(lexemes: &[Lexeme], at: usize, depth: usize, expects_main: bool) -> bool {
    let before = |back: usize| at.checked_sub(back).and_then(|at| lexemes.get(at));
    if depth == 0 {
        return expects_main && before(1).is_some_and(|before| before.is_sign(")"));
    }
    before(1).is_some_and(|open| open.is_sign("("))
        && before(2).is_some_and(|head| head.is_word("as") || head.is_word("materialized"))
}
