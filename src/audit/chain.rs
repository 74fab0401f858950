//! The chain: each line holds the SHA-256 of itself (without its `hash` field and line end) and that of the line before.

use jiff::Timestamp;
use jiff::fmt::strtime;
use sha2::{Digest, Sha256};

use super::json;

pub use crate::hex::digits as hex;

/// A hash as 64 hex digits.
pub type Hex = [u8; 64];

/// What the first record of all names as the one before it.
pub const GENESIS: Hex = [b'0'; 64];

/// The end of the chain: what the next line continues.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// `seq` of the last line; 0 before the first.
    pub seq: u64,
    /// Its `hash`.
    pub hash: Hex,
}

impl Head {
    /// Before the first record.
    pub const START: Self = Self { seq: 0, hash: GENESIS };

    /// The hash as text.
    pub fn hash_text(&self) -> &str {
        std::str::from_utf8(&self.hash).unwrap_or_default()
    }

    /// Appends the line whose fields behind the head are `tail`, and moves on to it.
    pub fn append(&mut self, out: &mut Vec<u8>, clock: &mut Clock, at: Timestamp, tail: &[u8]) {
        let start = out.len();
        out.extend_from_slice(b"{\"v\":1,\"seq\":");
        json::number(out, self.seq + 1);
        out.extend_from_slice(b",\"time\":\"");
        clock.write(out, at);
        out.extend_from_slice(b"\",\"prev\":\"");
        out.extend_from_slice(&self.hash);
        out.extend_from_slice(b"\",");
        let mut digest = Sha256::new();
        digest.update(out.get(start..).unwrap_or_default());
        digest.update(tail);
        digest.update(b"}");
        self.seq += 1;
        self.hash = hex(&digest.finalize().into());
        out.extend_from_slice(b"\"hash\":\"");
        out.extend_from_slice(&self.hash);
        out.extend_from_slice(b"\",");
        out.extend_from_slice(tail);
        out.extend_from_slice(b"}\n");
    }
}

/// Writes times; the part down to the second is kept while it does not change.
#[derive(Debug, Default)]
pub struct Clock {
    second: i64,
    text: String,
}

impl Clock {
    /// Appends `2025-03-01T00:00:00.000000Z`.
    pub fn write(&mut self, out: &mut Vec<u8>, at: Timestamp) {
        // Floor, so that the fraction counts forward before 1970 too (a machine without a clock).
        let micros = at.as_microsecond();
        let second = micros.div_euclid(1_000_000);
        if self.text.is_empty() || self.second != second {
            let whole = Timestamp::from_second(second).unwrap_or(at);
            self.text = strtime::format("%Y-%m-%dT%H:%M:%S", whole).unwrap_or_else(|_| whole.to_string());
            self.second = second;
        }
        out.extend_from_slice(self.text.as_bytes());
        out.push(b'.');
        let mut fraction = micros.rem_euclid(1_000_000);
        let mut digits = *b"000000";
        for digit in digits.iter_mut().rev() {
            *digit = b'0' + (fraction % 10) as u8;
            fraction /= 10;
        }
        out.extend_from_slice(&digits);
        out.push(b'Z');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_hashed_without_its_hash() {
        let (mut head, mut out) = (Head::START, Vec::new());
        head.append(&mut out, &mut Clock::default(), Timestamp::UNIX_EPOCH, b"\"event\":\"reload\"");
        let line = String::from_utf8(out).unwrap();
        let expected = format!(
            r#"{{"v":1,"seq":1,"time":"1970-01-01T00:00:00.000000Z","prev":"{}","hash":"{}","event":"reload"}}"#,
            "0".repeat(64),
            head.hash_text()
        );
        assert_eq!(line, expected + "\n");
        let bare = line.trim_end().replace(&format!("\"hash\":\"{}\",", head.hash_text()), "");
        assert_eq!(hex(&Sha256::digest(bare).into()), head.hash);
    }

    #[test]
    fn times_are_written_to_the_microsecond() {
        let mut clock = Clock::default();
        for text in ["2025-03-01T00:00:00.000001Z", "2025-03-01T00:00:00.999999Z", "2025-12-31T23:59:59.120000Z"] {
            let mut out = Vec::new();
            clock.write(&mut out, text.parse().unwrap());
            assert_eq!(String::from_utf8(out).unwrap(), text);
        }
        let mut out = Vec::new();
        clock.write(&mut out, "1969-12-31T23:59:59.250000Z".parse().unwrap());
        assert_eq!(String::from_utf8(out).unwrap(), "1969-12-31T23:59:59.250000Z");
    }
}
