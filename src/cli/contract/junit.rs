//! A run as JUnit's XML: a suite for each product, a case for each check.

use std::io::{self, Write};

use crate::contracts::{CheckSeverity, Validation};

/// A failed check of severity `error` is a failure; one of severity `warning` is told in the case's output.
pub(super) fn print(validations: &[Validation], out: &mut dyn Write) -> io::Result<()> {
    let tests: usize = validations.iter().map(|validation| validation.checks.len()).sum();
    let failures: usize = validations.iter().map(|validation| validation.broken().count()).sum();
    writeln!(out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>")?;
    writeln!(out, "<testsuites name=\"pgveil contract run\" tests=\"{tests}\" failures=\"{failures}\">")?;
    for validation in validations {
        writeln!(
            out,
            "  <testsuite name=\"{}\" tests=\"{}\" failures=\"{}\" timestamp=\"{}\" time=\"{}\">",
            escaped(&validation.product.to_string()),
            validation.checks.len(),
            validation.broken().count(),
            validation.started_at.strftime("%Y-%m-%dT%H:%M:%S"),
            seconds(validation.duration_ms)
        )?;
        for check in &validation.checks {
            write!(
                out,
                "    <testcase classname=\"{}\" name=\"{}\" time=\"{}\"",
                escaped(&validation.product.to_string()),
                escaped(&check.name),
                seconds(check.duration_ms)
            )?;
            let message = escaped(&check.message);
            match (check.passed, check.severity) {
                (true, _) => writeln!(out, "/>")?,
                (false, CheckSeverity::Error) => writeln!(
                    out,
                    "><failure type=\"{}\" message=\"{message}\">{message}</failure></testcase>",
                    check.kind.label()
                )?,
                (false, CheckSeverity::Warning) => {
                    writeln!(out, "><system-out>warning: {message}</system-out></testcase>")?;
                }
            }
        }
        writeln!(out, "  </testsuite>")?;
    }
    writeln!(out, "</testsuites>")
}

fn seconds(millis: u64) -> String {
    format!("{}.{:03}", millis / 1_000, millis % 1_000)
}

/// Text between tags or in quotes. What XML has no form for is left out.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&apos;"),
            '\n' | '\r' | '\t' => escaped.push(' '),
            c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => {}
            c => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_cannot_leave_its_place() {
        assert_eq!(escaped("a\"/><b>&'\u{1}\n"), "a&quot;/&gt;&lt;b&gt;&amp;&apos; ");
        assert_eq!((seconds(7), seconds(12_345)), ("0.007".to_owned(), "12.345".to_owned()));
    }
}
