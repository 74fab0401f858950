//! Values as Postgres reads and shows them.

use crate::error::sqlstate;

use super::super::refusal::Refusal;
use super::number::{BadNumber, read_integer, read_milliseconds, show_milliseconds};
use super::table::{Home, Setting, Values};
use super::zone;

/// The value as SHOW gives it.
pub(super) fn canonical(setting: &'static Setting, text: &str, current: Option<&str>) -> Result<String, Refusal> {
    let value = match setting.values {
        Values::Boolean => match boolean(text) {
            Some(on) => (if on { "on" } else { "off" }).to_owned(),
            None => return Err(refusal(format!("parameter \"{}\" requires a Boolean value", setting.name))),
        },
        Values::Integer(low, high) => integer(setting, text, low, high)?,
        Values::Milliseconds => match read_milliseconds(text) {
            Ok(milliseconds) => show_milliseconds(milliseconds),
            Err(BadNumber::Range(value)) => return Err(outside(setting, &format!("{value} ms"), 0, 2_147_483_647)),
            Err(BadNumber::Unit) => {
                return Err(invalid(setting, text).with_hint(
                    "Valid units for this parameter are \"us\", \"ms\", \"s\", \"min\", \"h\", and \"d\".",
                ));
            }
            Err(BadNumber::Syntax) => return Err(invalid(setting, text)),
        },
        Values::OneOf(words) => match words.iter().find(|word| word.eq_ignore_ascii_case(text)) {
            Some(word) => (*word).to_owned(),
            None if setting.home == Home::Pinned => return Err(pinned(setting)),
            None => {
                let hint = format!("Available values: {}.", words.join(", "));
                return Err(invalid(setting, text).with_hint(hint));
            }
        },
        Values::Name => printable(text),
        Values::Encoding => encoding(text).ok_or_else(|| pinned(setting))?,
        Values::TimeZone => zone::canonical(text).ok_or_else(|| invalid(setting, text))?,
        Values::DateStyle => date_style(text, current.unwrap_or(setting.default)).ok_or_else(|| {
            invalid(setting, text).with_hint("A style is ISO, SQL, Postgres or German, an order is MDY, DMY or YMD.")
        })?,
        Values::Names => text.to_owned(),
    };
    if setting.home == Home::Pinned && value != setting.default { Err(pinned(setting)) } else { Ok(value) }
}

/// In Postgres' words: the value does not fit.
pub(super) fn invalid(setting: &Setting, text: &str) -> Refusal {
    refusal(format!("invalid value for parameter \"{}\": \"{text}\"", setting.name))
}

fn refusal(message: String) -> Refusal {
    Refusal::new("setting", message).with_sqlstate(sqlstate::INVALID_PARAMETER_VALUE)
}

fn pinned(setting: &Setting) -> Refusal {
    Refusal::new("setting", format!("parameter \"{}\" may not be changed", setting.name))
        .with_hint(format!("It is always {}.", setting.default))
}

fn outside(setting: &Setting, value: &str, low: i64, high: i64) -> Refusal {
    refusal(format!("{value} is outside the valid range for parameter \"{}\" ({low} .. {high})", setting.name))
}

fn integer(setting: &Setting, text: &str, low: i64, high: i64) -> Result<String, Refusal> {
    match read_integer(text) {
        Ok(value) if (low..=high).contains(&value) => Ok(value.to_string()),
        Ok(value) => Err(outside(setting, &value.to_string(), low, high)),
        Err(_) => Err(invalid(setting, text)),
    }
}

/// Postgres' rule: any beginning of a word that is the beginning of that word alone.
fn boolean(text: &str) -> Option<bool> {
    let text = text.to_ascii_lowercase();
    let begins = |word: &str, at_least: usize| text.len() >= at_least && word.starts_with(text.as_str());
    if begins("true", 1) || begins("yes", 1) || text == "on" || text == "1" {
        Some(true)
    } else if begins("false", 1) || begins("no", 1) || begins("off", 2) || text == "0" {
        Some(false)
    } else {
        None
    }
}

/// What is not printable ASCII becomes a question mark, as in Postgres 15.
fn printable(text: &str) -> String {
    text.bytes().take(63).map(|b| if (0x20..0x7f).contains(&b) { char::from(b) } else { '?' }).collect()
}

/// Postgres compares encodings' names by their letters and digits alone.
fn encoding(text: &str) -> Option<String> {
    let name: String = text.chars().filter(char::is_ascii_alphanumeric).collect();
    matches!(name.to_ascii_lowercase().as_str(), "utf8" | "unicode").then(|| "UTF8".to_owned())
}

/// A style, an order, or both; what is not said stays as it is.
fn date_style(text: &str, current: &str) -> Option<String> {
    let mut style = None;
    let mut order = None;
    // Postgres takes a repetition, but not two that differ.
    let set = |slot: &mut Option<&'static str>, value: &'static str| match slot {
        Some(other) if *other != value => None,
        _ => {
            *slot = Some(value);
            Some(())
        }
    };
    let (mut current_style, mut current_order) = current.split_once(", ")?;
    let words: Vec<String> = text.split(',').map(|word| word.trim().to_ascii_lowercase()).collect();
    for word in &words {
        match word.as_str() {
            "iso" => set(&mut style, "ISO")?,
            "sql" => set(&mut style, "SQL")?,
            "german" => {
                set(&mut style, "German")?;
                current_order = "DMY";
            }
            "ymd" => set(&mut order, "YMD")?,
            "default" => (current_style, current_order) = ("ISO", "MDY"),
            "dmy" => set(&mut order, "DMY")?,
            "mdy" | "us" => set(&mut order, "MDY")?,
            other if other.starts_with("postgres") => set(&mut style, "Postgres")?,
            other if other.starts_with("euro") => set(&mut order, "DMY")?,
            other if other.starts_with("noneuro") => set(&mut order, "MDY")?,
            _ => return None,
        }
    }
    Some(format!("{}, {}", style.unwrap_or(current_style), order.unwrap_or(current_order)))
}
