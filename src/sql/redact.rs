//! Literals out of a text, for logs.

use super::lex::{Kind, Lexeme, lex_as_far_as_possible};

/// The text with every literal replaced: `'…'` for a string, `…` for a number. Comments are dropped, and so is everything
/// behind a place that cannot be read: what it would mean is not known.
pub fn redact(text: &str) -> String {
    let (lexemes, complete) = lex_as_far_as_possible(text);
    let mut redacted = redact_lexemes(text, &lexemes);
    if !complete {
        redacted.push_str(" …");
    }
    redacted
}

/// [`redact`] for a text whose lexemes are known.
pub(super) fn redact_lexemes(text: &str, lexemes: &[Lexeme]) -> String {
    let mut redacted = String::with_capacity(text.len());
    let mut end = 0;
    for lexeme in lexemes {
        let gap = text.get(end..lexeme.start).unwrap_or_default();
        if gap.chars().all(char::is_whitespace) {
            redacted.push_str(gap);
        } else {
            redacted.push(' ');
        }
        match &lexeme.kind {
            Kind::Text(_) | Kind::National(_) | Kind::Bits(_) | Kind::Hex(_) => redacted.push_str("'…'"),
            Kind::Number(_) => redacted.push('…'),
            Kind::Word(_) | Kind::Quoted(_) | Kind::Parameter(_) | Kind::Operator(_) | Kind::Sign(_) => {
                redacted.push_str(text.get(lexeme.start..lexeme.end).unwrap_or_default());
            }
        }
        end = lexeme.end;
    }
    redacted
}

/// Where the text's strings and numbers stand (bytes); `None` when it cannot be read to its end.
pub fn plain_literals(text: &str) -> Option<Vec<std::ops::Range<usize>>> {
    let (lexemes, complete) = lex_as_far_as_possible(text);
    let literal = |lexeme: &&Lexeme| matches!(lexeme.kind, Kind::Text(_) | Kind::Number(_));
    complete.then(|| lexemes.iter().filter(literal).map(|lexeme| lexeme.start..lexeme.end).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_literal_survives() {
        for (text, expected) in [
            ("SELECT 'secret', 42, $1, \"col\"", "SELECT '…', …, $1, \"col\""),
            ("SELECT E'se\\'cret' || $$secret$$", "SELECT '…' || '…'"),
            ("SELECT U&'secret' UESCAPE '!', x'5ec' , b'1', N'secret'", "SELECT '…', '…' , '…', '…'"),
            ("SELECT 'se'\n 'cret'", "SELECT '…'"),
            ("SELECT 1 -- secret\n, 2 /* secret */", "SELECT … , …"),
            ("SELECT 'a', 'secret", "SELECT '…', …"),
            ("SELECT 'a' {secret}", "SELECT '…' …"),
            ("SET x = 'secret'", "SET x = '…'"),
            ("date '2020-01-01'", "date '…'"),
        ] {
            assert_eq!(redact(text), expected, "{text}");
            assert!(!redact(text).contains("secret"));
        }
    }
}
