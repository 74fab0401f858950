//! Tables that remember which keys they were asked for.

use std::collections::BTreeMap;
use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::error::NOT_YET;

use super::findings::Finding;
use super::{Document, Place, Value, nearest};

/// The part of a table that stands in one document.
#[derive(Clone)]
struct Part<'d> {
    place: Place<'d>,
    entries: &'d DeTable<'d>,
}

/// A table, possibly merged from several documents.
#[must_use = "call `finish`, which reports unknown keys"]
pub struct Table<'d> {
    /// How messages call it: `[server]`; empty for the root.
    label: String,
    parts: Vec<Part<'d>>,
    known: Vec<&'static str>,
}

/// A named entry of a table of names: `[roles.NAME]`.
pub struct Entry<'d> {
    /// The name.
    pub name: &'d str,
    /// Where the name stands.
    pub place: Place<'d>,
    /// What it names.
    pub value: Value<'d>,
}

impl<'d> Table<'d> {
    /// The root of one document, or of several that are read as one.
    pub fn root(documents: impl IntoIterator<Item = &'d Document<'d>>) -> Self {
        let parts = documents
            .into_iter()
            .map(|document| Part { place: Place::new(document, 0..0), entries: document.root.get_ref() })
            .collect();
        Self { label: String::new(), parts, known: Vec::new() }
    }
    pub(super) fn one(label: String, place: Place<'d>, entries: &'d DeTable<'d>) -> Self {
        Self { label, parts: vec![Part { place, entries }], known: Vec::new() }
    }
    /// Where the table begins; `None` when no document has it.
    pub fn place(&self) -> Option<Place<'d>> {
        self.parts.first().map(|part| part.place.clone())
    }
    /// Every key that is there, whether it was asked for or not.
    pub fn has(&self, key: &str) -> bool {
        self.parts.iter().any(|part| part.entries.contains_key(key))
    }
    /// The value of a key. Two documents that both have it are an error.
    pub fn take(&mut self, key: &'static str) -> Option<Value<'d>> {
        self.known.push(key);
        let mut found: Option<(Place<'d>, Value<'d>)> = None;
        for part in &self.parts {
            let Some((spanned, value)) = part.entries.get_key_value(key) else { continue };
            let place = self.place_in(part, spanned.span());
            match &found {
                None => found = Some((place, self.value(part, key, value))),
                Some((first, _)) => defined_twice(&place, first, &self.name_of(key)),
            }
        }
        found.map(|(_, value)| value)
    }
    /// The value of a key that must be there.
    pub fn need(&mut self, key: &'static str) -> Option<Value<'d>> {
        let value = self.take(key);
        if value.is_none() {
            let name =
                if self.label.is_empty() { format!("\"{key}\"") } else { format!("\"{key}\" in {}", self.label) };
            self.missing(format!("{name} is missing"), None);
        }
        value
    }
    /// Records that something is missing from the table.
    pub fn missing(&self, message: impl Into<String>, hint: Option<String>) {
        if let Some(place) = self.place() {
            place.document.record(Finding::missing(place.span(), message).with_hint(hint));
        }
    }
    /// The value of a key that FORMATS has and that nothing reads yet; says so.
    pub fn take_later(&mut self, key: &'static str) -> Option<Value<'d>> {
        let value = self.take(key)?;
        value.place().warn(format!("{}{NOT_YET}", self.name_of(key)), None);
        Some(value)
    }
    /// The table under a key, merged from every document that has it.
    pub fn table(&mut self, key: &'static str) -> Option<Table<'d>> {
        self.known.push(key);
        let mut parts = Vec::new();
        let label = self.path_of(key);
        for part in &self.parts {
            let Some(value) = part.entries.get(key) else { continue };
            match value.get_ref() {
                DeValue::Table(entries) => {
                    parts.push(Part { place: self.place_in(part, value.span()), entries });
                }
                DeValue::String(_)
                | DeValue::Integer(_)
                | DeValue::Float(_)
                | DeValue::Boolean(_)
                | DeValue::Datetime(_)
                | DeValue::Array(_) => self.value(part, key, value).expected("a table"),
            }
        }
        (!parts.is_empty()).then(|| Table { label: format!("[{label}]"), parts, known: Vec::new() })
    }
    /// The table under a key, with every entry of it. A name that is defined twice is an error naming both places.
    pub fn named(&mut self, key: &'static str) -> Vec<Entry<'d>> {
        let Some(table) = self.table(key) else { return Vec::new() };
        table.entries()
    }
    /// Every entry, in the order of names. Nothing is left to be unknown.
    pub fn entries(self) -> Vec<Entry<'d>> {
        let mut found: BTreeMap<&'d str, Entry<'d>> = BTreeMap::new();
        for part in &self.parts {
            for (key, value) in part.entries {
                let name: &'d str = key.get_ref();
                let place = self.place_in(part, key.span());
                if let Some(first) = found.get(name) {
                    defined_twice(&place, &first.place, &self.name_of(name));
                    continue;
                }
                let value = self.value(part, name, value);
                found.insert(name, Entry { name, place, value });
            }
        }
        found.into_values().collect()
    }
    /// Reports every key that was not asked for.
    pub fn finish(self) {
        for part in &self.parts {
            for (key, value) in part.entries {
                let name: &str = key.get_ref();
                if !self.known.contains(&name) {
                    part.place.document.hide_all(value);
                    let whole = if self.label.is_empty() { String::new() } else { format!(" in {}", self.label) };
                    let hint = match nearest(name, self.known.iter().copied()) {
                        Some(near) => format!("did you mean \"{near}\"?"),
                        None if self.known.is_empty() => "no key is known here".to_owned(),
                        None => format!("known keys here: {}", self.known.join(", ")),
                    };
                    let finding = Finding::error(key.span(), format!("unknown key \"{}\"{whole}", shorten(name)));
                    part.place.document.record(finding.with_hint(Some(hint)));
                }
            }
        }
    }
    fn value(&self, part: &Part<'d>, key: &str, value: &'d Spanned<DeValue<'d>>) -> Value<'d> {
        Value::new(self.path_of(key), self.place_in(part, value.span()), value.get_ref())
    }
    fn place_in(&self, part: &Part<'d>, span: Range<usize>) -> Place<'d> {
        Place::new(part.place.document, span)
    }
    fn path_of(&self, key: &str) -> String {
        let parent = self.label.trim_matches(['[', ']']);
        if parent.is_empty() { key.to_owned() } else { format!("{parent}.{key}") }
    }
    /// `[server] listen`
    fn name_of(&self, key: &str) -> String {
        if self.label.is_empty() { key.to_owned() } else { format!("{} {key}", self.label) }
    }
}

fn defined_twice(second: &Place<'_>, first: &Place<'_>, name: &str) {
    let place = first.file_and_line();
    second.error_with_hint(format!("{name} is already defined at {place}"), "keep one of the two definitions");
}

/// A name for a message: a long one is cut.
pub(super) fn shorten(name: &str) -> String {
    const LONGEST: usize = 60;
    if name.chars().count() <= LONGEST {
        return name.escape_debug().to_string();
    }
    let cut: String = name.chars().take(LONGEST).collect();
    format!("{}…", cut.escape_debug())
}
