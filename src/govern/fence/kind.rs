//! The types whose comparisons are leak-proof, and the list of these comparisons.

use crate::sql::ast::{CharacterLength, DataType, ObjectName, ObjectNamePart, TimezoneInfo};
use crate::sql::ident;

/// Types between which every comparison is leak-proof.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// int2, int4, int8
    Integer,
    /// text, varchar, name: a varchar is compared as a text
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
    /// oid
    Oid,
    /// "char"
    Char,
}

/// Comparisons that are on the list for each pair of types of a kind.
const COMPARISONS: [&str; 6] = ["=", "<>", "<", "<=", ">", ">="];

/// `typname` of each kind's types.
const TYPES: [&[&str]; 9] = [
    &["int2", "int4", "int8"],
    &["text", "name"],
    &["date"],
    &["timestamp"],
    &["timestamptz"],
    &["uuid"],
    &["bool"],
    &["oid"],
    &["char"],
];

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
            19 | 25 | 1043 => Self::Text,
            1082 => Self::Date,
            1114 => Self::Timestamp,
            1184 => Self::TimestampTz,
            2950 => Self::Uuid,
            16 => Self::Boolean,
            26 => Self::Oid,
            18 => Self::Char,
            _ => return None,
        })
    }

    /// By the `pg_type.oid` of an array's type.
    pub fn of_array_oid(oid: u32) -> Option<Self> {
        Some(match oid {
            1005 | 1007 | 1016 => Self::Integer,
            1003 | 1009 | 1015 => Self::Text,
            1182 => Self::Date,
            1115 => Self::Timestamp,
            1185 => Self::TimestampTz,
            2951 => Self::Uuid,
            1000 => Self::Boolean,
            1028 => Self::Oid,
            1002 => Self::Char,
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
            DataType::Custom(name, modifiers) if modifiers.is_empty() => return Self::of_name(name),
            _ => return None,
        })
    }

    fn of_name(name: &ObjectName) -> Option<Self> {
        let (schema, own) = match name.0.as_slice() {
            [ObjectNamePart::Identifier(own)] => (None, ident(own)),
            [ObjectNamePart::Identifier(schema), ObjectNamePart::Identifier(own)] => (Some(ident(schema)), ident(own)),
            _ => return None,
        };
        if schema.is_some_and(|schema| schema != "pg_catalog") {
            return None;
        }
        Some(match own.as_str() {
            "oid" => Self::Oid,
            "name" => Self::Text,
            "char" => Self::Char,
            _ => return None,
        })
    }

    /// Whether it is a date or timestamp: between two such kinds there are comparisons, and they are not leak-proof.
    pub fn is_time(self) -> bool {
        match self {
            Self::Date | Self::Timestamp | Self::TimestampTz => true,
            Self::Integer | Self::Text | Self::Uuid | Self::Boolean | Self::Oid | Self::Char => false,
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
            Self::Oid => "an OID",
            Self::Char => "a \"char\"",
        }
    }
}
