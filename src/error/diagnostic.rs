//! What is wrong in a TOML file: file, line, column, the line itself with a caret, and what to write instead.

use std::fmt;
use std::path::{Path, PathBuf};

/// Whether a finding stops a load.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// The file cannot be used.
    Error,
    /// The file can be used; somebody should know.
    Warning,
}

/// How the message ends about a key that this version accepts and does not act on.
pub const NOT_YET: &str = " is accepted, but not yet in force";

/// One finding.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Diagnostic {
    /// Error or warning.
    pub level: Level,
    /// The file.
    pub file: PathBuf,
    /// Line, from 1; 0 when the finding is about the file as a whole.
    pub line: usize,
    /// Column in characters, from 1; 0 with line 0.
    pub column: usize,
    /// How many characters the caret line marks.
    pub width: usize,
    /// The source line, without its end. Never a line that holds a secret.
    pub source_line: String,
    /// What is wrong, in one sentence without a full stop.
    pub message: String,
    /// What to write instead.
    pub hint: Option<String>,
}

impl Diagnostic {
    /// A finding about a whole file (it is missing, cannot be read…).
    pub fn whole_file(file: &Path, message: impl Into<String>) -> Self {
        Self {
            level: Level::Error,
            file: file.to_owned(),
            line: 0,
            column: 0,
            width: 0,
            source_line: String::new(),
            message: message.into(),
            hint: None,
        }
    }
    /// A finding at a byte range of the file's text.
    pub fn at(file: &Path, text: &str, span: std::ops::Range<usize>, message: impl Into<String>) -> Self {
        let start = text.floor_char_boundary(span.start.min(text.len()));
        let end = text.floor_char_boundary(span.end.clamp(start, text.len()));
        let before = text.get(..start).unwrap_or_default();
        let line_start = before.rfind('\n').map_or(0, |n| n + 1);
        let rest = text.get(line_start..).unwrap_or_default();
        let source_line = rest.lines().next().unwrap_or_default().to_owned();
        let marked = text.get(start..end).unwrap_or_default();
        let width = marked.lines().next().unwrap_or_default().chars().count().max(1);
        Self {
            level: Level::Error,
            file: file.to_owned(),
            line: before.matches('\n').count() + 1,
            column: text.get(line_start..start).unwrap_or_default().chars().count() + 1,
            width,
            source_line,
            message: message.into(),
            hint: None,
        }
    }
    /// Adds what to write instead.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
    /// Makes it a warning.
    #[must_use]
    pub fn warning(mut self) -> Self {
        self.level = Level::Warning;
        self
    }
    /// The key that the finding says is not yet in force, when it says that.
    pub fn not_yet_in_force(&self) -> Option<&str> {
        self.message.split_once(NOT_YET).map(|(key, _)| key)
    }
    /// Drops the source line, for a line that may hold a secret.
    #[must_use]
    pub fn without_source(mut self) -> Self {
        self.source_line.clear();
        self
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let level = match self.level {
            Level::Error => "error",
            Level::Warning => "warning",
        };
        write!(f, "{level}: {}", self.message)?;
        if self.line == 0 {
            write!(f, "\n  --> {}", self.file.display())?;
        } else {
            write!(f, "\n  --> {}:{}:{}", self.file.display(), self.line, self.column)?;
            if !self.source_line.is_empty() {
                let gutter = self.line.to_string().len();
                // Tabs stay tabs in the padding, so that the caret stands under its character.
                let pad: String = self
                    .source_line
                    .chars()
                    .take(self.column - 1)
                    .map(|c| if c == '\t' { '\t' } else { ' ' })
                    .collect();
                write!(
                    f,
                    "\n{:gutter$} |\n{} | {}\n{:gutter$} | {pad}{}",
                    "",
                    self.line,
                    self.source_line,
                    "",
                    "^".repeat(self.width)
                )?;
            }
        }
        if let Some(hint) = &self.hint {
            write!(f, "\n  help: {hint}")?;
        }
        Ok(())
    }
}

/// All findings of a load, in the order of files and lines.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Diagnostics(Vec<Diagnostic>);

impl Diagnostics {
    /// Adds a finding.
    pub fn push(&mut self, diagnostic: Diagnostic) {
        self.0.push(diagnostic);
    }
    /// Takes over the findings of another load.
    pub fn extend(&mut self, other: Diagnostics) {
        self.0.extend(other.0);
    }
    /// Whether any finding stops the load.
    pub fn has_errors(&self) -> bool {
        self.0.iter().any(|d| d.level == Level::Error)
    }
    /// Whether there is none at all.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
    /// The findings, sorted by file, line and column.
    pub fn sorted(mut self) -> Vec<Diagnostic> {
        self.0.sort_by(|a, b| (&a.file, a.line, a.column, &a.message).cmp(&(&b.file, b.line, b.column, &b.message)));
        self.0
    }
    /// The findings in the order in which they were made.
    pub fn iter(&self) -> std::slice::Iter<'_, Diagnostic> {
        self.0.iter()
    }
}

impl fmt::Display for Diagnostics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, diagnostic) in self.0.iter().enumerate() {
            if n > 0 {
                f.write_str("\n\n")?;
            }
            diagnostic.fmt(f)?;
        }
        Ok(())
    }
}
