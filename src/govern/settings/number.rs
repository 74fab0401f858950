//! Numbers and times as Postgres reads and shows them.

use std::time::Duration;

use crate::error::Notice;

/// The largest value of a setting that is a number of milliseconds.
const MAX_MILLISECONDS: f64 = i32::MAX as f64;

/// Why a text is no time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BadNumber {
    /// It is no number.
    Syntax,
    /// Its unit is none of Postgres'.
    Unit,
    /// It is too small or too large; as it was understood.
    Range(i64),
}

/// The milliseconds of `30s`, `1.5min`, `3000`; `None`: it is no such text. Zero stands for no limit.
pub fn milliseconds(text: &str) -> Option<u64> {
    read_milliseconds(text).ok()
}

pub(super) fn read_milliseconds(text: &str) -> Result<u64, BadNumber> {
    let (number, unit) = number_and_rest(text)?;
    let factor = match unit {
        "us" => 0.001,
        "" | "ms" => 1.0,
        "s" => 1_000.0,
        "min" => 60_000.0,
        "h" => 3_600_000.0,
        "d" => 86_400_000.0,
        _ => return Err(BadNumber::Unit),
    };
    let value = (number * factor).round_ties_even();
    if (0.0..=MAX_MILLISECONDS).contains(&value) { Ok(value as u64) } else { Err(BadNumber::Range(value as i64)) }
}

/// A whole number; a fraction is rounded, as Postgres does.
pub(super) fn read_integer(text: &str) -> Result<i64, BadNumber> {
    let (number, rest) = number_and_rest(text)?;
    if rest.is_empty() { Ok(number.round_ties_even() as i64) } else { Err(BadNumber::Syntax) }
}

fn number_and_rest(text: &str) -> Result<(f64, &str), BadNumber> {
    let text = text.trim();
    let exponent_at = |at: usize| {
        let after = text.get(at + 1..).unwrap_or_default().trim_start_matches(['+', '-']);
        after.starts_with(|c: char| c.is_ascii_digit())
    };
    let mut end = text.len();
    let mut previous = ' ';
    for (at, c) in text.char_indices() {
        let part = c.is_ascii_digit()
            || c == '.'
            || (matches!(c, '+' | '-') && matches!(previous, ' ' | 'e' | 'E'))
            || (matches!(c, 'e' | 'E') && at > 0 && exponent_at(at));
        if !part {
            end = at;
            break;
        }
        previous = c;
    }
    let number = text.get(..end).and_then(|n| n.parse::<f64>().ok()).ok_or(BadNumber::Syntax)?;
    Ok((number, text.get(end..).unwrap_or_default().trim()))
}

/// As SHOW gives it: in the largest unit that divides it.
pub fn show_milliseconds(milliseconds: u64) -> String {
    if milliseconds == 0 {
        return "0".to_owned();
    }
    let units: [(u64, &str); 4] = [(86_400_000, "d"), (3_600_000, "h"), (60_000, "min"), (1_000, "s")];
    match units.iter().find(|(size, _)| milliseconds.is_multiple_of(*size)) {
        Some((size, unit)) => format!("{}{unit}", milliseconds / size),
        None => format!("{milliseconds}ms"),
    }
}

/// A client's `statement_timeout` (as SHOW gives it) under the limit of policy: the value that holds, and what the client
/// is told when that is another.
pub fn clamp_timeout(value: &str, limit: Option<Duration>) -> (String, Option<Notice>) {
    let asked = milliseconds(value).unwrap_or(0);
    let limit = limit.map_or(0, |limit| u64::try_from(limit.as_millis()).unwrap_or(u64::MAX).max(1));
    if limit == 0 || (asked != 0 && asked <= limit) {
        return (show_milliseconds(asked), None);
    }
    let shown = show_milliseconds(limit);
    let notice = Notice::new(format!("statement_timeout is lowered to {shown}, the limit of your policy"));
    (shown, Some(notice))
}
