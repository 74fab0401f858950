//! How much of a value's type has to be known to tell whether what is done with it depends on settings.

use crate::catalog::{Column, ContractType};
use crate::govern::facts::{ColumnFacts, TypeKind};
use crate::sql::ast::{ArrayElemTypeDef, DataType, TimezoneInfo};

use super::Fault;

/// Kinds of values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::govern) enum Kind {
    /// Its text is the same under every setting: text, whole numbers, numeric, boolean, uuid, json, enums…
    Plain,
    /// Its text depends on settings, but how a text is read as it does not: floats, bytea, money, arrays of such.
    Fragile,
    /// Dates and times may be inside: ranges, arrays of them, composites. Neither is its text fixed nor how one is read.
    Opaque,
    /// date
    Date,
    /// timestamp
    Timestamp,
    /// timestamp with time zone
    TimestampTz,
    /// time
    Time,
    /// time with time zone
    TimeTz,
    /// interval
    Interval,
    /// A quoted literal that has no type yet.
    Literal,
    /// NULL
    Null,
    /// The facts of the column are not known; the product is not served until they are, and is checked again then.
    Unknown,
}

impl Kind {
    pub(super) fn is_temporal(self) -> bool {
        match self {
            Self::Date | Self::Timestamp | Self::TimestampTz | Self::Time | Self::TimeTz | Self::Interval => true,
            Self::Plain | Self::Fragile | Self::Opaque | Self::Literal | Self::Null | Self::Unknown => false,
        }
    }
    /// Whether its text may be looked at.
    pub(super) fn has_fixed_text(self) -> bool {
        matches!(self, Self::Plain | Self::Literal | Self::Null | Self::Unknown)
    }
    /// What a person calls it.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Plain => "value",
            Self::Fragile => "value whose text depends on settings",
            Self::Opaque => "range, array or composite of dates and times",
            Self::Date => "date",
            Self::Timestamp => "timestamp",
            Self::TimestampTz => "timestamp with time zone",
            Self::Time => "time",
            Self::TimeTz => "time with time zone",
            Self::Interval => "interval",
            Self::Literal => "literal",
            Self::Null => "null",
            Self::Unknown => "value of unknown type",
        }
    }
}

/// The kind of a column, by its facts or else by its contract.
pub(in crate::govern) fn of_column(column: &Column, fact: Option<&ColumnFacts>) -> Kind {
    let Some(fact) = fact else {
        return match column.contract_type {
            ContractType::String
            | ContractType::Integer
            | ContractType::Boolean
            | ContractType::Json
            | ContractType::Decimal
            | ContractType::Uuid => Kind::Plain,
            ContractType::Date => Kind::Date,
            ContractType::Interval => Kind::Interval,
            ContractType::Float | ContractType::Bytes => Kind::Fragile,
            ContractType::Timestamp | ContractType::Time | ContractType::Array => Kind::Unknown,
        };
    };
    match fact.type_kind {
        TypeKind::Base | TypeKind::Domain | TypeKind::Array => of_type_name(&fact.base_type_name),
        TypeKind::Enum => Kind::Plain,
        TypeKind::Range | TypeKind::Composite | TypeKind::Pseudo => Kind::Opaque,
    }
}

/// The kind of a type by `typname`; an unknown one is opaque.
pub(in crate::govern) fn of_type_name(name: &str) -> Kind {
    match name.strip_prefix('_').unwrap_or(name) {
        "text" | "varchar" | "bpchar" | "char" | "name" | "citext" | "int2" | "int4" | "int8" | "oid" | "numeric"
        | "bool" | "uuid" | "json" | "jsonb" | "inet" | "cidr" | "macaddr" | "macaddr8" | "bit" | "varbit" => {
            Kind::Plain
        }
        "float4" | "float8" | "bytea" | "money" | "box" | "circle" | "line" | "lseg" | "path" | "point" | "polygon"
        | "tsvector" | "tsquery" | "jsonpath" | "xml" | "int4range" | "int8range" | "numrange" => Kind::Fragile,
        _ if name.starts_with('_') => Kind::Opaque,
        "date" => Kind::Date,
        "timestamp" => Kind::Timestamp,
        "timestamptz" => Kind::TimestampTz,
        "time" => Kind::Time,
        "timetz" => Kind::TimeTz,
        "interval" => Kind::Interval,
        _ => Kind::Opaque,
    }
}

/// The kind of a type of a cast; the type is on the allow-list already.
pub(super) fn of_type(data_type: &DataType) -> Kind {
    let zoned = |zone: &TimezoneInfo| matches!(zone, TimezoneInfo::Tz | TimezoneInfo::WithTimeZone);
    match data_type {
        DataType::Date => Kind::Date,
        DataType::Timestamp(_, zone) if zoned(zone) => Kind::TimestampTz,
        DataType::Timestamp(..) => Kind::Timestamp,
        DataType::Time(_, zone) if zoned(zone) => Kind::TimeTz,
        DataType::Time(..) => Kind::Time,
        DataType::Interval { .. } => Kind::Interval,
        DataType::Float(_)
        | DataType::Float4
        | DataType::Float8
        | DataType::Real
        | DataType::DoublePrecision
        | DataType::Bytea
        | DataType::GeometricType(_)
        | DataType::TsVector
        | DataType::TsQuery => Kind::Fragile,
        DataType::Custom(name, _) => {
            name.0.last().and_then(|part| part.as_ident()).map_or(Kind::Opaque, |ident| of_type_name(&ident.value))
        }
        DataType::Array(ArrayElemTypeDef::SquareBracket(inner, _) | ArrayElemTypeDef::Qualified(inner, _)) => {
            match of_type(inner) {
                of @ (Kind::Plain | Kind::Fragile) => of,
                _ => Kind::Opaque,
            }
        }
        DataType::Character(_)
        | DataType::Char(_)
        | DataType::CharacterVarying(_)
        | DataType::CharVarying(_)
        | DataType::Varchar(_)
        | DataType::Text
        | DataType::Int2(_)
        | DataType::SmallInt(_)
        | DataType::Int(_)
        | DataType::Int4(_)
        | DataType::Int8(_)
        | DataType::Integer(_)
        | DataType::BigInt(_)
        | DataType::Numeric(_)
        | DataType::Decimal(_)
        | DataType::Dec(_)
        | DataType::Bool
        | DataType::Boolean
        | DataType::Uuid
        | DataType::JSON
        | DataType::JSONB
        | DataType::Bit(_)
        | DataType::BitVarying(_)
        | DataType::VarBit(_) => Kind::Plain,
        _ => Kind::Opaque,
    }
}

/// Two values compared, or offered as alternatives. The result is their common kind.
pub(super) fn common(a: Kind, b: Kind) -> Result<Kind, Fault> {
    use Kind::{Date, Literal, Null, Opaque, Timestamp, Unknown};
    match (a, b) {
        _ if a == b => Ok(a),
        (Unknown, _) | (_, Unknown) => Ok(Unknown),
        (Null, other) | (other, Null) => Ok(other),
        (Literal, other) | (other, Literal) if !other.is_temporal() && other != Opaque => Ok(other),
        (Date, Timestamp) | (Timestamp, Date) => Ok(Timestamp),
        _ if ![a, b].iter().any(|kind| kind.is_temporal() || *kind == Opaque) => Ok(Kind::Fragile),
        (Literal, other) | (other, Literal) => Err(Fault::new(format!(
            "a literal or an attribute cannot be compared with a {}: how it is read depends on DateStyle or TimeZone",
            other.word()
        ))),
        _ => Err(Fault::new(format!("a {} together with a {} depends on the client's settings", a.word(), b.word()))
            .with_hint("convert explicitly: column AT TIME ZONE 'UTC'")),
    }
}

/// `a + b` and `a - b`.
pub(super) fn sum(a: Kind, b: Kind, minus: bool) -> Result<Kind, Fault> {
    use Kind::{Date, Fragile, Interval, Literal, Null, Opaque, Plain, Time, TimeTz, Timestamp, TimestampTz, Unknown};
    match (a, b) {
        (Unknown, _) | (_, Unknown) => Ok(Unknown),
        (Null, other) | (other, Null) => Ok(other),
        (TimestampTz, Interval) | (Interval, TimestampTz) => {
            Err(Fault::new("a timestamp with time zone plus or minus an interval depends on the client's TimeZone")
                .with_hint("convert first: column AT TIME ZONE 'UTC', and now() AT TIME ZONE 'UTC'"))
        }
        (TimestampTz, TimestampTz) if minus => Ok(Interval),
        (Timestamp | Date, Interval) | (Interval, Timestamp | Date) => Ok(Timestamp),
        (Timestamp, Timestamp | Date) | (Date, Timestamp) if minus => Ok(Interval),
        (Date, Date) if minus => Ok(Plain),
        (Date, Plain) | (Plain, Date) => Ok(Date),
        (Date, Time) | (Time, Date) => Ok(Timestamp),
        (Interval, Interval) => Ok(Interval),
        (Time, Time) if minus => Ok(Interval),
        (Time, Interval) | (Interval, Time) => Ok(Time),
        (TimeTz, Interval) | (Interval, TimeTz) => Ok(TimeTz),
        _ if ![a, b].iter().any(|kind| kind.is_temporal() || *kind == Opaque) => {
            Ok(if matches!((a, b), (Plain | Literal, Plain | Literal)) { Plain } else { Fragile })
        }
        (Literal, _) | (_, Literal) => Err(Fault::new("a literal beside a date or time needs its type")
            .with_hint("write interval '1 day', date '2026-01-31' or timestamp '2026-01-31 10:00:00'")),
        _ => common(a, b).and_then(|_| {
            Err(Fault::new(format!("a {} cannot be added to or subtracted from a {}", b.word(), a.word())))
        }),
    }
}

/// A cast from one kind to a type.
pub(super) fn cast(from: Kind, to: &DataType) -> Result<Kind, Fault> {
    converted(from, of_type(to), is_number(to), &to.to_string())
}

/// A conversion to a kind, by a cast or by a function that is named like the type.
pub(super) fn converted(from: Kind, target: Kind, to_number: bool, shown: &str) -> Result<Kind, Fault> {
    use Kind::{Date, Fragile, Interval, Literal, Null, Opaque, Plain, Time, Timestamp, TimestampTz, Unknown};
    match (from, target) {
        (Unknown | Null, _) => Ok(target),
        (Literal, _) if !target.is_temporal() && target != Opaque => Ok(target),
        _ if from == target && (from.is_temporal() || from == Fragile) => Ok(target),
        (Date, Timestamp) | (Timestamp, Date | Time) | (Interval, Time) | (Time, Interval) => Ok(target),
        (TimestampTz, _) | (Date | Timestamp, TimestampTz) => {
            Err(Fault::new(format!("a cast from {} to {shown} depends on the client's TimeZone", from.word()))
                .with_hint("write (column AT TIME ZONE 'UTC')::…"))
        }
        (Plain, Plain | Fragile) => Ok(target),
        (Fragile, Plain) if to_number => Ok(target),
        _ => Err(Fault::new(format!("a cast from {} to {shown} depends on the client's settings", from.word()))
            .with_hint(
                "DateStyle, IntervalStyle, TimeZone, extra_float_digits and bytea_output must not matter; use \
                 extract(…), make_date(…) or encode(…)",
            )),
    }
}

fn is_number(data_type: &DataType) -> bool {
    matches!(
        data_type,
        DataType::Int2(_)
            | DataType::SmallInt(_)
            | DataType::Int(_)
            | DataType::Int4(_)
            | DataType::Int8(_)
            | DataType::Integer(_)
            | DataType::BigInt(_)
            | DataType::Numeric(_)
            | DataType::Decimal(_)
            | DataType::Dec(_)
    )
}
