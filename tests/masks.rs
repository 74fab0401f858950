//! Masks on a real PostgreSQL 15: each suitable pair of mask and type keeps type, typmod and collation, gives the right
//! values, and gives the same values under every setting that a client may change.

#![allow(clippy::allow_attributes, clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

mod throwaway;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::sync::Arc;

use pgveil::catalog::{Catalog, Column, ContractType, Mask, OnBreach, Owner, Pii, Product, Sla, Status};
use pgveil::config::{Policy, Role, RoleLimits, User};
use pgveil::govern::facts::{ColumnFacts, Facts, RelationFacts, RelationKind, TypeKind};
use pgveil::govern::masks::hash_key_options;
use pgveil::govern::snapshot::{Snapshot, SnapshotParts};
use pgveil::names::{ProductId, ProductPattern, RelationName, RoleName, UserName, WarehouseName};
use throwaway::Server;

const KEY: &[u8] = b"0123456789abcdef0123456789abcdef";

const SETUP: &str = r#"
    CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy');
    CREATE DOMAIN mail AS text NOT NULL CHECK (VALUE LIKE '%@%');
    CREATE DOMAIN short AS varchar(5);
    CREATE TABLE people (
        id int, "odd ""name" text, v20 varchar(20), v5 varchar(5), v64 varchar(64), v varchar, c10 char(10), c3 char(3),
        turkish text COLLATE "C", i2 int2, i4 int4, i8 int8, n numeric, n52 numeric(5,2), n30 numeric(3,0), f4 float4, f8 float8,
        b bool, d date, ts timestamp, ts3 timestamp(3), tz timestamptz, tz0 timestamptz(0), t time, iv interval,
        u uuid, j json, jb jsonb, by bytea, ar text[], ia int[], ip inet, m mood, ma mood[], dm mail, ds short,
        r int4range, mo money, nm name, ch "char", bt bit(3), vb varbit(8), ttz timetz
    );
    INSERT INTO people VALUES
    (1, 'ana@example.com', 'ana@example.com', 'abcde', 'ana.maria@mail.example.com', 'x@y@z.org', 'abcdefghij', 'abc',
     'straße-42', 32767, 2147483647, 9223372036854775807, 123.456, 999.99, 999, 1.5, 1e10, true, '2026-07-31',
     '2026-07-31 23:59:59.999', '2026-07-31 23:59:59.999', '2026-07-31 23:30:00+00', '2026-07-31 23:30:00+00',
     '10:11:12', '1 day 02:03', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', '{"a": 1}', '{"a": 1}', '\x0102', '{a,b}', '{1}',
     '10.0.0.1', 'ok', '{ok}', 'ana@example.com', 'abc', '[1,5)', 12.5, 'name', 'x', '101', '1010', '10:00+02'),
    (2, 'short', 'short', 'ab', 'no-at-sign', '@start.example', 'ab', 'a', 'a', -32768, -2147483648, -9223372036854775808,
     -0.001, -999.99, -999, -1.5, -0.0, false, '-infinity', 'infinity', '0001-01-01', '-infinity', '2026-01-01 00:30:00+14',
     '00:00', '-1 mon', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a12', '1', '1', '', '{}', '{}', '::1', 'sad', '{}',
     'b@c', 'x', 'empty', -0.5, 'n', 'y', '000', '', '23:59-12'),
    (3, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL,
     NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, 'd@e', NULL, NULL, NULL, NULL, NULL,
     NULL, NULL, NULL);
"#;

fn read_facts(server: &Server) -> RelationFacts {
    let sql = "SELECT a.attname, a.attnum, a.atttypid, n.nspname, t.typname, \
        CASE WHEN t.typtype = 'b' AND t.typcategory = 'A' THEN 'A' ELSE t.typtype::text END, \
        CASE WHEN n.nspname = 'pg_catalog' THEN format_type(a.atttypid, a.atttypmod) \
             ELSE 'public.' || format_type(a.atttypid, a.atttypmod) END, \
        coalesce(bt.typname, t.typname), \
        coalesce(format_type(bt.oid, t.typtypmod), 'public.' || format_type(a.atttypid, a.atttypmod)), a.atttypmod, \
        CASE WHEN a.attcollation <> t.typcollation THEN c.collname::text ELSE '' END, a.attnotnull OR t.typnotnull \
        FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid JOIN pg_namespace n ON n.oid = t.typnamespace \
        LEFT JOIN pg_type bt ON bt.oid = t.typbasetype LEFT JOIN pg_collation c ON c.oid = a.attcollation \
        WHERE a.attrelid = 'people'::regclass AND a.attnum > 0 ORDER BY a.attnum";
    let columns = server
        .query("", sql)
        .unwrap()
        .into_iter()
        .map(|row| {
            let type_kind = match row[5].as_str() {
                "A" => TypeKind::Array,
                "d" => TypeKind::Domain,
                "e" => TypeKind::Enum,
                "r" | "m" => TypeKind::Range,
                _ => TypeKind::Base,
            };
            let domain = type_kind == TypeKind::Domain;
            ColumnFacts {
                name: row[0].clone(),
                number: row[1].parse().unwrap(),
                type_oid: row[2].parse().unwrap(),
                type_schema: row[3].clone(),
                type_name: row[4].clone(),
                sql_type: row[6].clone(),
                type_kind,
                base_type_name: row[7].clone(),
                base_sql_type: if domain { row[8].clone() } else { row[6].clone() },
                typmod: row[9].parse().unwrap(),
                collation: (!row[10].is_empty()).then(|| ("pg_catalog".to_owned(), row[10].clone())),
                not_null: row[11] == "t",
            }
        })
        .collect();
    RelationFacts {
        oid: 1,
        kind: RelationKind::Table,
        columns,
        primary_key: Vec::new(),
        unique_keys: Vec::new(),
        barrier: true,
        parents: Vec::new(),
        has_children: false,
        tableoid: false,
    }
}

fn contract_type(fact: &ColumnFacts) -> ContractType {
    match (fact.type_kind, fact.base_type_name.as_str()) {
        (TypeKind::Array, _) => ContractType::Array,
        (_, "int2" | "int4" | "int8") => ContractType::Integer,
        (_, "float4" | "float8") => ContractType::Float,
        (_, "numeric" | "money") => ContractType::Decimal,
        (_, "bool") => ContractType::Boolean,
        (_, "date") => ContractType::Date,
        (_, "timestamp" | "timestamptz") => ContractType::Timestamp,
        (_, "time" | "timetz") => ContractType::Time,
        (_, "interval") => ContractType::Interval,
        (_, "uuid") => ContractType::Uuid,
        (_, "json" | "jsonb") => ContractType::Json,
        (_, "bytea") => ContractType::Bytes,
        _ => ContractType::String,
    }
}

/// The derived query of a product over `people` with these columns, masked as said; or the findings of the load.
fn masked(facts: &RelationFacts, columns: &[(&str, Option<Mask>)]) -> Result<String, String> {
    let relation = RelationName { schema: "public".to_owned(), name: "people".to_owned() };
    let warehouse = WarehouseName::new("w");
    let product = Product {
        id: ProductId::parse("crm.people").unwrap(),
        name: String::new(),
        description: String::new(),
        version: 1,
        status: Status::Published,
        published_at: None,
        tags: Vec::new(),
        relation: relation.clone(),
        warehouse: warehouse.clone(),
        on_breach: OnBreach::Notice,
        owner: Owner { team: String::new(), contact: String::new(), slack_channel: None },
        sla: Sla::default(),
        columns: columns
            .iter()
            .map(|(name, mask)| Column {
                name: (*name).to_owned(),
                contract_type: contract_type(facts.column(name).unwrap()),
                description: String::new(),
                pii: Pii::Yes,
                nullable: true,
                mask: mask.clone(),
            })
            .collect(),
        checks: Vec::new(),
        row_filters: Vec::new(),
        deprecation: None,
        schedule: None,
        meta: toml::Table::new(),
        file: PathBuf::from("people.toml"),
        digest: String::new(),
        places: Default::default(),
    };
    let mut policy = Policy::default();
    let everything = vec![ProductPattern::parse("*").unwrap()];
    policy.roles.insert(
        RoleName::new("analyst"),
        Role {
            products: everything.clone(),
            unmask: Vec::new(),
            discover: everything,
            drafts: Vec::new(),
            copy_out: true,
            explain: true,
            limits: RoleLimits::default(),
        },
    );
    policy.users.insert(
        UserName::new("ana"),
        User {
            password: None,
            certificate: None,
            roles: vec![RoleName::new("analyst")],
            attributes: BTreeMap::new(),
            on_behalf_of: Vec::new(),
            limits: RoleLimits::default(),
        },
    );
    let parts = SnapshotParts {
        catalog: Catalog::new([Arc::new(product.clone())]),
        policy,
        facts: Facts { relations: BTreeMap::from([(warehouse.clone(), vec![(relation, facts.clone())])]) },
        warehouses: BTreeMap::from([(
            warehouse,
            pgveil::govern::snapshot::WarehouseRules { extension_schemas: vec!["public".to_owned()] },
        )]),
        has_hash_key: true,
        ..SnapshotParts::default()
    };
    let (snapshot, _) = Snapshot::build(parts).map_err(|findings| findings.to_string())?;
    let subject = snapshot.subject("ana", None).unwrap();
    let view = snapshot.view(&subject, &product).unwrap();
    assert!(view.columns.iter().all(|column| column.masked) && view.guarded);
    Ok(pgveil::sql::render_query(&view.query))
}

fn options(settings: &str) -> String {
    let [(inner, ki), (outer, ko)] = hash_key_options(KEY);
    format!("-c search_path=pg_catalog -c {inner}={ki} -c {outer}={ko} {settings}")
}

/// Every mask that suits some type, with the columns that it suits.
fn suitable() -> Vec<(Mask, Vec<&'static str>)> {
    let every = vec![
        "id",
        "odd \"name",
        "v20",
        "v5",
        "v64",
        "v",
        "c10",
        "c3",
        "turkish",
        "i2",
        "i4",
        "i8",
        "n",
        "n52",
        "f4",
        "f8",
        "b",
        "d",
        "ts",
        "ts3",
        "tz",
        "tz0",
        "t",
        "iv",
        "u",
        "j",
        "jb",
        "by",
        "ar",
        "ia",
        "ip",
        "m",
        "ma",
        "dm",
        "ds",
        "r",
        "mo",
        "nm",
        "ch",
        "bt",
        "vb",
        "ttz",
    ];
    let texts = ["odd \"name", "v20", "v64", "v", "c10", "turkish"];
    vec![
        (Mask::Last4, texts.to_vec()),
        (Mask::Redact, [&texts[..], &["v5", "c3"]].concat()),
        (Mask::Email, vec!["odd \"name", "v20", "v64", "v", "turkish"]),
        (Mask::Hash, vec!["odd \"name", "v64", "v", "turkish"]),
        (Mask::Null, every),
        (Mask::Year, vec!["d", "ts", "ts3", "tz", "tz0"]),
        (Mask::Month, vec!["d", "ts", "ts3", "tz", "tz0"]),
        (Mask::Bucket("10".to_owned()), vec!["i2", "i4", "i8", "n", "n52", "n30", "f4", "f8"]),
        (Mask::Bucket("0.25".to_owned()), vec!["n", "n52", "f4", "f8"]),
        (Mask::Value("7".to_owned()), vec!["i2", "i4", "i8", "n", "n52", "f4", "f8", "v5", "j", "jb", "odd \"name"]),
        (Mask::Value("2026-01-31".to_owned()), vec!["d", "ts", "ts3", "tz", "tz0"]),
        (Mask::Value("sad".to_owned()), vec!["m"]),
        (Mask::Sql("left({column}, 1) || '…'".to_owned()), vec!["odd \"name", "v20", "v64", "turkish"]),
        (Mask::Sql("extract(year from {column})::int".to_owned()), Vec::new()),
        (Mask::Sql("date_trunc('day', {column})".to_owned()), vec!["ts", "ts3"]),
        (Mask::Sql("network(set_masklen({column}, 8))".to_owned()), vec!["ip"]),
        (Mask::Sql("{column} * 0 + id".to_owned()), vec!["i4", "i8", "n"]),
    ]
}

#[test]
fn masks_keep_types_and_depend_on_no_setting() {
    let Some(server) = Server::start() else { return };
    server.query("", SETUP).unwrap();
    let facts = read_facts(&server);
    let settings = [
        "-c TimeZone=UTC",
        "-c TimeZone=Pacific/Kiritimati -c DateStyle=German -c IntervalStyle=sql_standard -c bytea_output=escape",
        "-c TimeZone=America/New_York -c DateStyle=SQL,DMY -c extra_float_digits=-15 -c IntervalStyle=iso_8601",
    ];
    let mut script = String::new();
    let mut pairs = Vec::new();
    for (mask, columns) in suitable() {
        for column in columns {
            let query = masked(&facts, &[("id", Some(Mask::Null)), (column, Some(mask.clone()))])
                .unwrap_or_else(|findings| panic!("{mask:?} on {column}: {findings}"));
            let number = pairs.len();
            if column != "id" {
                writeln!(script, "CREATE VIEW public.v{number} AS {query};").unwrap();
            }
            pairs.push((mask.clone(), column, query));
        }
    }
    server.query(&options(""), &script).unwrap();
    let shown: Vec<_> = pairs.iter().enumerate().filter(|(_, (_, column, _))| *column != "id").collect();
    let script: String = shown
        .iter()
        .map(|(number, _)| {
            format!(
                "SELECT format_type(coalesce(nullif(t.typbasetype, 0), b.atttypid), \
                 CASE WHEN t.typbasetype = 0 THEN b.atttypmod ELSE t.typtypmod END), \
                 format_type(v.atttypid, v.atttypmod), b.attcollation = v.attcollation OR t.typtype = 'd', \
                 b.attname = v.attname \
                 FROM pg_attribute v LEFT JOIN pg_attribute b ON b.attname = v.attname \
                 AND b.attrelid = 'people'::regclass LEFT JOIN pg_type t ON t.oid = b.atttypid \
                 WHERE v.attrelid = 'v{number}'::regclass AND v.attnum = 2;"
            )
        })
        .collect();
    let kept = server.query("", &script).unwrap();
    assert_eq!(kept.len(), shown.len());
    for ((_, (mask, column, _)), row) in shown.iter().zip(kept) {
        assert_eq!(row[0], row[1], "{mask:?} on {column}: type and typmod");
        assert_eq!(row[2..], ["t", "t"], "{mask:?} on {column}: collation, name");
    }
    // The values under each setting, as bytes of the type's binary form, which no setting touches.
    let mut results = Vec::new();
    for setting in settings {
        let mut script = String::new();
        for (_, column, query) in pairs.iter().filter(|(_, column, _)| *column != "id") {
            let name = pgveil::names::quote_identifier(column);
            // A row of such a type hashes its binary value; a hash that ignored it would be a constant.
            writeln!(
                script,
                "SELECT md5(string_agg(coalesce(record_send(ROW(q.{name}))::text, ''), '|')) FROM ({query}) q;"
            )
            .unwrap();
        }
        let fixed = format!("SET bytea_output = hex; {script}");
        results.push(server.query(&options(setting), &fixed).unwrap());
    }
    assert_eq!(results[0], results[1]);
    assert_eq!(results[0], results[2]);
    let distinct: std::collections::BTreeSet<_> = results[0].iter().collect();
    assert!(distinct.len() > 20, "the digests tell values apart");
    values_are_right(&server, &facts);
    a_masked_value_is_a_real_hmac(&server, &facts);
}

fn values_are_right(server: &Server, facts: &RelationFacts) {
    let value = |mask: Mask, column: &str| -> Vec<String> {
        let query = masked(facts, &[(column, Some(mask))]).unwrap();
        let name = pgveil::names::quote_identifier(column);
        let sql = format!("SELECT coalesce(q.{name}::text, 'NULL') FROM ({query}) q");
        server.query(&options("-c TimeZone=UTC"), &sql).unwrap().into_iter().map(|mut row| row.remove(0)).collect()
    };
    let bucket = |step: &str| Mask::Bucket(step.to_owned());
    assert_eq!(value(Mask::Last4, "odd \"name"), ["***.com", "***", "NULL"]);
    assert_eq!(value(Mask::Last4, "c10"), ["***ghij", "***", "NULL"]);
    assert_eq!(value(Mask::Redact, "odd \"name"), ["***", "***", "***"]);
    assert_eq!(value(Mask::Email, "odd \"name"), ["a***@example.com", "***", "NULL"]);
    assert_eq!(value(Mask::Email, "v"), ["x***@z.org", "***@start.example", "NULL"]);
    assert_eq!(value(Mask::Email, "v64"), ["a***@mail.example.com", "***", "NULL"]);
    assert_eq!(value(Mask::Null, "m"), ["NULL", "NULL", "NULL"]);
    assert_eq!(value(Mask::Month, "tz"), ["2026-07-01 00:00:00+00", "-infinity", "NULL"]);
    assert_eq!(value(Mask::Year, "tz0"), ["2026-01-01 00:00:00+00", "2025-01-01 00:00:00+00", "NULL"]);
    assert_eq!(value(Mask::Month, "d"), ["2026-07-01", "-infinity", "NULL"]);
    assert_eq!(value(Mask::Year, "ts"), ["2026-01-01 00:00:00", "infinity", "NULL"]);
    assert_eq!(value(bucket("10"), "i8"), ["9223372036854775800", "-9223372036854775808", "NULL"]);
    assert_eq!(value(bucket("1000"), "i2"), ["32000", "-32768", "NULL"]);
    assert_eq!(value(bucket("10"), "n"), ["120.000", "-10.000", "NULL"]);
    assert_eq!(value(bucket("10"), "n52"), ["990.00", "-999.99", "NULL"]);
    assert_eq!(value(bucket("10"), "n30"), ["990", "-999", "NULL"]);
    assert_eq!(value(bucket("0.25"), "f8"), ["10000000000", "0", "NULL"]);
    assert_eq!(value(Mask::Value("2026-01-31 10:00".to_owned()), "tz"), ["2026-01-31 10:00:00+00"; 3]);
    // Without a mask of its own a personal column has the default of its type.
    let default = |column: &str| masked(facts, &[(column, None)]).unwrap();
    for (column, last4) in [
        ("odd \"name", true),
        ("v20", true),
        ("c10", true),
        ("v5", false),
        ("c3", false),
        ("m", false),
        ("dm", false),
        ("ds", false),
        ("i4", false),
        ("nm", false),
        ("ch", false),
        ("ar", false),
        ("jb", false),
    ] {
        assert_eq!(default(column).contains("'***'"), last4, "{column}");
    }
    let not_null = server.query(&options(""), &format!("SELECT count(*) FROM ({}) q WHERE dm IS NULL", default("dm")));
    assert_eq!(not_null.unwrap()[0][0], "3", "a NOT NULL domain is shown as its base type");
}

fn a_masked_value_is_a_real_hmac(server: &Server, facts: &RelationFacts) {
    use hmac::{Hmac, Mac};
    let query = masked(facts, &[("odd \"name", Some(Mask::Hash))]).unwrap();
    let rows = server.query(&options(""), &query).unwrap();
    let mut mac = Hmac::<sha2::Sha256>::new_from_slice(KEY).unwrap();
    mac.update(b"ana@example.com");
    let expected: String = mac.finalize().into_bytes().iter().fold(String::new(), |mut hex, byte| {
        write!(hex, "{byte:02x}").unwrap();
        hex
    });
    assert_eq!(rows[0][0], expected);
    assert!(!query.contains("30313233"), "the key does not stand in the SQL");
}

#[test]
fn a_mask_that_does_not_suit_is_a_load_error() {
    let Some(server) = Server::start() else { return };
    server.query("", SETUP).unwrap();
    let facts = read_facts(&server);
    for (mask, column) in [
        (Mask::Last4, "v5"),
        (Mask::Last4, "i4"),
        (Mask::Last4, "m"),
        (Mask::Last4, "dm"),
        (Mask::Redact, "jb"),
        (Mask::Email, "c10"),
        (Mask::Hash, "v20"),
        (Mask::Hash, "c10"),
        (Mask::Hash, "i4"),
        (Mask::Year, "v20"),
        (Mask::Month, "t"),
        (Mask::Bucket("10".to_owned()), "v20"),
        (Mask::Bucket("0.5".to_owned()), "i4"),
        (Mask::Bucket("0".to_owned()), "i4"),
        (Mask::Bucket("-1".to_owned()), "i4"),
        (Mask::Bucket("1 OR 1".to_owned()), "n"),
        (Mask::Value("x".to_owned()), "i4"),
        (Mask::Value("99999".to_owned()), "i2"),
        (Mask::Value("too long".to_owned()), "v5"),
        (Mask::Value("31.01.2026".to_owned()), "d"),
        (Mask::Value("now".to_owned()), "ts"),
        (Mask::Value("{".to_owned()), "jb"),
        (Mask::Sql("left({column}, 1".to_owned()), "v20"),
        (Mask::Sql("(SELECT max(id) FROM people)".to_owned()), "i4"),
        (Mask::Sql("pg_sleep(1)".to_owned()), "v20"),
        (Mask::Sql("{column}::text".to_owned()), "d"),
        (Mask::Sql("date_trunc('day', {column})".to_owned()), "tz"),
        (Mask::Sql("date_trunc('day', {column})".to_owned()), "d"),
        (Mask::Sql("{column}::date".to_owned()), "tz"),
        (Mask::Sql("concat({column}, 'x')".to_owned()), "v20"),
        (Mask::Sql("{user.region}".to_owned()), "v20"),
        (Mask::Sql("nowhere".to_owned()), "v20"),
        (Mask::Sql("current_setting('pgveil.ko')".to_owned()), "v20"),
    ] {
        let result = masked(&facts, &[(column, Some(mask.clone()))]);
        assert!(result.is_err(), "{mask:?} on {column}: {result:?}");
        assert!(result.unwrap_err().contains("people.toml"));
    }
}
