//! Literals whose meaning depends on no setting: ISO dates, times with a zone where the type has one, plain intervals.

use super::kind::Kind;

/// An array of texts as Postgres' array literal.
pub(super) fn array(texts: &[String]) -> String {
    let element = |text: &String| format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""));
    format!("{{{}}}", texts.iter().map(element).collect::<Vec<_>>().join(","))
}

/// Whether the text means the same value of this kind under every setting.
pub(in crate::govern) fn is_plain(kind: Kind, text: &str) -> bool {
    match kind {
        Kind::Date => is_date(text),
        Kind::Timestamp => is_timestamp(text),
        Kind::TimestampTz => has_zone(text).is_some_and(is_timestamp),
        Kind::Time => is_time(text),
        Kind::TimeTz => has_zone(text).is_some_and(is_time),
        Kind::Interval => is_interval(text),
        Kind::Plain | Kind::Fragile | Kind::Literal | Kind::Null | Kind::Unknown => true,
        Kind::Opaque => false,
    }
}

/// `YYYY-MM-DD`.
fn is_date(text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    let digits = |s: &str, n: usize| s.len() == n && s.bytes().all(|b| b.is_ascii_digit());
    matches!(parts.as_slice(), [y, m, d] if digits(y, 4) && digits(m, 2) && digits(d, 2))
}

/// `HH:MM`, `HH:MM:SS`, `HH:MM:SS.ffffff`.
fn is_time(text: &str) -> bool {
    let (clock, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let parts: Vec<&str> = clock.split(':').collect();
    matches!(parts.len(), 2 | 3)
        && parts.iter().all(|p| p.len() == 2 && p.bytes().all(|b| b.is_ascii_digit()))
        && (1..=6).contains(&fraction.len())
        && fraction.bytes().all(|b| b.is_ascii_digit())
}

/// A date, or a date and a time behind a blank or a `T`.
fn is_timestamp(text: &str) -> bool {
    match text.split_once([' ', 'T']) {
        Some((date, time)) => is_date(date) && is_time(time),
        None => is_date(text),
    }
}

/// The text before a zone that is written out: `Z`, ` UTC`, `+HH`, `-HH:MM`.
fn has_zone(text: &str) -> Option<&str> {
    if let Some(before) = text.strip_suffix('Z').or_else(|| text.strip_suffix(" UTC")) {
        return Some(before);
    }
    // A minus sign also stands in the date: the zone's comes after the time.
    let time_at = text.find(':')?;
    let sign = text.get(time_at..)?.find(['+', '-'])? + time_at;
    let offset = text.get(sign + 1..)?;
    let plain = !offset.is_empty() && offset.len() <= 5 && offset.bytes().all(|b| b.is_ascii_digit() || b == b':');
    plain.then(|| text.get(..sign)).flatten().map(str::trim_end)
}

/// Whole numbers with units, without a sign: `1 day`, `2 hours 30 minutes`.
fn is_interval(text: &str) -> bool {
    const UNITS: &[&str] = &["second", "minute", "hour", "day", "week", "month", "year"];
    let words: Vec<&str> = text.split_whitespace().collect();
    !words.is_empty()
        && words.len().is_multiple_of(2)
        && words.chunks(2).all(|pair| match pair {
            [number, unit] => {
                let unit = unit.to_ascii_lowercase();
                number.bytes().all(|b| b.is_ascii_digit()) && UNITS.contains(&unit.strip_suffix('s').unwrap_or(&unit))
            }
            _ => false,
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_every_setting_reads_alike_is_plain() {
        for (kind, good, bad) in [
            (Kind::Date, &["2026-01-31"][..], &["31.01.2026", "01/02/2026", "today", "2026-1-1"][..]),
            (Kind::Timestamp, &["2026-01-31", "2026-01-31 10:00:00.5", "2026-01-31T10:00"], &["now", "2026-01-31 10"]),
            (
                Kind::TimestampTz,
                &["2026-01-31 10:00+02", "2026-01-31T10:00:00Z", "2026-01-31 10:00:00 UTC", "2026-01-31 10:00-05:30"],
                &["2026-01-31", "2026-01-31 10:00", "2026-01-31 10:00 CET"],
            ),
            (Kind::Interval, &["1 day", "2 hours 30 minutes", "3 MONTHS"], &["-1 day", "1-2", "1:30", "P1D", "", "1"]),
            (Kind::Time, &["10:00", "10:00:01.5"], &["10", "10am"]),
        ] {
            for text in good {
                assert!(is_plain(kind, text), "{kind:?} {text}");
            }
            for text in bad {
                assert!(!is_plain(kind, text), "{kind:?} {text}");
            }
        }
    }

    #[test]
    fn array_literals_escape_what_would_end_them() {
        assert_eq!(array(&["a".to_owned(), "b\"},c\\".to_owned()]), r#"{"a","b\"},c\\"}"#);
        assert_eq!(array(&[]), "{}");
    }
}
