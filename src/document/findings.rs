//! What was found in a document, and how it is shown without a secret.

use std::ops::Range;

use toml::de::{DeTable, DeValue};

use super::{Document, Secrecy};
use crate::error::{Diagnostic, Diagnostics, Level};

/// A finding before it is rendered.
#[derive(Clone)]
pub(super) struct Finding {
    level: Level,
    span: Range<usize>,
    message: String,
    hint: Option<String>,
    class: Class,
}

/// How far a finding can be trusted in a file that did not parse.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Class {
    /// The parser's own.
    Syntax,
    /// A key is missing: it may stand in the part that could not be read.
    Missing,
    /// About something that stands in the file.
    Present,
}

impl Finding {
    pub(super) fn error(span: Range<usize>, message: impl Into<String>) -> Self {
        Self { level: Level::Error, span, message: message.into(), hint: None, class: Class::Present }
    }
    pub(super) fn missing(span: Range<usize>, message: impl Into<String>) -> Self {
        Self { class: Class::Missing, ..Self::error(span, message) }
    }
    pub(super) fn is_syntax(&self) -> bool {
        self.class == Class::Syntax
    }
    pub(super) fn with_hint(mut self, hint: Option<String>) -> Self {
        self.hint = hint;
        self
    }
    pub(super) fn warning(mut self) -> Self {
        self.level = Level::Warning;
        self
    }
}

/// A syntax error of the TOML parser.
pub(super) fn syntax(text: &str, error: &toml::de::Error) -> Finding {
    let span = error.span().unwrap_or(0..0);
    let message = format!("this is not valid TOML: {}", error.message());
    let told = error.message();
    let hint = if told == "duplicate key" {
        let key = text.get(span.clone()).unwrap_or_default();
        Some(format!("\"{key}\" stands twice in one table; remove one of them"))
    } else if told.starts_with("invalid basic string") || told.starts_with("invalid literal string") {
        Some("a text ends, on its line, with the quote that it began with; inside of \"…\" a quote is \\\" and a backslash \\\\".to_owned())
    } else if [
        "missing opening quote",
        "string values must be quoted",
        "invalid float",
        "invalid integer",
        "invalid datetime",
    ]
    .iter()
    .any(|start| told.starts_with(start))
    {
        Some("texts, durations, addresses and patterns stand in quotes: key = \"value\"".to_owned())
    } else if told.contains("array") {
        Some("a list is [\"a\", \"b\"], with a comma between its members".to_owned())
    } else {
        None
    };
    Finding { class: Class::Syntax, ..Finding::error(span, message).with_hint(hint) }
}

/// The document's findings as diagnostics.
pub(super) fn render(document: &Document<'_>) -> Diagnostics {
    let findings = document.findings.borrow();
    let broken: Vec<usize> = findings
        .iter()
        .filter(|f| f.class == Class::Syntax)
        .map(|f| line_range(document.text, f.span.start).start)
        .collect();
    // A broken table header moves the keys below it into another table: nothing said of them could be trusted.
    let header_broken =
        broken.iter().any(|start| document.text.get(*start..).unwrap_or_default().trim_start().starts_with('['));
    let mut shown = Diagnostics::default();
    for finding in findings.iter() {
        let trusted = match finding.class {
            Class::Syntax => true,
            Class::Missing => broken.is_empty(),
            Class::Present => !header_broken && !broken.contains(&line_range(document.text, finding.span.start).start),
        };
        if trusted {
            shown.push(locate(document, finding));
        }
    }
    let mut sorted = Diagnostics::default();
    let mut findings = shown.sorted();
    findings.dedup();
    findings.into_iter().for_each(|f| sorted.push(f));
    sorted
}

/// One finding with its line, as far as that may be shown.
pub(super) fn locate(document: &Document<'_>, finding: &Finding) -> Diagnostic {
    let mut shown = Diagnostic::at(document.path, document.text, finding.span.clone(), finding.message.clone());
    shown.level = finding.level;
    shown.hint.clone_from(&finding.hint);
    let line = line_range(document.text, finding.span.start);
    let first_hidden = match (document.secrecy, finding.class) {
        (Secrecy::Open, _) => None,
        // Nothing is known of the line yet: it is shown only when no secret can stand in it.
        (Secrecy::HoldsSecrets, Class::Syntax) => may_hold_secret(document.text, &line).then_some(line.start),
        (Secrecy::HoldsSecrets, _) => {
            let hidden = document.hidden.borrow();
            hidden.iter().filter(|h| h.start < line.end && h.end > line.start).map(|h| h.start).min()
        }
    };
    match first_hidden {
        None => shown,
        Some(hidden) if hidden > finding.span.start => {
            let visible = document.text.get(line.start..hidden).unwrap_or_default();
            let marked = document.text.get(finding.span.start..hidden).unwrap_or_default();
            shown.source_line = format!("{visible}…");
            shown.width = shown.width.min(marked.chars().count()).max(1);
            shown
        }
        Some(_) => shown.without_source(),
    }
}

fn line_range(text: &str, at: usize) -> Range<usize> {
    let at = text.floor_char_boundary(at.min(text.len()));
    let (before, after) = text.split_at_checked(at).unwrap_or((text, ""));
    let start = before.rfind('\n').map_or(0, |n| n + 1);
    let end = at + after.find('\n').unwrap_or(after.len());
    start..end
}

fn may_hold_secret(text: &str, line: &Range<usize>) -> bool {
    let shown = text.get(line.clone()).unwrap_or_default();
    let before = text.get(..line.start).unwrap_or_default();
    let in_long_string = ["\"\"\"", "'''"].iter().any(|q| before.contains(q) || shown.contains(q));
    // A value of any length counts: a quote may be what is missing. A header or a plain number cannot be a password.
    let value = shown.split_once('=').map_or("", |(_, value)| value.trim());
    let harmless = value.chars().all(|c| c.is_ascii_digit() || " _.+-=[]{},:truefals".contains(c));
    in_long_string || !harmless || is_secret_key(shown.split('=').next().unwrap_or_default())
}

/// Whether the value of a key of this name, or of one mistyped like it, may be a secret.
pub(super) fn is_secret_key(key: &str) -> bool {
    let key = key.to_ascii_lowercase();
    ["pas", "pw", "secret", "token", "key", "dsn", "url", "sha256", "webhook"].iter().any(|s| key.contains(s))
}

impl Document<'_> {
    /// Hides every value under a key that names a secret.
    pub(super) fn hide_secrets(&self, table: &DeTable<'_>) {
        for (key, value) in table {
            match value.get_ref() {
                DeValue::Table(inner) => self.hide_secrets(inner),
                DeValue::String(s) if s.contains("://") => self.hide(value.span()),
                _ if is_secret_key(key.get_ref()) => self.hide(value.span()),
                DeValue::Array(_) => self.hide_in_tables(value.get_ref()),
                DeValue::String(_)
                | DeValue::Integer(_)
                | DeValue::Float(_)
                | DeValue::Boolean(_)
                | DeValue::Datetime(_) => {}
            }
        }
    }
    fn hide_in_tables(&self, value: &DeValue<'_>) {
        if let DeValue::Array(elements) = value {
            for element in elements.iter() {
                match element.get_ref() {
                    DeValue::Table(inner) => self.hide_secrets(inner),
                    inner => self.hide_in_tables(inner),
                }
            }
        }
    }
    /// Hides a value of which nothing is known, and everything in it.
    pub(super) fn hide_all(&self, value: &toml::Spanned<DeValue<'_>>) {
        if self.secrecy == Secrecy::Open {
            return;
        }
        match value.get_ref() {
            DeValue::Table(inner) => inner.values().for_each(|v| self.hide_all(v)),
            DeValue::Array(inner) => inner.iter().for_each(|v| self.hide_all(v)),
            DeValue::String(_)
            | DeValue::Integer(_)
            | DeValue::Float(_)
            | DeValue::Boolean(_)
            | DeValue::Datetime(_) => self.hide(value.span()),
        }
    }
}
