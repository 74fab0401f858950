//! The list of settings.

/// Where a setting lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Home {
    /// A client may change it, and it is applied to the warehouse's connection.
    Forwarded,
    /// A client may change it; pgveil remembers it for SHOW.
    Local,
    /// It has one value, which a client may set again.
    Pinned,
    /// It can be read alone.
    ReadOnly,
}

/// What values a setting takes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Values {
    /// `on` and `off` in all of Postgres' spellings.
    Boolean,
    /// Whole numbers between the bounds.
    Integer(i64, i64),
    /// Numbers between the bounds.
    Real(f64, f64),
    /// A time in milliseconds, or with a unit.
    Milliseconds,
    /// Kilobytes, or with a unit.
    Kilobytes,
    /// One of these words.
    OneOf(&'static [&'static str]),
    /// A text of at most this many bytes.
    Text(usize),
    /// A time zone's name or offset.
    TimeZone,
    /// An output style and an order of day, month and year.
    DateStyle,
    /// A list of names.
    Names,
}

/// One setting.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Setting {
    /// In Postgres' spelling, e.g. `DateStyle`.
    pub name: &'static str,
    /// Where it lives.
    pub home: Home,
    /// Its value until a client changes it, as SHOW gives it. For `Home::ReadOnly` the session may know better.
    pub default: &'static str,
    /// What it takes.
    pub values: Values,
    /// Whether a change is reported as ParameterStatus.
    pub reported: bool,
}

impl Eq for Setting {}

const fn setting(home: Home, name: &'static str, default: &'static str, values: Values) -> Setting {
    Setting { name, home, default, values, reported: false }
}

const fn reported(home: Home, name: &'static str, default: &'static str, values: Values) -> Setting {
    Setting { name, home, default, values, reported: true }
}

const ISOLATION: Values = Values::OneOf(&["read uncommitted", "read committed", "repeatable read", "serializable"]);
const MESSAGES: Values =
    Values::OneOf(&["debug5", "debug4", "debug3", "debug2", "debug1", "log", "notice", "warning", "error"]);

use Home::{Forwarded, Local, Pinned, ReadOnly};
use Values::{Boolean, Integer, Kilobytes, Milliseconds, Names, OneOf, Real, Text};

/// In the order of names, without regard to case.
const ALL: &[Setting] = &[
    reported(Forwarded, "application_name", "", Text(63)),
    setting(Local, "backslash_quote", "safe_encoding", OneOf(&["safe_encoding", "on", "off"])),
    setting(Forwarded, "bytea_output", "hex", OneOf(&["hex", "escape"])),
    setting(Local, "check_function_bodies", "on", Boolean),
    reported(Pinned, "client_encoding", "UTF8", OneOf(&["UTF8"])),
    setting(Local, "client_min_messages", "notice", MESSAGES),
    reported(Forwarded, "DateStyle", "ISO, MDY", Values::DateStyle),
    setting(Forwarded, "default_transaction_deferrable", "off", Boolean),
    setting(Forwarded, "default_transaction_isolation", "read committed", ISOLATION),
    reported(Local, "default_transaction_read_only", "on", Boolean),
    setting(Forwarded, "extra_float_digits", "1", Integer(-15, 3)),
    setting(Local, "geqo", "on", Boolean),
    setting(Local, "idle_in_transaction_session_timeout", "0", Milliseconds),
    setting(Local, "idle_session_timeout", "0", Milliseconds),
    reported(ReadOnly, "in_hot_standby", "off", Boolean),
    reported(ReadOnly, "integer_datetimes", "on", Boolean),
    reported(
        Forwarded,
        "IntervalStyle",
        "postgres",
        OneOf(&["postgres", "postgres_verbose", "sql_standard", "iso_8601"]),
    ),
    reported(ReadOnly, "is_superuser", "off", Boolean),
    setting(Local, "jit", "on", Boolean),
    setting(ReadOnly, "lc_collate", "C.UTF-8", Text(63)),
    setting(ReadOnly, "lc_ctype", "C.UTF-8", Text(63)),
    setting(Local, "lc_messages", "C", Text(63)),
    setting(Local, "lc_monetary", "C", Text(63)),
    setting(Local, "lc_numeric", "C", Text(63)),
    setting(Local, "lc_time", "C", Text(63)),
    setting(Forwarded, "lock_timeout", "0", Milliseconds),
    setting(ReadOnly, "max_identifier_length", "63", Integer(63, 63)),
    setting(ReadOnly, "max_index_keys", "32", Integer(32, 32)),
    setting(Local, "plan_cache_mode", "auto", OneOf(&["auto", "force_generic_plan", "force_custom_plan"])),
    setting(Local, "quote_all_identifiers", "off", Boolean),
    setting(Pinned, "role", "none", OneOf(&["none"])),
    setting(Local, "row_security", "on", Boolean),
    setting(Local, "search_path", "", Names),
    setting(Local, "seq_page_cost", "1", Real(0.0, f64::MAX)),
    reported(ReadOnly, "server_encoding", "UTF8", Text(63)),
    reported(ReadOnly, "server_version", "15.0", Text(63)),
    setting(ReadOnly, "server_version_num", "150000", Integer(0, i64::MAX)),
    reported(ReadOnly, "session_authorization", "", Text(63)),
    reported(Pinned, "standard_conforming_strings", "on", Boolean),
    setting(Forwarded, "statement_timeout", "0", Milliseconds),
    setting(Local, "synchronize_seqscans", "on", Boolean),
    setting(Local, "tcp_keepalives_idle", "0", Integer(0, 2_147_483_647)),
    reported(Forwarded, "TimeZone", "Etc/UTC", Values::TimeZone),
    setting(Local, "transaction_deferrable", "off", Boolean),
    setting(Local, "transaction_isolation", "read committed", ISOLATION),
    setting(Local, "transaction_read_only", "on", Boolean),
    setting(Local, "work_mem", "4MB", Kilobytes),
];

/// Every setting that can be shown, in the order of SHOW ALL.
pub fn all() -> &'static [Setting] {
    ALL
}

/// The setting of this name; names are not case-sensitive.
pub fn find(name: &str) -> Option<&'static Setting> {
    ALL.iter().find(|setting| setting.name.eq_ignore_ascii_case(name))
}
