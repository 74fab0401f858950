//! The settings that a client may read and change.

mod table;
mod value;

pub use table::{Home, Setting, all, find};
pub use value::clamp_timeout;

use crate::error::sqlstate;

use super::refusal::Refusal;

/// A checked assignment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assignment {
    /// What is assigned.
    pub setting: &'static Setting,
    /// The value as SHOW gives it.
    pub value: String,
}

/// Checks `SET name = items`.
pub fn assign(name: &str, items: &[String]) -> Result<Assignment, Refusal> {
    let setting = find(name).ok_or_else(|| unknown(name))?;
    let value = value::canonical(setting, items)?;
    Ok(Assignment { setting, value })
}

/// The setting of `SHOW name`, `RESET name` and `current_setting(name)`; the name is not case-sensitive.
pub fn readable(name: &str) -> Result<&'static Setting, Refusal> {
    find(name).ok_or_else(|| unknown(name))
}

fn unknown(name: &str) -> Refusal {
    Refusal::new("setting", format!("unrecognized configuration parameter \"{name}\""))
        .with_sqlstate(sqlstate::UNDEFINED_OBJECT)
}
