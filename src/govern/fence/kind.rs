//! The types whose comparisons are leak-proof, and the list of these comparisons.

use crate::sql::ast::{CharacterLength, DataType, TimezoneInfo};

/// Types between which every comparison is leak-proof.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// int2, int4, int8
    Integer,
    /// text, varchar: a varchar is compared as a text
    Text,
    /// date
    Date,
    /// timestamp
    Timestamp,
    /// timestamptz
    TimestampTz,
    /// uuid
    Uuid,
    /// bool
    Boolean,
}

/// Comparisons that are on the list for each pair of types of a kind.
const COMPARISONS: [&str; 6] = ["=", "<>", "<", "<=", ">", ">="];

/// `typname` of each kind's types.
const TYPES: [&[&str]; 7] =
    [&["int2", "int4", "int8"], &["text"], &["date"], &["timestamp"], &["timestamptz"], &["uuid"], &["bool"]];

/// Operator and `typname` of both sides: the comparisons that count as leak-proof. `pg_proc.proleakproof` says so of each in
/// PostgreSQL 13 to 17; `pgveil check --warehouse` asks the warehouse at hand.
pub fn leak_proof() -> impl Iterator<Item = (&'static str, &'static str, &'static str)> {
    TYPES.iter().flat_map(|types| {
        types.iter().flat_map(move |left| {
            types.iter().flat_map(move |right| COMPARISONS.iter().map(move |operator| (*operator, *left, *right)))
        })
    })
}

impl Kind {
    /// By `pg_type.oid`.
    pub fn of_oid(oid: u32) -> Option<Self> {
        Some(match oid {
            20 | 21 | 23 => Self::Integer,
            25 | 1043 => Self::Text,
            1082 => Self::Date,
            1114 => Self::Timestamp,
            1184 => Self::TimestampTz,
            2950 => Self::Uuid,
            16 => Self::Boolean,
            _ => return None,
        })
    }

    /// By the `pg_type.oid` of an array's type.
    pub fn of_array_oid(oid: u32) -> Option<Self> {
        Some(match oid {
            1005 | 1007 | 1016 => Self::Integer,
            1009 | 1015 => Self::Text,
            1182 => Self::Date,
            1115 => Self::Timestamp,
            1185 => Self::TimestampTz,
            2951 => Self::Uuid,
            1000 => Self::Boolean,
            _ => return None,
        })
    }

    /// By a type's name in a statement. A length or precision makes it another: the value is then cut or rounded by a function.
    pub fn of_type(data_type: &DataType) -> Option<Self> {
        Some(match data_type {
            DataType::Int2(None)
            | DataType::SmallInt(None)
            | DataType::Int(None)
            | DataType::Int4(None)
            | DataType::Int8(None)
            | DataType::Integer(None)
            | DataType::BigInt(None) => Self::Integer,
            DataType::Text => Self::Text,
            DataType::CharacterVarying(length) | DataType::CharVarying(length) | DataType::Varchar(length) => {
                match length {
                    None => Self::Text,
                    Some(CharacterLength::IntegerLength { .. } | CharacterLength::Max) => return None,
                }
            }
            DataType::Date => Self::Date,
            DataType::Timestamp(None, TimezoneInfo::None | TimezoneInfo::WithoutTimeZone) => Self::Timestamp,
            DataType::Timestamp(None, TimezoneInfo::WithTimeZone | TimezoneInfo::Tz) => Self::TimestampTz,
            DataType::Uuid => Self::Uuid,
            DataType::Bool | DataType::Boolean => Self::Boolean,
            _ => return None,
        })
    }

    /// Whether it is a date or timestamp: between two such kinds there are comparisons, and they are not leak-proof.
    pub fn is_time(self) -> bool {
        match self {
            Self::Date | Self::Timestamp | Self::TimestampTz => true,
            Self::Integer | Self::Text | Self::Uuid | Self::Boolean => false,
        }
    }

    /// The word for a reason.
    pub fn word(self) -> &'static str {
        match self {
            Self::Integer => "an integer",
            Self::Text => "a text",
            Self::Date => "a date",
            Self::Timestamp => "a timestamp",
            Self::TimestampTz => "a timestamp with time zone",
            Self::Uuid => "a uuid",
            Self::Boolean => "a boolean",
        }
    }
}
