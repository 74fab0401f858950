//! Which types a statement may name: in casts, typed literals, PREPARE, column definition lists and as parameter OIDs.
//!
//! A type's input function is code that runs on a text of the client's choice, and `regclass` and its kin look names up in
//! the warehouse's catalogs; so this is an allow-list. Outside `pg_catalog` only enums and base types of columns that some
//! contract exposes may be named; domains may not, since a domain's checks are somebody's code.

use crate::names::WarehouseName;
use crate::sql;
use crate::sql::ast::{ArrayElemTypeDef, CharacterLength, DataType, ObjectName, ObjectNamePart};

use super::refusal::Refusal;
use super::snapshot::{ExposedType, Snapshot};

/// `pg_type`'s own names with the OIDs of the type and of its array.
const ALLOWED: &[(&str, u32, u32)] = &[
    ("bit", 1560, 1561),
    ("bool", 16, 1000),
    ("box", 603, 1020),
    ("bpchar", 1042, 1014),
    ("bytea", 17, 1001),
    ("char", 18, 1002),
    ("cidr", 650, 651),
    ("circle", 718, 719),
    ("date", 1082, 1182),
    ("datemultirange", 4535, 6155),
    ("daterange", 3912, 3913),
    ("float4", 700, 1021),
    ("float8", 701, 1022),
    ("inet", 869, 1041),
    ("int2", 21, 1005),
    ("int2vector", 22, 1006),
    ("int4", 23, 1007),
    ("int4multirange", 4451, 6150),
    ("int4range", 3904, 3905),
    ("int8", 20, 1016),
    ("int8multirange", 4536, 6157),
    ("int8range", 3926, 3927),
    ("interval", 1186, 1187),
    ("json", 114, 199),
    ("jsonb", 3802, 3807),
    ("jsonpath", 4072, 4073),
    ("line", 628, 629),
    ("lseg", 601, 1018),
    ("macaddr", 829, 1040),
    ("macaddr8", 774, 775),
    ("money", 790, 791),
    ("name", 19, 1003),
    ("numeric", 1700, 1231),
    ("nummultirange", 4532, 6151),
    ("numrange", 3906, 3907),
    ("oid", 26, 1028),
    ("oidvector", 30, 1013),
    ("path", 602, 1019),
    ("point", 600, 1017),
    ("polygon", 604, 1027),
    ("text", 25, 1009),
    ("time", 1083, 1183),
    ("timestamp", 1114, 1115),
    ("timestamptz", 1184, 1185),
    ("timetz", 1266, 1270),
    ("tsmultirange", 4533, 6152),
    ("tsquery", 3615, 3645),
    ("tsrange", 3908, 3909),
    ("tstzmultirange", 4534, 6153),
    ("tstzrange", 3910, 3911),
    ("tsvector", 3614, 3643),
    ("uuid", 2950, 2951),
    ("varbit", 1562, 1563),
    ("varchar", 1043, 1015),
    ("xml", 142, 143),
];

/// A parameter of this OID has no type yet: Postgres finds it out.
const UNKNOWN_OID: u32 = 705;

/// Whether a statement for this warehouse may name the type.
pub fn check(data_type: &DataType, snapshot: &Snapshot, warehouse: &WarehouseName) -> Result<(), Refusal> {
    qualify(data_type, snapshot, warehouse).map(|_| ())
}

/// The type as it is written upstream, where only `pg_catalog` is on the path: a name that is no grammar gets its schema.
pub fn qualify(data_type: &DataType, snapshot: &Snapshot, warehouse: &WarehouseName) -> Result<DataType, Refusal> {
    let exposed: Vec<&ExposedType> = snapshot.exposed_types(warehouse).collect();
    qualify_among(data_type, &exposed)
}

/// As [`qualify`], for types of `pg_catalog` alone.
pub(in crate::govern) fn qualify_built_in(data_type: &DataType) -> Result<DataType, Refusal> {
    qualify_among(data_type, &[])
}

fn qualify_among(data_type: &DataType, exposed: &[&ExposedType]) -> Result<DataType, Refusal> {
    match data_type {
        DataType::Array(
            element @ (ArrayElemTypeDef::SquareBracket(inner, _) | ArrayElemTypeDef::Qualified(inner, _)),
        ) => {
            let inner = Box::new(qualify_among(inner, exposed)?);
            Ok(DataType::Array(match element {
                ArrayElemTypeDef::Qualified(_, size) => ArrayElemTypeDef::Qualified(inner, *size),
                ArrayElemTypeDef::SquareBracket(_, size) => ArrayElemTypeDef::SquareBracket(inner, *size),
                other => other.clone(),
            }))
        }
        DataType::Custom(name, modifiers) => qualify_named(name, modifiers, exposed),
        known if is_grammar(known) => Ok(known.clone()),
        refused => Err(refused_type(&refused.to_string().to_ascii_lowercase())),
    }
}

/// Whether this is `typname` of an allowed type of `pg_catalog`.
pub fn is_known(name: &str) -> bool {
    ALLOWED.iter().any(|(allowed, _, _)| *allowed == name)
}

/// Whether a client may declare a parameter of this type; 0 leaves it open.
pub fn check_oid(oid: u32, snapshot: &Snapshot, warehouse: &WarehouseName) -> Result<(), Refusal> {
    let known = oid == 0
        || oid == UNKNOWN_OID
        || ALLOWED.iter().any(|(_, own, array)| oid == *own || oid == *array)
        || snapshot.exposed_types(warehouse).any(|t| t.oid == oid);
    if known { Ok(()) } else { Err(refused_type(&format!("with OID {oid}"))) }
}

/// `typname` of an allowed type of `pg_catalog` by its OID.
pub fn name_of(oid: u32) -> Option<&'static str> {
    ALLOWED.iter().find(|(_, own, _)| *own == oid).map(|(name, _, _)| *name)
}

/// Types that Postgres' grammar knows by keywords. Every other variant is another dialect's, or refused.
fn is_grammar(data_type: &DataType) -> bool {
    match data_type {
        DataType::Character(length)
        | DataType::Char(length)
        | DataType::CharacterVarying(length)
        | DataType::CharVarying(length)
        | DataType::Varchar(length) => {
            matches!(length, None | Some(CharacterLength::IntegerLength { unit: None, .. }))
        }
        DataType::Int2(display)
        | DataType::SmallInt(display)
        | DataType::Int(display)
        | DataType::Int4(display)
        | DataType::Int8(display)
        | DataType::Integer(display)
        | DataType::BigInt(display) => display.is_none(),
        DataType::Uuid
        | DataType::Numeric(_)
        | DataType::Decimal(_)
        | DataType::Dec(_)
        | DataType::Float(_)
        | DataType::Float4
        | DataType::Float8
        | DataType::Real
        | DataType::DoublePrecision
        | DataType::Bool
        | DataType::Boolean
        | DataType::Date
        | DataType::Time(..)
        | DataType::Timestamp(..)
        | DataType::Interval { .. }
        | DataType::JSON
        | DataType::JSONB
        | DataType::Text
        | DataType::Bytea
        | DataType::Bit(_)
        | DataType::BitVarying(_)
        | DataType::VarBit(_)
        | DataType::GeometricType(_)
        | DataType::TsVector
        | DataType::TsQuery => true,
        _ => false,
    }
}

fn qualify_named(name: &ObjectName, modifiers: &[String], exposed: &[&ExposedType]) -> Result<DataType, Refusal> {
    let shown = name.to_string();
    let mut parts = Vec::new();
    for part in &name.0 {
        match part {
            ObjectNamePart::Identifier(ident) => parts.push(sql::ident(ident)),
            ObjectNamePart::Function(_) => return Err(refused_type(&shown)),
        }
    }
    if !modifiers.iter().all(|m| !m.is_empty() && m.trim().bytes().all(|b| b.is_ascii_digit())) {
        return Err(refused_type(&shown).with_hint("A modifier of a type is a whole number."));
    }
    let (schema, own) = match parts.as_slice() {
        [own] => (None, own.as_str()),
        [schema, own] => (Some(schema.as_str()), own.as_str()),
        _ => return Err(refused_type(&shown)),
    };
    let built_in = ALLOWED
        .iter()
        .any(|(allowed, _, _)| *allowed == own || own.strip_prefix('_').is_some_and(|element| element == *allowed));
    if built_in && schema.is_none_or(|schema| schema == "pg_catalog") {
        return Ok(DataType::Custom(written("pg_catalog", own), modifiers.to_vec()));
    }
    let exposed = exposed.iter().find(|t| t.name == own && schema.is_none_or(|schema| schema == t.schema));
    match exposed {
        Some(exposed) => Ok(DataType::Custom(written(&exposed.schema, own), modifiers.to_vec())),
        None => Err(refused_type(&shown)),
    }
}

fn written(schema: &str, name: &str) -> ObjectName {
    ObjectName::from(vec![sql::exact(schema), sql::exact(name)])
}

fn refused_type(name: &str) -> Refusal {
    let refusal = Refusal::new("type", format!("type {name} is not allowed"));
    let bare = name.trim_start_matches("pg_catalog.");
    if bare.starts_with("reg") {
        refusal.with_hint("It looks names up in the warehouse's own catalogs; use a text or oid instead.")
    } else {
        refusal.with_hint("Use a built-in type, or the type of a column of a data product.")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::govern::snapshot::SnapshotParts;

    fn qualified(sql: &str) -> Result<String, String> {
        let (snapshot, _) = Snapshot::build(SnapshotParts::default()).unwrap();
        let dialect = sqlparser::dialect::PostgreSqlDialect {};
        let data_type = sqlparser::parser::Parser::new(&dialect).try_with_sql(sql).unwrap().parse_data_type().unwrap();
        qualify(&data_type, &snapshot, &WarehouseName::new("w")).map(|t| t.to_string()).map_err(|r| r.message)
    }

    #[test]
    fn ordinary_types_are_allowed() {
        for sql in [
            "int",
            "integer",
            "int4",
            "bigint",
            "smallint",
            "double precision",
            "real",
            "float8",
            "numeric(10, 2)",
            "varchar(20)",
            "character varying",
            "char(3)",
            "text",
            "timestamp(3) without time zone",
            "timestamptz",
            "timestamp with time zone",
            "time",
            "interval",
            "interval day to second",
            "bool",
            "uuid",
            "json",
            "jsonb",
            "bytea",
            "bit(3)",
            "date",
            "int[]",
            "text[][]",
            "point",
            "tsvector",
        ] {
            assert!(qualified(sql).is_ok(), "{sql}: {:?}", qualified(sql));
        }
    }

    #[test]
    fn names_that_are_no_grammar_get_their_schema() {
        assert_eq!(qualified("inet").unwrap(), r#""pg_catalog"."inet""#);
        assert_eq!(qualified("pg_catalog.int4").unwrap(), r#""pg_catalog"."int4""#);
        assert_eq!(qualified("pg_catalog.varchar(12)").unwrap(), r#""pg_catalog"."varchar"(12)"#);
        assert_eq!(qualified("MONEY[]").unwrap(), r#""pg_catalog"."money"[]"#);
        assert_eq!(qualified("_text").unwrap(), r#""pg_catalog"."_text""#);
        assert_eq!(qualified("\"char\"").unwrap(), r#""pg_catalog"."char""#);
    }

    #[test]
    fn what_looks_into_the_catalogs_or_is_unknown_is_refused() {
        for sql in [
            "regclass",
            "regtype",
            "pg_catalog.regclass",
            "regrole[]",
            "xid",
            "tid",
            "cid",
            "pg_lsn",
            "record",
            "cstring",
            "aclitem",
            "anyelement",
            "unknown",
            "pg_node_tree",
            "refcursor",
            "public.orders",
            "app.mood",
            "string",
            "tinyint",
            "unsigned",
            "\"INET\"",
            "pg_catalog.orders",
            "a.b.inet",
            "txid_snapshot",
            "_regclass",
        ] {
            assert!(qualified(sql).is_err(), "{sql}: {:?}", qualified(sql));
        }
    }

    #[test]
    fn parameter_oids_are_on_the_same_list() {
        let (snapshot, _) = Snapshot::build(SnapshotParts::default()).unwrap();
        let check = |oid| check_oid(oid, &snapshot, &WarehouseName::new("w"));
        for oid in [0, 705, 23, 25, 1009, 1700, 2950] {
            assert!(check(oid).is_ok(), "{oid}");
        }
        for oid in [2205, 2210, 28, 2249, 16_500] {
            assert!(check(oid).is_err(), "{oid}");
        }
    }
}
