//! TOML documents: a typed reader that keeps the place of every key and value, so that a mistake is told with its file,
//! line, column and what to write instead, and all mistakes at once.
//!
//! A [`Document`] is parsed text. A [`Table`] hands out [`Value`]s by key and remembers which keys it was asked for: what is
//! left over when it is finished is an unknown key. Readers push what they find to the document and go on; nothing is
//! thrown at the first mistake.

mod files;
mod findings;
mod table;
mod units;
mod value;
mod variables;

#[cfg(test)]
mod tests;

use std::cell::RefCell;
use std::ops::Range;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use toml::Spanned;
use toml::de::DeTable;

use crate::error::Diagnostics;

pub use files::{read_file, toml_files};
pub use table::{Entry, Table};
pub use units::{parse_duration, parse_size};
pub use value::{Text, Value};
pub use variables::{Environment, Substitution, Unset, Variables};

use findings::Finding;

/// A file's text, with the path that findings name. It is what the state store keeps of a good load.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceFile {
    /// Where it was read from.
    pub path: PathBuf,
    /// What stood there.
    pub text: String,
}

impl SourceFile {
    /// Text with its path.
    pub fn new(path: impl Into<PathBuf>, text: impl Into<String>) -> Self {
        Self { path: path.into(), text: text.into() }
    }
}

/// What was made out of a file that may be wrong: enough to hold other files against it.
#[derive(Debug)]
pub struct Examined<T> {
    /// What was made out; where the file is wrong, a default.
    pub value: T,
    /// Errors and warnings.
    pub findings: Diagnostics,
    /// Not valid TOML: much may be missing from the value.
    pub broken: bool,
}

impl<T> Examined<T> {
    /// The value, when there is no error, and the warnings.
    pub fn accept(self) -> Result<(T, Diagnostics), Diagnostics> {
        if self.findings.has_errors() { Err(self.findings) } else { Ok((self.value, self.findings)) }
    }
}

/// Whether lines of a file may hold a password or key, which no finding may show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Secrecy {
    /// pgveil.toml and policy.toml.
    HoldsSecrets,
    /// Product files.
    Open,
}

/// One parsed file with everything that was found in it.
pub struct Document<'t> {
    path: &'t Path,
    text: &'t str,
    root: Spanned<DeTable<'t>>,
    secrecy: Secrecy,
    substitution: Substitution<'t>,
    findings: RefCell<Vec<Finding>>,
    hidden: RefCell<Vec<Range<usize>>>,
}

impl<'t> Document<'t> {
    /// Parses a file. Syntax errors become findings; what could be read can be read.
    pub fn parse(file: &'t SourceFile, secrecy: Secrecy, substitution: Substitution<'t>) -> Self {
        let (root, errors) = DeTable::parse_recoverable(&file.text);
        let findings = errors.iter().map(|e| findings::syntax(&file.text, e)).collect();
        let document = Self {
            path: &file.path,
            text: &file.text,
            root,
            secrecy,
            substitution,
            findings: RefCell::new(findings),
            hidden: RefCell::new(Vec::new()),
        };
        if secrecy == Secrecy::HoldsSecrets {
            document.hide_secrets(document.root.get_ref());
        }
        document
    }
    /// The file's path.
    pub fn path(&self) -> &'t Path {
        self.path
    }
    /// The file's text.
    pub fn text(&self) -> &'t str {
        self.text
    }
    /// Whether the file is not valid TOML: what was read of it is not all that stands there.
    pub fn is_broken(&self) -> bool {
        self.findings.borrow().iter().any(Finding::is_syntax)
    }
    /// The file's own tables and keys.
    pub fn root(&self) -> Table<'_> {
        Table::root([self])
    }
    /// Everything that was found, in the order of lines.
    pub fn finish(self) -> Diagnostics {
        findings::render(&self)
    }
    /// The directory that relative paths in the file start from.
    fn directory(&self) -> &Path {
        self.path.parent().unwrap_or(Path::new(""))
    }
    fn record(&self, finding: Finding) {
        self.findings.borrow_mut().push(finding);
    }
    fn hide(&self, span: Range<usize>) {
        self.hidden.borrow_mut().push(span);
    }
}

/// A byte range of a document: where a finding points.
#[derive(Clone)]
pub struct Place<'d> {
    document: &'d Document<'d>,
    span: Range<usize>,
}

impl<'d> Place<'d> {
    fn new(document: &'d Document<'d>, span: Range<usize>) -> Self {
        Self { document, span }
    }
    /// The byte range.
    pub fn span(&self) -> Range<usize> {
        self.span.clone()
    }
    /// The file.
    pub fn path(&self) -> &'d Path {
        self.document.path
    }
    /// `FILE:LINE`, for messages that name a second place.
    pub fn file_and_line(&self) -> String {
        let before = self.document.text.get(..self.span.start).unwrap_or_default();
        format!("{}:{}", self.document.path.display(), before.matches('\n').count() + 1)
    }
    /// Records an error here.
    pub fn error(&self, message: impl Into<String>) {
        self.document.record(Finding::error(self.span(), message));
    }
    /// Records an error here, with what to write instead.
    pub fn error_with_hint(&self, message: impl Into<String>, hint: impl Into<String>) {
        self.document.record(Finding::error(self.span(), message).with_hint(Some(hint.into())));
    }
    /// Records an error here whose hint is the nearest of the names that would do.
    pub fn error_with_nearest<'n>(
        &self,
        message: impl Into<String>,
        name: &str,
        known: impl IntoIterator<Item = &'n str>,
    ) {
        let hint = nearest(name, known).map(|n| format!("did you mean \"{n}\"?"));
        self.document.record(Finding::error(self.span(), message).with_hint(hint));
    }
    /// Records a warning here.
    pub fn warn(&self, message: impl Into<String>, hint: Option<String>) {
        self.document.record(Finding::error(self.span(), message).with_hint(hint).warning());
    }
    /// A warning about this place that is worded later, when the document is gone.
    pub fn note(&self) -> crate::error::Diagnostic {
        findings::locate(self.document, &Finding::error(self.span(), "").warning())
    }
}

/// The known name that a mistyped one most likely meant.
pub fn nearest<'n>(name: &str, known: impl IntoIterator<Item = &'n str>) -> Option<&'n str> {
    // Names in files are short; what is longer than that is no typing mistake and is not worth a quadratic comparison.
    if name.len() > 256 {
        return None;
    }
    let folded = name.to_ascii_lowercase().replace('-', "_");
    let mut best: Option<(usize, &str)> = None;
    for candidate in known {
        let distance = strsim::damerau_levenshtein(&folded, &candidate.to_ascii_lowercase().replace('-', "_"));
        let bound = 1 + candidate.chars().count().min(name.chars().count()) / 5;
        if distance <= bound && best.is_none_or(|(d, _)| distance < d) {
            best = Some((distance, candidate));
        }
    }
    best.map(|(_, candidate)| candidate)
}
