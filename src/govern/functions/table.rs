//! The classification, read once from `pg_catalog.txt`.

use std::collections::HashMap;
use std::sync::LazyLock;

use super::{Answer, Bound};

const TEXT: &str = include_str!("pg_catalog.txt");

/// How much of its surroundings a function's result depends on: the weakest of all functions of the name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Volatility {
    /// On its arguments alone.
    Immutable,
    /// For some argument types on settings too.
    Mixed,
    /// On settings or the transaction too.
    Stable,
    /// On anything.
    Volatile,
}

/// What a function may be used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// It may be called.
    Allowed,
    /// It may be called with bounded arguments.
    Bounded(Bound),
    /// It may be called, and its result is cast to text.
    AsText,
    /// pgveil answers.
    Answered(Answer),
    /// It may not be called.
    Refused {
        /// Why, as part of a sentence.
        reason: &'static str,
        /// What to use instead, a sentence.
        hint: Option<&'static str>,
    },
}

/// One function name with all its overloads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The exact name.
    pub name: &'static str,
    /// What it may be used for.
    pub rule: Rule,
    /// Refused functions count as volatile.
    pub volatility: Volatility,
    /// The heading under which it stands, e.g. `aggregate`.
    pub topic: &'static str,
    /// Which versions of PostgreSQL have it in their `pg_proc`.
    pub versions: Versions,
}

/// In which versions of PostgreSQL a function is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Versions {
    /// In 15; whether in others is not said.
    Fifteen,
    /// From this one on, which comes after 15.
    From(u16),
    /// Up to this one, which comes before 15.
    To(u16),
    /// In none: grammar, extensions.
    None,
}

impl Versions {
    /// Whether this version has it; `None`: that is not said.
    pub fn include(self, version: u16) -> Option<bool> {
        match self {
            Self::Fifteen => (version == 15).then_some(true),
            Self::From(first) => Some(version >= first),
            Self::To(last) => Some(version <= last),
            Self::None => Some(false),
        }
    }
    fn read(word: &str) -> Option<Self> {
        let number = |digits: &str| digits.parse().ok();
        match word.strip_prefix("from") {
            Some(first) => number(first).map(Self::From),
            None => number(word.strip_prefix("to")?).map(Self::To),
        }
    }
}

/// What Postgres' grammar makes of these is no function of any schema.
const GRAMMAR: &[&str] = &[
    "array",
    "coalesce",
    "current_date",
    "current_time",
    "current_timestamp",
    "greatest",
    "grouping",
    "least",
    "localtime",
    "localtimestamp",
    "nullif",
    "row",
];

/// Whether the name is part of the grammar and is never written with a schema.
pub fn is_grammar(name: &str) -> bool {
    GRAMMAR.binary_search(&name).is_ok()
}

/// The entry of this exact name.
pub fn entry(name: &str) -> Option<&'static Entry> {
    TABLE.by_name.get(name)
}

/// Every entry, in no order.
pub fn entries() -> impl Iterator<Item = &'static Entry> {
    TABLE.by_name.values()
}

/// Names that stand in the file more than once, and lines that could not be read: the tests demand that there are none.
#[cfg(test)]
pub(super) fn faults() -> &'static [String] {
    &TABLE.faults
}

struct Table {
    by_name: HashMap<&'static str, Entry>,
    faults: Vec<String>,
}

static TABLE: LazyLock<Table> = LazyLock::new(|| read(TEXT));

/// A section's heading.
#[derive(Clone, Copy)]
struct Section {
    kind: Kind,
    volatility: Volatility,
    versions: Versions,
    topic: &'static str,
    hint: Option<&'static str>,
}

#[derive(Clone, Copy)]
enum Kind {
    Allowed,
    Bounded,
    AsText,
    Answered,
    Refused,
}

fn read(text: &'static str) -> Table {
    let mut table = Table { by_name: HashMap::new(), faults: Vec::new() };
    let mut section = None;
    for line in text.lines() {
        if let Some(heading) = line.strip_prefix("= ") {
            section = read_heading(heading);
            if section.is_none() {
                table.faults.push(line.to_owned());
            }
        } else if !line.starts_with('#') {
            for name in line.split_whitespace() {
                match section.and_then(|section| read_entry(name, section)) {
                    Some(entry) => {
                        if table.by_name.insert(name, entry).is_some() {
                            table.faults.push(format!("{name} twice"));
                        }
                    }
                    None => table.faults.push(name.to_owned()),
                }
            }
        }
    }
    table
}

fn read_heading(heading: &'static str) -> Option<Section> {
    let (words, rest) = heading.split_once(": ")?;
    let (topic, hint) = match rest.split_once(" | ") {
        Some((topic, hint)) => (topic, Some(hint)),
        None => (rest, None),
    };
    let mut section =
        Section { kind: Kind::Refused, volatility: Volatility::Volatile, versions: Versions::Fifteen, topic, hint };
    for word in words.split(' ') {
        match word {
            "allowed" => section.kind = Kind::Allowed,
            "bounded" => section.kind = Kind::Bounded,
            "astext" => section.kind = Kind::AsText,
            "answered" => section.kind = Kind::Answered,
            "refused" => section.kind = Kind::Refused,
            "immutable" => section.volatility = Volatility::Immutable,
            "mixed" => section.volatility = Volatility::Mixed,
            "stable" => section.volatility = Volatility::Stable,
            "volatile" => section.volatility = Volatility::Volatile,
            "elsewhere" => section.versions = Versions::None,
            word => section.versions = Versions::read(word)?,
        }
    }
    Some(section)
}

fn read_entry(name: &'static str, section: Section) -> Option<Entry> {
    let rule = match section.kind {
        Kind::Allowed => Rule::Allowed,
        Kind::Bounded => Rule::Bounded(bound_of(name)?),
        Kind::AsText => Rule::AsText,
        Kind::Answered => Rule::Answered(answer_of(name)?),
        Kind::Refused => Rule::Refused { reason: section.topic, hint: own_hint(name).or(section.hint) },
    };
    Some(Entry { name, rule, volatility: section.volatility, topic: section.topic, versions: section.versions })
}

fn bound_of(name: &str) -> Option<Bound> {
    Some(match name {
        "repeat" | "lpad" | "rpad" => Bound::Count { argument: 1, max: 1_000_000 },
        "generate_series" => Bound::Series { max: 10_000_000 },
        "array_fill" => Bound::ArraySizes { max: 1_000_000 },
        "format" => Bound::Template { max: 10_000 },
        "phraseto_tsquery" | "plainto_tsquery" | "to_tsquery" | "to_tsvector" | "websearch_to_tsquery" => {
            Bound::Configuration { arguments: 2 }
        }
        "json_to_tsvector" | "jsonb_to_tsvector" | "ts_headline" => Bound::Configuration { arguments: 3 },
        _ => return None,
    })
}

fn answer_of(name: &str) -> Option<Answer> {
    Some(match name {
        "current_user" | "session_user" | "user" | "current_role" | "getpgusername" => Answer::CurrentUser,
        "current_database" | "current_catalog" => Answer::CurrentDatabase,
        "current_schema" => Answer::CurrentSchema,
        "current_schemas" => Answer::CurrentSchemas,
        "version" => Answer::Version,
        "pg_backend_pid" => Answer::BackendPid,
        "current_setting" => Answer::CurrentSetting,
        "pg_is_in_recovery" => Answer::InRecovery,
        "pg_client_encoding" => Answer::ClientEncoding,
        "inet_client_addr" | "inet_server_addr" => Answer::Null("inet"),
        "inet_client_port" | "inet_server_port" => Answer::Null("int4"),
        "pg_cancel_backend" => Answer::CancelBackend,
        "pg_terminate_backend" => Answer::TerminateBackend,
        _ => return None,
    })
}

/// Where the section's hint is not the best one.
fn own_hint(name: &str) -> Option<&'static str> {
    Some(match name {
        "pg_sleep" | "pg_sleep_for" | "pg_sleep_until" => "Let the client wait instead.",
        "nextval" | "currval" | "lastval" | "setval" => "Number rows with row_number() OVER ().",
        "txid_current" | "pg_current_xact_id" => "Use now() to tell transactions apart.",
        "pg_read_file" | "pg_read_binary_file" | "pg_ls_dir" => "Data that you need belongs into a data product.",
        "lo_import" | "lo_export" | "lo_get" | "loread" => "Data that you need belongs into a data product.",
        "dblink" | "dblink_exec" => "Query the data products of this warehouse.",
        "pg_notify" => "A listener is not reached through pgveil.",
        "json_array_element" | "jsonb_array_element" | "json_object_field" | "jsonb_object_field" => {
            "Use the operator ->."
        }
        "pg_advisory_lock" | "pg_try_advisory_lock" => "Lock in the application's own database.",
        _ => return None,
    })
}
