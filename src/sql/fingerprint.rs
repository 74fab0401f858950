//! A short name for statements that differ in literals alone.

use std::borrow::Cow;

use sha2::{Digest, Sha256};

use super::lex::{Kind, Lexeme, lex_as_far_as_possible};
use super::render::render;
use super::statement::{SessionStatement, Statement};

/// Sixteen hex digits, equal for statements that differ in literals alone (and in white space, comments, letter case of
/// keywords, and the number of literals in a list). Stable across versions of this program that print a tree alike.
pub fn fingerprint(statement: &Statement) -> String {
    let text = match statement {
        Statement::Execute { name, .. } => format!("EXECUTE \"{name}\""),
        Statement::Session(session) => session_text(session),
        Statement::Refused(refused) => refused.what.clone(),
        Statement::Prepare { name, .. } => format!("PREPARE \"{name}\" AS {}", render(statement)),
        Statement::Empty
        | Statement::Query(_)
        | Statement::Explain(_)
        | Statement::CopyOut(_)
        | Statement::Declare(_) => render(statement),
    };
    fingerprint_of_text(&text)
}

/// [`fingerprint`] of a query by its print.
pub fn fingerprint_of_text(text: &str) -> String {
    let (lexemes, _) = lex_as_far_as_possible(text);
    let mut hash = Sha256::new();
    let mut at = 0;
    while let Some(lexeme) = lexemes.get(at) {
        at += match literal_list(lexemes.get(at..).unwrap_or_default()) {
            0 => {
                hash.update(blanked(lexeme).as_bytes());
                1
            }
            length => {
                hash.update("?");
                length
            }
        };
        hash.update([0]);
    }
    crate::hex::text(hash.finalize().get(..8).unwrap_or_default())
}

/// How many lexemes `literal, literal, …` takes; 0: there is no literal.
fn literal_list(lexemes: &[Lexeme]) -> usize {
    let literal = |at: usize| {
        let sign = usize::from(lexemes.get(at).is_some_and(|lexeme| lexeme.is_operator("-")));
        let kind = lexemes.get(at + sign).map(|lexeme| &lexeme.kind);
        match kind {
            Some(Kind::Number(_)) => 1 + sign,
            Some(Kind::Text(_) | Kind::National(_) | Kind::Bits(_) | Kind::Hex(_)) if sign == 0 => 1,
            _ => 0,
        }
    };
    // A minus that stands first is an operator on what precedes it.
    if lexemes.first().is_some_and(|first| first.is_operator("-")) {
        return 0;
    }
    let mut length = literal(0);
    while length > 0 && lexemes.get(length).is_some_and(|comma| comma.is_sign(",")) && literal(length + 1) > 0 {
        length += 1 + literal(length + 1);
    }
    length
}

fn blanked(lexeme: &Lexeme) -> Cow<'_, str> {
    Cow::Borrowed(match &lexeme.kind {
        Kind::Word(word) if word.bytes().any(|b| b.is_ascii_uppercase()) => {
            return Cow::Owned(word.to_ascii_lowercase());
        }
        Kind::Quoted(name) => return Cow::Owned(format!("\"{name}\"")),
        Kind::Word(text) | Kind::Parameter(text) | Kind::Operator(text) => text,
        Kind::Sign(sign) => sign,
        Kind::Text(_) | Kind::National(_) | Kind::Bits(_) | Kind::Hex(_) | Kind::Number(_) => "?",
    })
}

/// A session statement without its values.
fn session_text(session: &SessionStatement) -> String {
    match session {
        SessionStatement::Set { local, name, .. } => format!("SET {local} \"{name}\""),
        SessionStatement::Fetch { moving, cursor, direction } => {
            let direction = format!("{direction:?}");
            let kind = direction.split('(').next().unwrap_or_default();
            format!("FETCH {moving} \"{cursor}\" {kind}")
        }
        other => format!("{other:?}").replace(['{', '}', '\\'], " "),
    }
}

#[cfg(test)]
mod tests {
    use super::super::limits::TextLimits;
    use super::super::parse::parse;
    use super::*;

    fn of(text: &str) -> String {
        fingerprint(&parse(text, &TextLimits::default()).unwrap()[0].statement)
    }

    #[test]
    fn literals_do_not_count() {
        for (one, other) in [
            ("SELECT a FROM t WHERE b = 'x' AND c > 5", "select a from t where b = 'y''z' and c > 17.5e3"),
            ("SELECT a FROM t WHERE b IN (1, 2, 3)", "SELECT a FROM t WHERE b IN (4, -5)"),
            ("SELECT a /* 1 */ FROM t LIMIT 10", "SELECT a FROM t LIMIT 20"),
            ("SET statement_timeout = 5", "SET statement_timeout = '10s'"),
            ("FETCH 10 FROM c", "FETCH 20 FROM c"),
            ("EXECUTE p(1)", "EXECUTE p(2)"),
        ] {
            assert_eq!(of(one), of(other), "{one}");
        }
    }

    #[test]
    fn everything_else_counts() {
        let different = [
            "SELECT a FROM t",
            "SELECT b FROM t",
            "SELECT \"A\" FROM t",
            "SELECT a FROM t1",
            "SELECT a FROM t2",
            "SELECT a FROM s.t",
            "SELECT a AS x FROM t",
            "SELECT a FROM t WHERE b = 1",
            "SELECT a FROM t WHERE b = $1",
            "SELECT a FROM t WHERE b <> 1",
            "SELECT a - 1 FROM t",
            "EXPLAIN SELECT a FROM t",
            "COPY (SELECT a FROM t) TO STDOUT",
            "SET a = 1",
            "SET b = 1",
            "SHOW a",
            "BEGIN",
            "COMMIT",
        ];
        let mut all: Vec<String> = different.iter().map(|text| of(text)).collect();
        all.sort();
        all.dedup();
        assert_eq!(all.len(), different.len());
        assert!(all.iter().all(|fingerprint| fingerprint.len() == 16));
    }
}
