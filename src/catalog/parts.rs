//! The tables of a product file that nothing else in it depends on.

use std::time::Duration;

use super::cron;
use super::product::{ContractSchedule, Deprecation, Owner, Status};
use crate::document::{Place, Table, Value, parse_duration};
use crate::names::ProductId;

const MINUTE: Duration = Duration::from_secs(60);

pub(super) fn tags(value: Option<Value<'_>>) -> Vec<String> {
    let mut tags: Vec<String> = Vec::new();
    for text in value.and_then(Value::texts).unwrap_or_default() {
        if text.known && text.value.trim().is_empty() {
            text.place.error("a tag must not be empty");
        } else if tags.contains(&text.value) {
            text.place.error(format!("the tag \"{}\" stands twice", text.shown()));
        } else {
            tags.push(text.value);
        }
    }
    tags
}

pub(super) fn read_owner(mut table: Table<'_>) -> Option<Owner> {
    let team = table.need("team").and_then(Value::filled_text);
    let contact = table.need("contact").and_then(Value::filled_text);
    if let Some(contact) = contact.as_ref().filter(|t| t.known && !is_email(&t.value)) {
        contact.place.error_with_hint(
            format!("\"{}\" is not an e-mail address", contact.shown()),
            "denials name it so that people know whom to ask; write \"team@example.com\"",
        );
    }
    let slack_channel = table.take("slack_channel").and_then(Value::filled_text).map(|t| t.value);
    table.finish();
    Some(Owner { team: team?.value, contact: contact?.value, slack_channel })
}

fn is_email(text: &str) -> bool {
    let Some((name, host)) = text.rsplit_once('@') else { return false };
    let plain = |c: char| !c.is_whitespace() && !c.is_control() && !"<>()[],;:\"\\".contains(c);
    let labels = host.split('.').all(|l| !l.is_empty() && l.chars().all(|c| c.is_alphanumeric() || c == '-'));
    !name.is_empty() && !name.contains('@') && name.chars().all(plain) && labels
}

pub(super) fn freshness(value: Value<'_>) -> Option<Duration> {
    let text = match value.raw() {
        toml::de::DeValue::String(_) => value.text().filter(|t| t.known)?,
        _ => {
            value.expected("\"realtime\" or a duration in quotes, such as \"1h\"");
            return None;
        }
    };
    if text.value == "realtime" {
        return Some(MINUTE);
    }
    match parse_duration(&text.value) {
        Ok(duration) if duration >= MINUTE => Some(duration),
        Ok(_) => {
            text.place.error_with_hint("freshness must be 1m or longer", "\"realtime\" is 1m");
            None
        }
        Err(hint) => {
            let hint = format!("write \"realtime\", or {}", hint.trim_start_matches("write "));
            text.place.error_with_hint(format!("\"{}\" is not a freshness", text.shown()), hint);
            None
        }
    }
}

pub(super) fn availability(value: Value<'_>) -> Option<f64> {
    let place = value.place().clone();
    let (_, percent) = value.number()?;
    if !(99.0..=100.0).contains(&percent) {
        place.error("availability is a percentage from 99 to 100");
        return None;
    }
    Some(percent)
}

pub(super) fn deprecation<'d>(
    root: &mut Table<'d>,
    status: Option<Status>,
    id: Option<&(ProductId, Place<'d>)>,
) -> (Option<Deprecation>, Option<(ProductId, Place<'d>)>) {
    let Some(mut table) = root.table("deprecation") else {
        if status == Some(Status::Deprecated) && !root.has("deprecation") {
            let hint = "add [deprecation] with replaced_by, sunset and message, as far as they are known";
            root.missing("a deprecated product needs [deprecation]", Some(hint.to_owned()));
        }
        return (None, None);
    };
    if let (Some(Status::Draft | Status::Published), Some(place)) = (status, table.place()) {
        place.error_with_hint(
            "[deprecation] belongs to status = \"deprecated\"",
            "write status = \"deprecated\", or remove [deprecation]",
        );
    }
    let replaced_by = table.take("replaced_by").and_then(Value::text).filter(|t| t.known).and_then(|text| {
        let parsed = ProductId::parse(&text.value);
        match &parsed {
            None => {
                let message = format!("\"{}\" is not a product id", text.shown());
                text.place.error_with_hint(message, "write DOMAIN.PRODUCT");
            }
            Some(other) if id.is_some_and(|(id, _)| id == other) => {
                text.place.error("a product cannot be replaced by itself");
            }
            Some(_) => {}
        }
        Some((parsed?, text.place))
    });
    let sunset = table.take("sunset").and_then(Value::date);
    let message = table.take("message").and_then(Value::filled_text).map(|t| t.value);
    table.finish();
    let deprecation = Deprecation { replaced_by: replaced_by.as_ref().map(|(id, _)| id.clone()), sunset, message };
    (Some(deprecation), replaced_by)
}

pub(super) fn schedule(mut table: Table<'_>) -> Option<ContractSchedule> {
    let both = table.has("interval") == table.has("cron");
    let place = table.place()?;
    let interval = table.take("interval").and_then(|v| v.duration(MINUTE));
    let cron = table.take("cron").and_then(Value::filled_text).filter(|t| t.known);
    table.finish();
    if both {
        place.error_with_hint(
            "[contract] has either interval or cron",
            "write interval = \"15m\", or cron = \"0 6 * * *\"",
        );
        return None;
    }
    if let Some(text) = &cron
        && let Err(why) = cron::check(&text.value)
    {
        text.place.error_with_hint(why, "write minute, hour, day, month and weekday, such as \"0 6 * * *\"");
    }
    interval.map(ContractSchedule::Interval).or_else(|| cron.map(|t| ContractSchedule::Cron(t.value)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        for good in ["marketing-data@example.com", "a.b+c@mail.example.co.uk", "team@intranet"] {
            assert!(is_email(good), "{good}");
        }
        for bad in
            ["", "example.com", "@example.com", "a@", "a b@example.com", "a@b@c.d", "a@.com", "<a@b.c>", "#channel"]
        {
            assert!(!is_email(bad), "{bad}");
        }
    }
}
