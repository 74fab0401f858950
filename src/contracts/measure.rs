//! What one row of aggregates can tell of a relation, as SQL.

use crate::catalog::ContractType;
use crate::govern::facts::{ColumnFacts, TypeKind};
use crate::names::{quote_identifier, quote_literal};

/// One aggregate. Its value is a number.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Measure {
    /// Rows.
    Rows,
    /// Rows whose column is NULL.
    Nulls(String),
    /// Rows whose column lies outside of the bounds, which are SQL.
    Outside { column: String, min: Option<String>, max: Option<String> },
    /// Seconds since the newest moment of the column that is not in the future; NULL: there is none.
    Age { column: String, moment: Moment },
}

/// What kind of moment a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Moment {
    /// timestamptz
    Zoned,
    /// timestamp, read as UTC
    Local,
    /// date, from its beginning in UTC
    Day,
}

impl Moment {
    /// What the column really holds; `None`: no moment.
    pub(super) fn of(real: &ColumnFacts) -> Option<Self> {
        match real.base_type_name.as_str() {
            "timestamptz" => Some(Self::Zoned),
            "timestamp" => Some(Self::Local),
            "date" => Some(Self::Day),
            _ => None,
        }
    }
}

impl Measure {
    /// The item of a select list. Names are quoted, literals are quoted and cast.
    pub(super) fn to_sql(&self) -> String {
        match self {
            Self::Rows => "count(*)".to_owned(),
            Self::Nulls(column) => format!("count(*) FILTER (WHERE {} IS NULL)", quote_identifier(column)),
            Self::Outside { column, min, max } => {
                let column = quote_identifier(column);
                let below = min.as_ref().map(|min| format!("{column} < {min}"));
                let above = max.as_ref().map(|max| format!("{column} > {max}"));
                let either: Vec<String> = below.into_iter().chain(above).collect();
                format!("count(*) FILTER (WHERE {})", either.join(" OR "))
            }
            Self::Age { column, moment } => {
                let column = quote_identifier(column);
                // What lies in the future is a mistake or a plan, and makes nothing fresh.
                let now = match moment {
                    Moment::Zoned => "now()",
                    Moment::Local => "(now() AT TIME ZONE 'UTC')",
                    Moment::Day => "CAST(now() AT TIME ZONE 'UTC' AS date)",
                };
                let newest = format!("max({column}) FILTER (WHERE {column} <= {now} AND isfinite({column}))");
                match moment {
                    Moment::Zoned => format!("CAST(extract(epoch FROM now() - {newest}) AS float8)"),
                    Moment::Local => {
                        format!("CAST(extract(epoch FROM (now() AT TIME ZONE 'UTC') - {newest}) AS float8)")
                    }
                    Moment::Day => format!(
                        "CAST(extract(epoch FROM (now() AT TIME ZONE 'UTC') - CAST({newest} AS timestamp)) AS float8)"
                    ),
                }
            }
        }
    }
}

/// A bound as it is compared with the column: cast to the column's own type, or to one that Postgres compares it with
/// without rounding the bound.
pub(super) fn bound(written: &str, contract: ContractType, real: &ColumnFacts) -> String {
    let whole = written.parse::<i64>().is_ok();
    let target = match (contract, real.type_kind) {
        (ContractType::Integer, _) if whole => "pg_catalog.int8".to_owned(),
        (ContractType::Integer | ContractType::Decimal, _) => "pg_catalog.numeric".to_owned(),
        (ContractType::Float, _) => "pg_catalog.float8".to_owned(),
        (_, TypeKind::Enum) => {
            format!("{}.{}", quote_identifier(&real.type_schema), quote_identifier(&real.type_name))
        }
        (ContractType::String, _) => "pg_catalog.text".to_owned(),
        // Without a type modifier, which would round.
        (_, _) => format!("pg_catalog.{}", quote_identifier(&real.base_type_name)),
    };
    format!("CAST({} AS {target})", quote_literal(written))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn real(base: &str) -> ColumnFacts {
        ColumnFacts {
            name: "x".to_owned(),
            number: 1,
            type_oid: 0,
            type_schema: "pg_catalog".to_owned(),
            type_name: base.to_owned(),
            sql_type: base.to_owned(),
            type_kind: TypeKind::Base,
            base_type_name: base.to_owned(),
            base_sql_type: base.to_owned(),
            typmod: -1,
            collation: None,
            not_null: false,
        }
    }

    #[test]
    fn neither_a_name_nor_a_bound_leaves_its_quotes() {
        let column = "a\"; DROP TABLE x; --".to_owned();
        let min = bound("x'); DROP TABLE x; --", ContractType::String, &real("text"));
        let sql = Measure::Outside { column, min: Some(min), max: None }.to_sql();
        assert_eq!(
            sql,
            "count(*) FILTER (WHERE \"a\"\"; DROP TABLE x; --\" < CAST('x''); DROP TABLE x; --' AS pg_catalog.text))"
        );
    }

    #[test]
    fn bounds_are_cast_to_what_the_column_is_compared_with() {
        for (written, contract, base, cast) in [
            ("0", ContractType::Integer, "int2", "pg_catalog.int8"),
            ("0.5", ContractType::Integer, "int4", "pg_catalog.numeric"),
            ("1e3", ContractType::Decimal, "numeric", "pg_catalog.numeric"),
            ("0", ContractType::Float, "float4", "pg_catalog.float8"),
            ("2025-03-01", ContractType::Timestamp, "timestamptz", "pg_catalog.\"timestamptz\""),
        ] {
            assert_eq!(bound(written, contract, &real(base)), format!("CAST('{written}' AS {cast})"));
        }
    }
}
