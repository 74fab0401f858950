//! The bounds of a range check, held against the type of the column that they bound.

use jiff::Timestamp;
use jiff::civil::{Date, DateTime, Time};
use toml::de::DeValue;

use super::product::ContractType;
use crate::document::{Table, Text, Value};

/// `min` and `max` as they are written into SQL.
pub(super) type Bounds = (Option<String>, Option<String>);

/// Reads `params` of a range check over a column of this type.
pub(super) fn read(table: &Table<'_>, params: Option<Table<'_>>, column: Option<ContractType>) -> Option<Bounds> {
    let Some(mut params) = params else {
        table.missing("a range check needs params = { min = …, max = … }", None);
        return None;
    };
    let place = params.place()?;
    let (min, max) = (params.take("min"), params.take("max"));
    params.finish();
    if min.is_none() && max.is_none() {
        place.error("a range check needs min, max or both");
        return None;
    }
    let read = |value: Option<Value<'_>>| value.map(|value| bound(value, column));
    let (min, max) = (read(min), read(max));
    let written = |bound: &Option<Option<Bound>>| match bound {
        None => Some(None),
        Some(None) => None,
        Some(Some(bound)) => Some(Some(bound.written.clone())),
    };
    let bounds = (written(&min)?, written(&max)?);
    if let (Some(Some(low)), Some(Some(high))) = (min, max)
        && low.order.zip(high.order).is_some_and(|(low, high)| low > high)
    {
        place.error("min is above max");
    }
    Some(bounds)
}

struct Bound {
    written: String,
    /// Comparable within one type; `None`: only the warehouse can compare it.
    order: Option<f64>,
}

fn bound(value: Value<'_>, column: Option<ContractType>) -> Option<Bound> {
    let place = value.place().clone();
    let (form, found) = read_bound(value)??;
    let suits = match column {
        None => true,
        Some(ContractType::Integer | ContractType::Float | ContractType::Decimal) => {
            matches!(form, Form::Number | Form::Digits)
        }
        Some(ContractType::Date | ContractType::Timestamp) => matches!(form, Form::Date | Form::DateTime),
        Some(ContractType::Time) => form == Form::Time,
        Some(ContractType::String) => form != Form::Number,
        Some(ContractType::Interval) => matches!(form, Form::Text | Form::Time),
        // A range check over these is an error of its own.
        Some(ContractType::Boolean | ContractType::Json | ContractType::Array) => true,
        Some(ContractType::Uuid | ContractType::Bytes) => true,
    };
    if !suits {
        let what = match column {
            Some(ContractType::Date) => "a date, such as 2025-03-01",
            Some(ContractType::Timestamp) => "a moment, such as 2025-03-01T00:00:00Z",
            Some(ContractType::Time) => "a time of day, such as 08:30:00",
            Some(ContractType::String | ContractType::Interval) => "a string",
            _ => "a number",
        };
        place.error_with_hint("the bound does not suit the column's type", format!("write {what}"));
        return None;
    }
    Some(found)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Number,
    /// A string that is a number: what a variable holds cannot be written otherwise.
    Digits,
    Date,
    DateTime,
    Time,
    Text,
}

/// The outer `None`: the value was told to be wrong; the inner: a variable is not set here, and no rule applies.
fn read_bound(value: Value<'_>) -> Option<Option<(Form, Bound)>> {
    match value.raw() {
        DeValue::Integer(_) | DeValue::Float(_) => {
            let (written, number) = value.number()?;
            Some(Some((Form::Number, Bound { written, order: Some(number) })))
        }
        DeValue::Datetime(moment) => Some(Some(of_text(moment.to_string()))),
        DeValue::String(_) => {
            let text: Text<'_> = value.filled_text()?;
            Some(text.known.then(|| of_text(text.value)))
        }
        DeValue::Boolean(_) | DeValue::Array(_) | DeValue::Table(_) => {
            value.expected("a number, a date or a string");
            None
        }
    }
}

fn of_text(written: String) -> (Form, Bound) {
    let seconds = |at: DateTime| at.to_zoned(jiff::tz::TimeZone::UTC).ok().map(|z| z.timestamp().as_second() as f64);
    let digits = !written.contains(|c: char| !c.is_ascii_digit() && !"+-.eE".contains(c));
    let number = written.parse::<f64>().ok().filter(|number| digits && number.is_finite());
    let (form, order) = if number.is_some() {
        (Form::Digits, number)
    } else if let Ok(at) = written.parse::<Timestamp>() {
        (Form::DateTime, Some(at.as_second() as f64))
    } else if let (Ok(day), true) = (written.parse::<Date>(), written.len() <= 10) {
        (Form::Date, seconds(day.to_datetime(Time::midnight())))
    } else if let (Ok(at), true) = (written.parse::<DateTime>(), written.len() > 10) {
        (Form::DateTime, seconds(at))
    } else if let Ok(at) = written.parse::<Time>() {
        (Form::Time, Some(f64::from(at.hour()) * 3600.0 + f64::from(at.minute()) * 60.0 + f64::from(at.second())))
    } else {
        (Form::Text, None)
    };
    (form, Bound { written, order })
}
