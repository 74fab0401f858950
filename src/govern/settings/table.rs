//! The list of settings.

/// Where a setting lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Home {
    /// A client may change it, and it is applied to the warehouse's connection.
    Forwarded,
    /// A client may change it; pgveil remembers it for SHOW, and what it means happens in pgveil or not at all.
    Local,
    /// It has one value, which a client may set again.
    Pinned,
    /// It can be read alone.
    ReadOnly,
}

/// What values a setting takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Values {
    /// `on` and `off` in all of Postgres' spellings.
    Boolean,
    /// Whole numbers between the bounds.
    Integer(i64, i64),
    /// A time in milliseconds, or with a unit.
    Milliseconds,
    /// One of these words.
    OneOf(&'static [&'static str]),
    /// Printable ASCII, at most 63 bytes.
    Name,
    /// UTF8 in any spelling.
    Encoding,
    /// A time zone's name or offset.
    TimeZone,
    /// An output style and an order of day, month and year.
    DateStyle,
    /// A list of names.
    Names,
}

/// One setting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Setting {
    /// In Postgres' spelling, e.g. `DateStyle`.
    pub name: &'static str,
    /// Where it lives.
    pub home: Home,
    /// Its value until a client changes it, as SHOW gives it. The session knows better for what depends on the user or the
    /// warehouse: `search_path`, `session_authorization`, `statement_timeout`, `server_version`, the locale.
    pub default: &'static str,
    /// What it takes.
    pub values: Values,
    /// Whether its value at the start and each change is reported as ParameterStatus.
    pub reported: bool,
}

const fn setting(home: Home, name: &'static str, default: &'static str, values: Values) -> Setting {
    Setting { name, home, default, values, reported: false }
}

const fn reported(home: Home, name: &'static str, default: &'static str, values: Values) -> Setting {
    Setting { name, home, default, values, reported: true }
}

use Home::{Forwarded, Local, Pinned, ReadOnly};
use Values::{Boolean, Integer, Milliseconds, Name, Names, OneOf};

const BYTEA: Values = OneOf(&["escape", "hex"]);
const INTERVALS: Values = OneOf(&["postgres", "postgres_verbose", "sql_standard", "iso_8601"]);
const ISOLATION: Values = OneOf(&["serializable", "repeatable read", "read committed", "read uncommitted"]);
const MESSAGES: Values =
    OneOf(&["debug5", "debug4", "debug3", "debug2", "debug1", "log", "notice", "warning", "error"]);
const PLANS: Values = OneOf(&["auto", "force_generic_plan", "force_custom_plan"]);

/// In the order of names, without regard to case.
const ALL: &[Setting] = &[
    reported(Forwarded, "application_name", "", Name),
    setting(Forwarded, "bytea_output", "hex", BYTEA),
    reported(Pinned, "client_encoding", "UTF8", Values::Encoding),
    setting(Local, "client_min_messages", "notice", MESSAGES),
    reported(Forwarded, "DateStyle", "ISO, MDY", Values::DateStyle),
    setting(Forwarded, "default_transaction_deferrable", "off", Boolean),
    setting(Forwarded, "default_transaction_isolation", "read committed", ISOLATION),
    reported(Local, "default_transaction_read_only", "on", Boolean),
    // Planner switches: accepted, since tools set them, and kept from the warehouse, where they would only make plans worse.
    setting(Local, "enable_bitmapscan", "on", Boolean),
    setting(Local, "enable_hashagg", "on", Boolean),
    setting(Local, "enable_hashjoin", "on", Boolean),
    setting(Local, "enable_indexscan", "on", Boolean),
    setting(Local, "enable_mergejoin", "on", Boolean),
    setting(Local, "enable_nestloop", "on", Boolean),
    setting(Local, "enable_seqscan", "on", Boolean),
    setting(Local, "enable_sort", "on", Boolean),
    setting(Local, "escape_string_warning", "on", Boolean),
    setting(Forwarded, "extra_float_digits", "1", Integer(-15, 3)),
    setting(Local, "idle_in_transaction_session_timeout", "0", Milliseconds),
    setting(Local, "idle_session_timeout", "0", Milliseconds),
    reported(ReadOnly, "in_hot_standby", "off", Boolean),
    reported(ReadOnly, "integer_datetimes", "on", Boolean),
    reported(Forwarded, "IntervalStyle", "postgres", INTERVALS),
    reported(ReadOnly, "is_superuser", "off", Boolean),
    setting(Local, "jit", "on", Boolean),
    setting(ReadOnly, "lc_collate", "C", Name),
    setting(ReadOnly, "lc_ctype", "C", Name),
    setting(ReadOnly, "lc_messages", "C", Name),
    setting(ReadOnly, "lc_monetary", "C", Name),
    setting(ReadOnly, "lc_numeric", "C", Name),
    setting(ReadOnly, "lc_time", "C", Name),
    setting(Forwarded, "lock_timeout", "0", Milliseconds),
    setting(ReadOnly, "max_identifier_length", "63", Integer(63, 63)),
    setting(ReadOnly, "max_index_keys", "32", Integer(32, 32)),
    setting(Local, "plan_cache_mode", "auto", PLANS),
    setting(Pinned, "role", "none", OneOf(&["none"])),
    setting(Local, "row_security", "on", Boolean),
    setting(Local, "search_path", "", Names),
    reported(ReadOnly, "server_encoding", "UTF8", Name),
    reported(ReadOnly, "server_version", "15.0", Name),
    setting(ReadOnly, "server_version_num", "150000", Integer(0, i64::MAX)),
    reported(ReadOnly, "session_authorization", "", Name),
    reported(Pinned, "standard_conforming_strings", "on", Boolean),
    setting(Forwarded, "statement_timeout", "0", Milliseconds),
    reported(Forwarded, "TimeZone", "Etc/UTC", Values::TimeZone),
    setting(Local, "transaction_deferrable", "off", Boolean),
    setting(Local, "transaction_isolation", "read committed", ISOLATION),
    setting(Local, "transaction_read_only", "on", Boolean),
];

/// Settings of PostgreSQL 13 to 18, on this list or not: what is none of them does not exist.
const KNOWN: &str = include_str!("known.txt");

/// Every setting that can be shown, in the order of SHOW ALL.
pub fn all() -> &'static [Setting] {
    ALL
}

/// The setting of this name; names are not case-sensitive.
pub fn find(name: &str) -> Option<&'static Setting> {
    // Postgres' old spellings, which SHOW still takes.
    let name = match name.to_ascii_lowercase().as_str() {
        "time zone" => "TimeZone",
        "transaction isolation level" => "transaction_isolation",
        "session authorization" => "session_authorization",
        _ => name,
    };
    ALL.iter().find(|setting| setting.name.eq_ignore_ascii_case(name))
}

/// Whether Postgres knows the setting.
pub(super) fn exists(name: &str) -> bool {
    KNOWN.split_whitespace().any(|known| known.eq_ignore_ascii_case(name))
}
