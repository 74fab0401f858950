//! JSON by hand into a reused buffer: a record is written for every statement, before it runs.
//!
//! The output is what `jq -c` prints for the same value, byte for byte: an auditor who lets `jq` drop a field and hashes the
//! rest gets the bytes that were hashed here.

use std::time::Duration;

/// Appends `text` as a JSON string, quotes included.
pub fn string(out: &mut Vec<u8>, text: &str) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    out.reserve(text.len() + 2);
    out.push(b'"');
    let mut rest = text.as_bytes();
    while let Some(plain) = first_special(rest) {
        let (before, after) = rest.split_at(plain);
        out.extend_from_slice(before);
        let Some((&byte, after)) = after.split_first() else { break };
        match byte {
            b'"' => out.extend_from_slice(b"\\\""),
            b'\\' => out.extend_from_slice(b"\\\\"),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            0x08 => out.extend_from_slice(b"\\b"),
            0x0c => out.extend_from_slice(b"\\f"),
            other => {
                let digit = |n: u8| HEX.get(usize::from(n)).copied().unwrap_or(b'0');
                out.extend_from_slice(b"\\u00");
                out.extend_from_slice(&[digit(other >> 4), digit(other & 15)]);
            }
        }
        rest = after;
    }
    out.extend_from_slice(rest);
    out.push(b'"');
}

/// Where the first byte is that cannot stand in a JSON string as it is.
fn first_special(bytes: &[u8]) -> Option<usize> {
    let special = |b: u8| b < 0x20 || b == b'"' || b == b'\\' || b == 0x7f;
    // Whole chunks without an early exit: the compiler looks at many bytes at once.
    let mut offset = 0;
    for chunk in bytes.chunks(32) {
        if chunk.iter().fold(false, |found, &b| found | special(b)) {
            return chunk.iter().position(|&b| special(b)).map(|at| offset + at);
        }
        offset += chunk.len();
    }
    None
}

/// Appends a whole number.
pub fn number(out: &mut Vec<u8>, mut value: u64) {
    let mut digits = [0_u8; 20];
    let mut used = 0;
    for slot in digits.iter_mut().rev() {
        *slot = b'0' + (value % 10) as u8;
        value /= 10;
        used += 1;
        if value == 0 {
            break;
        }
    }
    out.extend_from_slice(digits.get(digits.len() - used..).unwrap_or_default());
}

/// Appends milliseconds with at most three decimals and no trailing zero.
pub fn milliseconds(out: &mut Vec<u8>, duration: Duration) {
    let micros = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
    number(out, micros / 1000);
    let fraction = micros % 1000;
    if fraction == 0 {
        return;
    }
    let digits = [b'0' + (fraction / 100) as u8, b'0' + (fraction / 10 % 10) as u8, b'0' + (fraction % 10) as u8];
    let kept = digits.iter().rposition(|&d| d != b'0').map_or(0, |last| last + 1);
    out.push(b'.');
    out.extend_from_slice(digits.get(..kept).unwrap_or_default());
}

/// Appends `,"name":`.
pub fn key(out: &mut Vec<u8>, name: &str) {
    out.extend_from_slice(b",\"");
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b"\":");
}

/// Appends `,"name":"text"`.
pub fn text_field(out: &mut Vec<u8>, name: &str, text: &str) {
    key(out, name);
    string(out, text);
}

/// Appends `,"name":"text"`, or nothing.
pub fn optional_text_field(out: &mut Vec<u8>, name: &str, text: Option<&str>) {
    if let Some(text) = text {
        text_field(out, name, text);
    }
}

/// Appends `,"name":7`.
pub fn number_field(out: &mut Vec<u8>, name: &str, value: u64) {
    key(out, name);
    number(out, value);
}

/// Appends `,"name":["a","b"]`, or nothing when the list is empty.
pub fn list_field<T: AsRef<str>>(out: &mut Vec<u8>, name: &str, items: impl IntoIterator<Item = T>) {
    let mut items = items.into_iter().peekable();
    if items.peek().is_none() {
        return;
    }
    key(out, name);
    for (n, item) in items.enumerate() {
        out.push(if n == 0 { b'[' } else { b',' });
        string(out, item.as_ref());
    }
    out.push(b']');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_are_what_serde_json_reads_back() {
        let all: String = (0..=0x2ff_u32).filter_map(char::from_u32).chain("é漢🦀\u{2028}\"\\\\".chars()).collect();
        let mut out = Vec::new();
        string(&mut out, &all);
        assert_eq!(serde_json::from_slice::<String>(&out).unwrap(), all);
    }

    #[test]
    fn control_characters_are_written_as_jq_writes_them() {
        let mut out = Vec::new();
        string(&mut out, "a\u{1}\u{1f}\u{7f}\u{8}\u{c}\t\r\n\"\\/");
        assert_eq!(String::from_utf8(out).unwrap(), r#""a\u0001\u001f\u007f\b\f\t\r\n\"\\/""#);
    }

    #[test]
    fn numbers_have_no_superfluous_digit() {
        for value in [0, 7, 10, 4096, u64::MAX] {
            let mut out = Vec::new();
            number(&mut out, value);
            assert_eq!(String::from_utf8(out).unwrap(), value.to_string());
        }
        for (micros, expected) in
            [(0, "0"), (1, "0.001"), (1_500, "1.5"), (12_340, "12.34"), (2_000, "2"), (10, "0.01")]
        {
            let mut out = Vec::new();
            milliseconds(&mut out, Duration::from_micros(micros));
            assert_eq!(String::from_utf8(out).unwrap(), expected);
        }
    }
}
