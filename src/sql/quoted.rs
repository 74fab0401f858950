//! The quoted forms: `'…'`, `E'…'`, `U&'…'`, `B'…'`, `X'…'`, `"…"`, `U&"…"`, decoded to what they mean.

use super::lex::{Kind, Scanner, is_space};
use super::limits::SqlError;

/// `'…'`, standing at the quote.
pub(super) fn plain(scanner: &mut Scanner<'_>) -> Result<String, SqlError> {
    let mut value = String::new();
    pieces(scanner, |piece| value.push_str(piece), false)?;
    Ok(value)
}

/// `E'…'`, standing at the letter.
pub(super) fn escaped(scanner: &mut Scanner<'_>) -> Result<String, SqlError> {
    let start = scanner.at;
    scanner.at += 1;
    let mut raw = String::new();
    pieces(scanner, |piece| raw.push_str(piece), true)?;
    unescape(&raw).map_err(|message| match message {
        Escape::Invalid(message) => scanner.syntax(start, message),
        Escape::Encoding => SqlError::Encoding { message: "invalid byte sequence for encoding \"UTF8\"".to_owned() },
    })
}

/// `B'…'` and `X'…'`, standing at the letter.
pub(super) fn digits(
    scanner: &mut Scanner<'_>,
    allowed: impl Fn(char) -> bool,
    what: &str,
) -> Result<String, SqlError> {
    let start = scanner.at;
    scanner.at += 1;
    let value = plain(scanner)?;
    match value.chars().find(|c| !allowed(*c)) {
        None => Ok(value),
        Some(bad) => Err(scanner.syntax(start, format!("\"{bad}\" is not a valid {what} digit"))),
    }
}

/// `"…"`, standing at the quote.
pub(super) fn identifier(scanner: &mut Scanner<'_>) -> Result<String, SqlError> {
    let start = scanner.at;
    let mut value = String::new();
    let end = quoted_run(scanner.rest(), '"', false, |piece| value.push_str(piece));
    match end {
        Some(length) => scanner.at += length,
        None => return Err(scanner.syntax(start, "unterminated quoted identifier")),
    }
    if value.is_empty() {
        return Err(scanner.syntax(start, "zero-length delimited identifier at or near \"\"\"\""));
    }
    Ok(value)
}

/// `U&'…'` and `U&"…"` with an optional `UESCAPE 'c'`, standing at the letter.
pub(super) fn unicode(scanner: &mut Scanner<'_>) -> Result<Kind, SqlError> {
    let start = scanner.at;
    scanner.at += 2;
    let is_name = scanner.rest().starts_with('"');
    let raw = if is_name { identifier(scanner)? } else { plain(scanner)? };
    let escape = uescape(scanner)?.unwrap_or('\\');
    let value = decode_unicode(&raw, escape).map_err(|message| scanner.syntax(start, message))?;
    Ok(if is_name { Kind::Quoted(value) } else { Kind::Text(value) })
}

/// Reads one quoted run, with doubled quotes undone and pieces on following lines appended, and moves behind it.
fn pieces(scanner: &mut Scanner<'_>, mut take: impl FnMut(&str), backslashes: bool) -> Result<(), SqlError> {
    let start = scanner.at;
    loop {
        match quoted_run(scanner.rest(), '\'', backslashes, &mut take) {
            Some(length) => scanner.at += length,
            None => return Err(scanner.syntax(start, "unterminated quoted string")),
        }
        match continuation(scanner.rest()) {
            Some(skip) => scanner.at += skip,
            None => return Ok(()),
        }
    }
}

/// Reads from a quote to its end; gives the length with both quotes. With `backslashes` a backslash keeps the character
/// behind it from ending the run, and both are handed on as they stand.
fn quoted_run(text: &str, quote: char, backslashes: bool, mut take: impl FnMut(&str)) -> Option<usize> {
    let mut at = quote.len_utf8();
    loop {
        let rest = text.get(at..)?;
        let stop = rest.find(|c| c == quote || (backslashes && c == '\\'))?;
        take(rest.get(..stop)?);
        let tail = rest.get(stop..)?;
        if tail.starts_with('\\') {
            let next = tail.chars().nth(1)?;
            let length = 1 + next.len_utf8();
            take(tail.get(..length)?);
            at += stop + length;
        } else if tail.get(1..)?.starts_with(quote) {
            // In a run with backslashes a doubled quote is handed on as an escaped one, so that one pass undoes both.
            take(if backslashes { "\\'" } else { tail.get(..1)? });
            at += stop + 2;
        } else {
            return Some(at + stop + 1);
        }
    }
}

/// How far the next piece of a literal is: behind white space (with `--` comments) that holds a newline.
fn continuation(text: &str) -> Option<usize> {
    let mut at = 0;
    let mut newline = false;
    loop {
        let rest = text.get(at..)?;
        let c = rest.chars().next()?;
        if is_space(c) {
            newline |= matches!(c, '\n' | '\r');
            at += 1;
        } else if rest.starts_with("--") {
            at += rest.find(['\n', '\r'])?;
        } else {
            return (c == '\'' && newline).then_some(at);
        }
    }
}

enum Escape {
    Invalid(String),
    Encoding,
}

fn unescape(raw: &str) -> Result<String, Escape> {
    let mut bytes = Vec::with_capacity(raw.len());
    let mut chars = raw.chars().peekable();
    let mut high: Option<u32> = None;
    while let Some(c) = chars.next() {
        if c != '\\' {
            no_pending(high)?;
            push(&mut bytes, c);
            continue;
        }
        let Some(escape) = chars.next() else { return Err(Escape::Invalid("unterminated quoted string".to_owned())) };
        if let 'u' | 'U' = escape {
            let length = if escape == 'u' { 4 } else { 8 };
            let digits: String = (0..length).filter_map(|_| chars.next_if(char::is_ascii_hexdigit)).collect();
            if digits.len() != length {
                return Err(Escape::Invalid("invalid Unicode escape".to_owned()));
            }
            let code = u32::from_str_radix(&digits, 16).unwrap_or(u32::MAX);
            if let Some(c) = surrogates(&mut high, code).map_err(Escape::Invalid)? {
                push(&mut bytes, c);
            }
            continue;
        }
        no_pending(high)?;
        match escape {
            'b' => bytes.push(8),
            'f' => bytes.push(12),
            'n' => bytes.push(b'\n'),
            'r' => bytes.push(b'\r'),
            't' => bytes.push(b'\t'),
            '0'..='7' => {
                let mut value = escape.to_digit(8).unwrap_or(0);
                for _ in 0..2 {
                    match chars.next_if(|c| c.is_digit(8)) {
                        Some(digit) => value = value * 8 + digit.to_digit(8).unwrap_or(0),
                        None => break,
                    }
                }
                bytes.push((value & 0xff) as u8);
            }
            'x' if chars.peek().is_some_and(char::is_ascii_hexdigit) => {
                let digits: String = (0..2).filter_map(|_| chars.next_if(char::is_ascii_hexdigit)).collect();
                bytes.push(u8::from_str_radix(&digits, 16).unwrap_or(0));
            }
            other => push(&mut bytes, other),
        }
    }
    no_pending(high)?;
    if bytes.contains(&0) {
        return Err(Escape::Encoding);
    }
    String::from_utf8(bytes).map_err(|_| Escape::Encoding)
}

fn no_pending(high: Option<u32>) -> Result<(), Escape> {
    match high {
        None => Ok(()),
        Some(_) => Err(Escape::Invalid("invalid Unicode surrogate pair".to_owned())),
    }
}

fn push(bytes: &mut Vec<u8>, c: char) {
    bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
}

/// One code unit: a character, or half of one (`high` waits for the other half).
fn surrogates(high: &mut Option<u32>, code: u32) -> Result<Option<char>, String> {
    let pair = || "invalid Unicode surrogate pair".to_owned();
    let code = match (high.take(), code) {
        (Some(first), 0xdc00..=0xdfff) => 0x10000 + ((first - 0xd800) << 10) + (code - 0xdc00),
        (Some(_), _) | (None, 0xdc00..=0xdfff) => return Err(pair()),
        (None, 0xd800..=0xdbff) => {
            *high = Some(code);
            return Ok(None);
        }
        (None, 0) => return Err("invalid Unicode escape value".to_owned()),
        (None, code) => code,
    };
    char::from_u32(code).map(Some).ok_or_else(|| "invalid Unicode escape value".to_owned())
}

/// `UESCAPE 'c'` behind a `U&` form.
fn uescape(scanner: &mut Scanner<'_>) -> Result<Option<char>, SqlError> {
    let rest = scanner.rest();
    let trimmed = rest.trim_start_matches(is_space);
    let Some(word) = trimmed.get(..7).filter(|word| word.eq_ignore_ascii_case("uescape")) else { return Ok(None) };
    let behind = trimmed.get(word.len()..).unwrap_or_default();
    if behind.starts_with(super::lex::continues_name) {
        return Ok(None);
    }
    let literal = behind.trim_start_matches(is_space);
    let at = scanner.at + (rest.len() - literal.len());
    let invalid = |scanner: &Scanner<'_>| scanner.syntax(at, "invalid Unicode escape character");
    let mut chars = literal.chars();
    let (Some('\''), Some(escape), Some('\'')) = (chars.next(), chars.next(), chars.next()) else {
        return Err(invalid(scanner));
    };
    if escape.is_ascii_hexdigit() || matches!(escape, '+' | '\'' | '"') || is_space(escape) || !escape.is_ascii() {
        return Err(invalid(scanner));
    }
    scanner.at = at + 3;
    Ok(Some(escape))
}

fn decode_unicode(raw: &str, escape: char) -> Result<String, String> {
    let mut value = String::with_capacity(raw.len());
    let mut chars = raw.chars().peekable();
    let mut high = None;
    let pair = || "invalid Unicode surrogate pair".to_owned();
    while let Some(c) = chars.next() {
        if c != escape {
            if high.is_some() {
                return Err(pair());
            }
            value.push(c);
            continue;
        }
        if chars.next_if_eq(&escape).is_some() {
            if high.is_some() {
                return Err(pair());
            }
            value.push(escape);
            continue;
        }
        let length = if chars.next_if_eq(&'+').is_some() { 6 } else { 4 };
        let digits: String = (0..length).filter_map(|_| chars.next_if(char::is_ascii_hexdigit)).collect();
        if digits.len() != length {
            return Err("invalid Unicode escape".to_owned());
        }
        let code = u32::from_str_radix(&digits, 16).unwrap_or(u32::MAX);
        if let Some(c) = surrogates(&mut high, code)? {
            value.push(c);
        }
    }
    if high.is_some() { Err(pair()) } else { Ok(value) }
}
