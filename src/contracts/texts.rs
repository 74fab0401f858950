//! Numbers as people read them.

/// `12`, `1,200,000`.
pub fn count(n: u64) -> String {
    let digits = n.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `1 null value`, `12 null values`.
pub(super) fn counted(n: u64, one: &str, many: &str) -> String {
    format!("{} {}", count(n), if n == 1 { one } else { many })
}

/// `45 s`, `12 min`, `3.2 h`, `91 d`. Rounded up, so that what is above a limit never reads as the limit.
pub fn span(seconds: f64) -> String {
    let seconds = seconds.max(0.0);
    let (amount, unit) = match seconds {
        s if s < 60.0 => (s, "s"),
        s if s < 3_600.0 => (s / 60.0, "min"),
        s if s < 172_800.0 => (s / 3_600.0, "h"),
        s => (s / 86_400.0, "d"),
    };
    let tenths = (amount * 10.0 - 1e-6).ceil().max(0.0) + 0.0;
    if tenths >= 1_000.0 || (tenths / 10.0).fract() == 0.0 {
        format!("{:.0} {unit}", (tenths / 10.0).ceil())
    } else {
        format!("{:.1} {unit}", tenths / 10.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts() {
        for (n, text) in [(0, "0"), (999, "999"), (1_000, "1,000"), (12_345, "12,345"), (1_234_567, "1,234,567")] {
            assert_eq!(count(n), text);
        }
        assert_eq!(counted(1, "row", "rows"), "1 row");
        assert_eq!(counted(0, "row", "rows"), "0 rows");
    }

    #[test]
    fn spans() {
        for (seconds, text) in [
            (0.0, "0 s"),
            (45.0, "45 s"),
            (60.0, "1 min"),
            (90.0, "1.5 min"),
            (3_600.0, "1 h"),
            (7_200.0, "2 h"),
            (7_201.0, "2.1 h"),
            (11_520.0, "3.2 h"),
            (172_800.0, "2 d"),
            (7_862_400.0, "91 d"),
            (-5.0, "0 s"),
        ] {
            assert_eq!(span(seconds), text, "{seconds}");
        }
    }
}
