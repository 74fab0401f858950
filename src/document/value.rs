//! Values, read as what they should be.

use std::fmt::Display;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;
use jiff::civil::Date;
use toml::de::DeValue;

use super::table::shorten;
use super::units::{parse_duration, parse_size, show_duration};
use super::variables::{Piece, Unset, pieces};
use super::{Place, Table};

/// A value with its place and the name of its key.
#[derive(Clone)]
pub struct Value<'d> {
    key: String,
    place: Place<'d>,
    value: &'d DeValue<'d>,
}

/// A string after variables were replaced.
#[derive(Clone)]
pub struct Text<'d> {
    /// The string.
    pub value: String,
    /// Where it stands.
    pub place: Place<'d>,
    /// False when a variable is not set and that is no error here: no rule applies to the value.
    pub known: bool,
    /// What a message may show: the string as it stands in the file.
    written: &'d str,
}

impl Text<'_> {
    /// The string as it stands in the file, for a message: what a variable holds is never shown.
    pub fn shown(&self) -> String {
        shorten(self.written)
    }
    /// Whether variables were replaced in it.
    pub fn substituted(&self) -> bool {
        self.written != self.value
    }
}

impl<'d> Value<'d> {
    pub(super) fn new(key: String, place: Place<'d>, value: &'d DeValue<'d>) -> Self {
        Self { key, place, value }
    }
    /// Where it stands.
    pub fn place(&self) -> &Place<'d> {
        &self.place
    }
    /// The key with its table: `server.listen`.
    pub fn key(&self) -> &str {
        &self.key
    }
    /// The value as TOML has it.
    pub fn raw(&self) -> &'d DeValue<'d> {
        self.value
    }
    /// Records that something else should stand here.
    pub fn expected(&self, what: &str) {
        if matches!(self.value, DeValue::String(_)) && what == "a table" {
            // A name where a table is due may have a password for its value.
            self.place.document.hide(self.place.span());
        }
        let article = match self.value.type_str() {
            kind @ ("integer" | "array") => format!("an {kind}"),
            kind => format!("a {kind}"),
        };
        self.place.error(format!("\"{}\" must be {what}, not {article}", self.key));
    }
    /// A string, with variables replaced.
    pub fn text(self) -> Option<Text<'d>> {
        let DeValue::String(written) = self.value else {
            self.expected("a string");
            return None;
        };
        self.substitute(written)
    }
    /// A string that is not empty.
    pub fn filled_text(self) -> Option<Text<'d>> {
        let key = self.key.clone();
        let text = self.text()?;
        if text.known && text.value.trim().is_empty() {
            text.place.error(format!("\"{key}\" must not be empty"));
            return None;
        }
        Some(text)
    }
    /// An array of strings.
    pub fn texts(self) -> Option<Vec<Text<'d>>> {
        let elements = self.array("an array of strings")?;
        Some(elements.into_iter().filter_map(Value::text).collect())
    }
    /// A string, or an array of strings.
    pub fn text_or_texts(self) -> Option<Vec<Text<'d>>> {
        if matches!(self.value, DeValue::Array(_)) {
            return self.texts();
        }
        if !matches!(self.value, DeValue::String(_)) {
            self.expected("a string or an array of strings");
            return None;
        }
        self.text().map(|text| vec![text])
    }
    /// The elements of an array.
    pub fn array(self, what: &str) -> Option<Vec<Value<'d>>> {
        let DeValue::Array(elements) = self.value else {
            self.expected(what);
            return None;
        };
        let document = self.place.document;
        let element = |e: &'d toml::Spanned<DeValue<'d>>| {
            Value::new(self.key.clone(), Place::new(document, e.span()), e.get_ref())
        };
        Some(elements.iter().map(element).collect())
    }
    /// A table.
    pub fn table(self) -> Option<Table<'d>> {
        let DeValue::Table(entries) = self.value else {
            self.expected("a table");
            return None;
        };
        Some(Table::one(format!("[{}]", self.key), self.place, entries))
    }
    /// An array of tables.
    pub fn tables(self) -> Option<Vec<Table<'d>>> {
        let label = format!("[[{}]]", self.key);
        let elements = self.array(&format!("an array of tables ({label})"))?;
        let table = |v: Value<'d>| match v.value {
            DeValue::Table(entries) => Some(Table::one(label.clone(), v.place, entries)),
            _ => {
                v.expected("a table");
                None
            }
        };
        Some(elements.into_iter().filter_map(table).collect())
    }
    /// true or false
    pub fn boolean(self) -> Option<bool> {
        let DeValue::Boolean(value) = self.value else {
            self.expected("true or false");
            return None;
        };
        Some(*value)
    }
    /// A whole number within bounds.
    pub fn integer<N: TryFrom<i64> + PartialOrd + Display>(self, bounds: RangeInclusive<N>) -> Option<N> {
        let DeValue::Integer(written) = self.value else {
            self.expected("a whole number");
            return None;
        };
        let number = i64::from_str_radix(written.as_str(), written.radix()).ok().and_then(|n| N::try_from(n).ok());
        let number = number.filter(|n| bounds.contains(n));
        if number.is_none() {
            let (low, high) = bounds.into_inner();
            self.place.error(format!("\"{}\" must be a whole number from {low} to {high}", self.key));
        }
        number
    }
    /// A number, with or without a fraction: as it was written (decimal, without separators) and as a float.
    pub fn number(self) -> Option<(String, f64)> {
        let written = match self.value {
            DeValue::Integer(i) if i.radix() == 10 => i.as_str().to_owned(),
            DeValue::Integer(i) => {
                i64::from_str_radix(i.as_str(), i.radix()).map(|n| n.to_string()).unwrap_or_default()
            }
            DeValue::Float(f) => f.as_str().to_owned(),
            _ => {
                self.expected("a number");
                return None;
            }
        };
        match written.parse::<f64>() {
            Ok(value) if value.is_finite() => Some((written.trim_start_matches('+').to_owned(), value)),
            _ => {
                self.place.error(format!("\"{}\" must be a finite number", self.key));
                None
            }
        }
    }
    /// A duration such as "30s", no shorter than `least`.
    pub fn duration(self, least: Duration) -> Option<Duration> {
        let key = self.key.clone();
        let text = self.known_text("a duration in quotes, such as \"30s\"")?;
        match parse_duration(&text.value) {
            Ok(duration) if duration >= least => Some(duration),
            Ok(_) => {
                let least = show_duration(least);
                text.place.error(format!("\"{key}\" must be {least} or longer"));
                None
            }
            Err(hint) => {
                text.place.error_with_hint(format!("\"{}\" is not a duration", text.shown()), hint);
                None
            }
        }
    }
    /// A size such as "64MiB", within bounds.
    pub fn size(self, bounds: RangeInclusive<u64>) -> Option<u64> {
        let key = self.key.clone();
        let text = self.known_text("a size in quotes, such as \"64MiB\"")?;
        match parse_size(&text.value) {
            Ok(size) if bounds.contains(&size) => Some(size),
            Ok(_) => {
                let (low, high) = bounds.into_inner();
                text.place.error(format!("\"{key}\" must be from {low} to {high} bytes"));
                None
            }
            Err(hint) => {
                text.place.error_with_hint(format!("\"{}\" is not a size", text.shown()), hint);
                None
            }
        }
    }
    /// One of some words.
    pub fn choice<T: Copy>(self, words: &[(&str, T)]) -> Option<T> {
        let key = self.key.clone();
        let list = || words.iter().map(|(word, _)| format!("\"{word}\"")).collect::<Vec<_>>().join(", ");
        if !matches!(self.value, DeValue::String(_)) {
            self.expected(&format!("one of {}", list()));
            return None;
        }
        let text = self.text().filter(|t| t.known)?;
        let found = words.iter().find(|(word, _)| *word == text.value).map(|(_, meaning)| *meaning);
        if found.is_none() {
            let near = super::nearest(&text.value, words.iter().map(|(word, _)| *word)).filter(|_| !text.substituted());
            let hint = match near {
                Some(near) => format!("did you mean \"{near}\"?"),
                None => format!("write one of {}", list()),
            };
            text.place.error_with_hint(format!("\"{}\" is no value of \"{key}\"", text.shown()), hint);
        }
        found
    }
    /// A path; a relative one starts at the file's directory.
    pub fn path(self) -> Option<PathBuf> {
        let directory = self.place.document.directory();
        self.filled_text().map(|text| directory.join(text.value))
    }
    /// A day, without quotes.
    pub fn date(self) -> Option<Date> {
        let day = match self.value {
            DeValue::Datetime(d) if d.time.is_none() && d.offset.is_none() => d.date,
            _ => None,
        };
        let Some(day) = day else {
            self.expected("a date without quotes, such as 2027-01-31");
            return None;
        };
        let date = day.to_string().parse();
        if date.is_err() {
            self.place.error(format!("\"{}\" is a day that does not exist", self.key));
        }
        date.ok()
    }
    /// A moment with its offset, without quotes.
    pub fn timestamp(self) -> Option<Timestamp> {
        let DeValue::Datetime(written) = self.value else {
            self.expected("a time without quotes, such as 2025-03-01T00:00:00Z");
            return None;
        };
        if written.date.is_none() || written.time.is_none() || written.offset.is_none() {
            let hint = "write the day, the time and its offset, such as 2025-03-01T00:00:00Z";
            self.place.error_with_hint(format!("\"{}\" must be a time with its offset", self.key), hint);
            return None;
        }
        let moment = written.to_string().parse();
        if moment.is_err() {
            self.place.error(format!("\"{}\" is a time that does not exist", self.key));
        }
        moment.ok()
    }
    /// The value for people's own use, variables replaced in its strings.
    pub fn free(self) -> Option<toml::Value> {
        Some(match self.value {
            DeValue::String(_) => toml::Value::String(self.text()?.value),
            DeValue::Integer(i) => match i64::from_str_radix(i.as_str(), i.radix()) {
                Ok(number) => toml::Value::Integer(number),
                Err(_) => {
                    self.place.error(format!("\"{}\" is out of the range of 64 bits", self.key));
                    return None;
                }
            },
            DeValue::Float(f) => toml::Value::Float(f.as_str().parse().ok()?),
            DeValue::Boolean(b) => toml::Value::Boolean(*b),
            DeValue::Datetime(d) => toml::Value::Datetime(*d),
            DeValue::Array(_) => {
                toml::Value::Array(self.array("an array")?.into_iter().filter_map(Value::free).collect())
            }
            DeValue::Table(_) => toml::Value::Table(self.table()?.free()),
        })
    }
    /// A string whose value is known: not one with a variable that is not set.
    fn known_text(self, what: &str) -> Option<Text<'d>> {
        if !matches!(self.value, DeValue::String(_)) {
            self.expected(what);
            return None;
        }
        self.text().filter(|text| text.known)
    }
    fn substitute(self, written: &'d str) -> Option<Text<'d>> {
        let mut text =
            Text { value: String::with_capacity(written.len()), place: self.place.clone(), known: true, written };
        let mut wrong = false;
        for piece in pieces(written) {
            match self.replace(piece) {
                Replaced::By(value) => text.value.push_str(&value),
                Replaced::Unknown => text.known = false,
                Replaced::Wrong => wrong = true,
            }
        }
        if !text.known {
            written.clone_into(&mut text.value);
        }
        (!wrong).then_some(text)
    }
    fn replace(&self, piece: Piece<'_>) -> Replaced {
        let substitution = self.place.document.substitution;
        match piece {
            Piece::Literal(literal) => Replaced::By(literal.to_owned()),
            Piece::Malformed(text) => {
                let place = self.place_of(text);
                place.error_with_hint(
                    format!("\"{}\" is no variable", shorten(text)),
                    "write ${NAME} or ${file:PATH}, or $${ for a literal ${",
                );
                Replaced::Wrong
            }
            Piece::Variable(name) => {
                let place = self.place_of(&format!("${{{name}}}"));
                if substitution.allowed.is_some_and(|allowed| !allowed.iter().any(|a| a == name)) {
                    let hint =
                        format!("add \"{name}\" to [catalog] env in pgveil.toml, or write $${{ for a literal ${{");
                    place.error_with_hint(format!("this file may not use the variable {name}"), hint);
                    return Replaced::Wrong;
                }
                match substitution.variables.variable(name) {
                    Some(value) => Replaced::By(value),
                    None => {
                        self.unset(&place, format!("the environment variable {name} is not set"), substitution.unset)
                    }
                }
            }
            Piece::File(path) => {
                let place = self.place_of(&format!("${{file:{path}}}"));
                if substitution.allowed.is_some() {
                    place.error_with_hint(
                        "this file may not read other files",
                        "write $${ for a literal ${; product files may use the variables of [catalog] env alone",
                    );
                    return Replaced::Wrong;
                }
                let path = self.place.document.directory().join(Path::new(path));
                match substitution.variables.file(&path) {
                    Ok(value) => Replaced::By(value),
                    Err(why) => {
                        self.unset(&place, format!("{} cannot be read: {why}", path.display()), substitution.unset)
                    }
                }
            }
        }
    }
    fn unset(&self, place: &Place<'_>, message: String, unset: Unset) -> Replaced {
        match unset {
            Unset::Error => {
                place.error(message);
                Replaced::Wrong
            }
            Unset::Warning => {
                place.warn(format!("{message}; the value of \"{}\" is not checked", self.key), None);
                Replaced::Unknown
            }
        }
    }
    /// Where a piece stands in the string, as far as it stands there as it is read (escapes may hide it).
    fn place_of(&self, piece: &str) -> Place<'d> {
        let span = self.place.span();
        let source = self.place.document.text.get(span.clone()).unwrap_or_default();
        let span = source.find(piece).map_or(span.clone(), |at| span.start + at..span.start + at + piece.len());
        Place::new(self.place.document, span)
    }
}

enum Replaced {
    By(String),
    Unknown,
    Wrong,
}

impl<'d> Table<'d> {
    /// A table of people's own keys.
    pub fn free(self) -> toml::Table {
        self.entries().into_iter().filter_map(|e| Some((e.name.to_owned(), e.value.free()?))).collect()
    }
}
