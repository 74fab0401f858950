//! The settings that a client may read and change: each with what it takes, how Postgres shows it, and where it lives.
//!
//! What stands here under [`Home::Forwarded`] can change no mask and no filter (see `masks` and `filters`).

mod names;
mod number;
mod table;
mod value;
mod zone;

pub use names::{join_names, split_names};
pub use number::{clamp_timeout, milliseconds, show_milliseconds};
pub use table::{Home, Setting, Values, all, find};

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

/// Checks `SET name = items`. `current` is the value in force, of which DATESTYLE may keep a part.
pub fn assign(name: &str, items: &[String], current: Option<&str>) -> Result<Assignment, Refusal> {
    let setting = changeable(name)?;
    let value = match setting.values {
        Values::Names => join_names(items),
        Values::DateStyle => value::canonical(setting, &items.join(", "), current)?,
        _ => match items {
            [single] => value::canonical(setting, single, current)?,
            _ => {
                return Err(Refusal::new("setting", format!("SET {} takes only one argument", setting.name))
                    .with_sqlstate(sqlstate::INVALID_PARAMETER_VALUE));
            }
        },
    };
    Ok(Assignment { setting, value })
}

/// Checks a value that comes as one text: start-up parameters and `options=-c name=value`. A list is split here.
pub fn assign_text(name: &str, text: &str, current: Option<&str>) -> Result<Assignment, Refusal> {
    let setting = changeable(name)?;
    let value = match setting.values {
        Values::Names => join_names(&split_names(text).ok_or_else(|| value::invalid(setting, text))?),
        _ => value::canonical(setting, text, current)?,
    };
    Ok(Assignment { setting, value })
}

/// The setting of `SHOW name` and `current_setting(name)`.
pub fn readable(name: &str) -> Result<&'static Setting, Refusal> {
    find(name).ok_or_else(|| {
        if table::exists(name) {
            refused(name, "read")
        } else {
            // pgveil's own settings of a warehouse connection do not exist for a client.
            unknown(name)
        }
    })
}

/// The setting of `RESET name`, `SET name TO DEFAULT`: what cannot be changed has nothing to reset, and Postgres says so.
pub fn changeable(name: &str) -> Result<&'static Setting, Refusal> {
    match find(name) {
        Some(setting) if setting.home == Home::ReadOnly => {
            let refusal = Refusal::new("setting", format!("parameter \"{}\" cannot be changed", setting.name));
            Err(refusal.with_sqlstate(sqlstate::CANT_CHANGE_RUNTIME_PARAM))
        }
        Some(setting) => Ok(setting),
        None if name.contains('.') => Err(Refusal::new("setting", format!("parameter \"{name}\" is not allowed"))
            .with_hint(
                "Settings of one's own are not kept; row filters read the attributes that policy gives a user.",
            )),
        None if table::exists(name) => Err(refused(name, "changed")),
        None => Err(unknown(name)),
    }
}

fn refused(name: &str, what: &str) -> Refusal {
    Refusal::new("setting", format!("parameter \"{name}\" may not be {what}"))
        .with_hint("SHOW ALL lists the settings that are available.")
}

fn unknown(name: &str) -> Refusal {
    Refusal::new("setting", format!("unrecognized configuration parameter \"{name}\""))
        .with_sqlstate(sqlstate::UNDEFINED_OBJECT)
}

#[cfg(test)]
mod tests;
