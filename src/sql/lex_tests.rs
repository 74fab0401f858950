use super::*;

fn kinds(text: &str) -> Vec<Kind> {
    lex(text, &TextLimits::default()).unwrap().into_iter().map(|lexeme| lexeme.kind).collect()
}

fn one(text: &str) -> Kind {
    let mut all = kinds(text);
    assert_eq!(all.len(), 1, "{text}: {all:?}");
    all.remove(0)
}

fn message(text: &str) -> String {
    lex(text, &TextLimits::default()).unwrap_err().to_string()
}

fn text(value: &str) -> Kind {
    Kind::Text(value.to_owned())
}

#[test]
fn every_quoted_form_is_its_value() {
    for (written, value) in [
        ("'it''s'", "it's"),
        (r"'a\'", r"a\"),
        ("'a'\n  'b'", "ab"),
        ("'a' -- why\n 'b'", "ab"),
        (r"E'a\nb\'c''d\\'", "a\nb'c'd\\"),
        (r"e'\x41\101\u0042\U0001F600\uD83D\uDE00'", "AAB😀😀"),
        (r"E'\xc3\xa9'", "é"),
        ("E'a'\n'\\n'", "a\n"),
        (r"U&'d\0061t\+000061\\'", r"data\"),
        ("U&'d!0061t' UESCAPE '!'", "dat"),
        ("$$it's$$", "it's"),
        ("$q$a $$ b$q$", "a $$ b"),
        ("''''", "'"),
        ("''", ""),
    ] {
        assert_eq!(one(written), text(value), "{written}");
    }
    assert_eq!(one(r#"U&"d\0061t""#), Kind::Quoted("dat".to_owned()));
    assert_eq!(one(r#""a""b\""#), Kind::Quoted("a\"b\\".to_owned()));
    assert_eq!(one("b'0101'"), Kind::Bits("0101".to_owned()));
    assert_eq!(one("X'1fF'"), Kind::Hex("1fF".to_owned()));
    assert_eq!(one("n'x'"), Kind::National("x".to_owned()));
}

#[test]
fn literals_on_one_line_do_not_join() {
    assert_eq!(kinds("'a' 'b'"), [text("a"), text("b")]);
    assert_eq!(kinds("'a' /* \n */ 'b'"), [text("a"), text("b")]);
}

#[test]
fn operators_are_cut_as_in_postgres() {
    for (written, expected) in [
        ("a-->b\n", vec!["a"]),
        ("1<-2", vec!["1", "<", "-", "2"]),
        ("a@-b", vec!["a", "@-", "b"]),
        ("a!=b", vec!["a", "<>", "b"]),
        ("a->>'x'", vec!["a", "->>", "x"]),
        ("a*-b", vec!["a", "*", "-", "b"]),
        ("a<=>b", vec!["a", "<=>", "b"]),
        ("a+/*c*/b", vec!["a", "+", "b"]),
        ("a||'x'||b", vec!["a", "||", "x", "||", "b"]),
        ("f(a=>1)", vec!["f", "(", "a", "=>", "1", ")"]),
        ("a::int", vec!["a", "::", "int"]),
        ("a[1:2]", vec!["a", "[", "1", ":", "2", "]"]),
        ("x ?| y", vec!["x", "?|", "y"]),
        ("1.5e-3+.5", vec!["1.5e-3", "+", ".5"]),
        ("/* a /* b */ c */ x", vec!["x"]),
    ] {
        let shown: Vec<String> = kinds(written)
            .into_iter()
            .map(|kind| match kind {
                Kind::Word(s)
                | Kind::Quoted(s)
                | Kind::Text(s)
                | Kind::National(s)
                | Kind::Bits(s)
                | Kind::Hex(s)
                | Kind::Number(s)
                | Kind::Parameter(s)
                | Kind::Operator(s) => s,
                Kind::Sign(s) => s.to_owned(),
            })
            .collect();
        assert_eq!(shown, expected, "{written}");
    }
}

#[test]
fn what_postgres_15_does_not_read_is_an_error() {
    for (written, expected) in [
        ("0b11", "trailing junk after numeric literal"),
        ("0x1F", "trailing junk"),
        ("1_000", "trailing junk"),
        ("1..2", "trailing junk"),
        ("$1a", "trailing junk after parameter"),
        ("$0", "there is no parameter"),
        ("'a", "unterminated quoted string"),
        ("E'a\\'", "unterminated quoted string"),
        ("\"a", "unterminated quoted identifier"),
        ("\"\"", "zero-length"),
        ("/* a", "unterminated /* comment"),
        ("$a$ b", "unterminated dollar-quoted"),
        ("E'\\u12'", "invalid Unicode escape"),
        ("E'\\xff'", "invalid byte sequence"),
        ("E'\\000'", "invalid byte sequence"),
        ("U&'\\d83d'", "surrogate"),
        ("b'012'", "not a valid binary digit"),
        ("{x}", "syntax error at or near"),
        ("a \\d", "syntax error at or near"),
        ("a\0b", "invalid byte sequence"),
    ] {
        assert!(message(written).contains(expected), "{written}: {}", message(written));
    }
}

#[test]
fn positions_count_characters() {
    let lexemes = lex("'é', b", &TextLimits::default()).unwrap();
    assert_eq!(lexemes.iter().map(|l| l.position).collect::<Vec<_>>(), [1, 4, 6]);
    let SqlError::Syntax { position, .. } = lex("'é', 0b1", &TextLimits::default()).unwrap_err() else { panic!() };
    assert_eq!(position, Some(6));
}

#[test]
fn limits_are_kept() {
    let limits = TextLimits { max_bytes: 20, max_tokens: 5, max_depth: 2 };
    assert!(matches!(lex("select 1, 2, 3, 4, 5, 6", &limits), Err(SqlError::TooLarge { .. })));
    assert!(matches!(lex("a b c d e f", &limits), Err(SqlError::TooLarge { .. })));
    assert!(lex("((1", &limits).is_ok());
    assert!(matches!(lex("(((1", &limits), Err(SqlError::TooDeep { .. })));
}

#[test]
fn no_break_space_is_part_of_a_name() {
    assert_eq!(one("a\u{a0}b"), Kind::Word("a\u{a0}b".to_owned()));
}

/// Postgres' own scanner is asked where words and signs begin and end.
#[cfg(feature = "second-parser")]
mod against_postgres {
    use pg_query::protobuf::Token;
    use proptest::prelude::*;

    use super::*;

    /// `None`: Postgres' scanner does not take the text.
    fn scanned(text: &str) -> Option<Vec<(usize, usize)>> {
        let tokens = pg_query::scan(text).ok()?.tokens;
        let is_comment = |token: i32| token == Token::SqlComment as i32 || token == Token::CComment as i32;
        Some(tokens.iter().filter(|t| !is_comment(t.token)).map(|t| (t.start as usize, t.end as usize)).collect())
    }

    fn agree(text: &str) {
        // Postgres' grammar, not its scanner, puts these together.
        let lower = text.to_ascii_lowercase();
        if lower.contains("u&") || lower.contains("n'") {
            return;
        }
        let Ok(lexemes) = lex(text, &TextLimits::default()) else { return };
        let own: Vec<(usize, usize)> = lexemes.iter().map(|lexeme| (lexeme.start, lexeme.end)).collect();
        assert_eq!(Some(own), scanned(text), "{text:?}");
    }

    fn piece() -> impl Strategy<Value = String> {
        const PIECES: &[&str] = &[
            "a", "B", "1", "2.5", ".5", "1e5", "1.", "'x'", "''", "E'\\n'", "e'a\\'b'", "$$", "$q$", "$1", "\"x\"",
            "\"", "'", "--", "/*", "*/", "\n", "\r", " ", "\t", "+", "-", "*", "/", "<", ">", "=", "~", "!", "@", "#",
            "%", "^", "&", "|", "`", "?", "(", ")", "[", "]", ",", ";", ":", ".", "::", ":=", "=>", "..", "b'01'",
            "x'ff'", "é", "\u{a0}", "_", "$", "e", "x",
        ];
        prop_oneof![12 => proptest::sample::select(PIECES).prop_map(str::to_owned), 1 => "\\PC{0,3}"]
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 20_000, failure_persistence: None, ..ProptestConfig::default() })]
        #[test]
        fn words_and_signs_end_where_postgres_says(pieces in prop::collection::vec(piece(), 0..14)) {
            agree(&pieces.concat());
        }
    }

    #[test]
    fn on_the_corpus_too() {
        for file in std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/corpus")).unwrap() {
            for text in std::fs::read_to_string(file.unwrap().path()).unwrap().split(";\n") {
                agree(text);
            }
        }
    }
}
