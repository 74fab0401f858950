//! Durations and sizes as files write them.

use std::time::Duration;

/// Reads `500ms`, `30s`, `5m`, `1h`, `7d`. Errors say what to write instead.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    let (number, unit) = split_unit(text);
    let form = || "write a whole number and a unit, such as \"500ms\", \"30s\", \"5m\", \"1h\" or \"7d\"".to_owned();
    let number: u64 = number.parse().map_err(|_| form())?;
    let millis = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return Err(form()),
    };
    number.checked_mul(millis).map(Duration::from_millis).ok_or_else(|| "the duration is too long".to_owned())
}

/// Reads `512B`, `64KiB`, `64MiB`, `1GiB`. Errors say what to write instead.
pub fn parse_size(text: &str) -> Result<u64, String> {
    let (number, unit) = split_unit(text);
    let form = || "write a whole number and a unit, such as \"512KiB\", \"64MiB\" or \"1GiB\"".to_owned();
    let number: u64 = number.parse().map_err(|_| form())?;
    let bytes: u64 = match unit {
        "B" => 1,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        "TiB" => 1 << 40,
        _ => return Err(form()),
    };
    number.checked_mul(bytes).ok_or_else(|| "the size is too large".to_owned())
}

fn split_unit(text: &str) -> (&str, &str) {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    text.split_at_checked(end).unwrap_or((text, ""))
}

/// A duration as a file would write it.
pub(super) fn show_duration(duration: Duration) -> String {
    let millis = duration.as_millis();
    for (unit, size) in [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000)] {
        if millis >= size && millis.is_multiple_of(size) {
            return format!("{}{unit}", millis / size);
        }
    }
    format!("{millis}ms")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        for (text, millis) in
            [("500ms", 500), ("30s", 30_000), ("5m", 300_000), ("1h", 3_600_000), ("7d", 604_800_000), ("0s", 0)]
        {
            assert_eq!(parse_duration(text), Ok(Duration::from_millis(millis)), "{text}");
        }
        for text in ["", "5", "s", "1.5h", "-1s", "1 s", "1H", "1w", "99999999999999999999d", "18446744073709551615d"] {
            assert!(parse_duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn durations_are_shown_as_they_are_written() {
        for text in ["500ms", "30s", "5m", "1h", "7d", "90s"] {
            assert_eq!(show_duration(parse_duration(text).unwrap()), text);
        }
    }

    #[test]
    fn sizes() {
        for (text, bytes) in [("512B", 512), ("1KiB", 1024), ("64MiB", 64 << 20), ("1GiB", 1 << 30)] {
            assert_eq!(parse_size(text), Ok(bytes), "{text}");
        }
        for text in ["", "64", "64MB", "64 MiB", "-1MiB", "1.5GiB", "99999999999TiB"] {
            assert!(parse_size(text).is_err(), "{text}");
        }
    }
}
