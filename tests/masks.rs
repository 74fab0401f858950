//! Masks on a real PostgreSQL 15: each suitable pair of mask and type keeps type, typmod and collation, gives the right
//! values, and gives the same values under every setting that a client may change.

#![allow(
    clippy::allow_attributes,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

#[path = "common/postgres.rs"]
mod postgres;

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
use postgres::TestPostgres;

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

fn read_facts(server: &TestPostgres) -> RelationFacts {
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
        .rows("", sql)
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
                equality: false,
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
        facts: Facts {
            relations: BTreeMap::from([(warehouse.clone(), vec![(relation, facts.clone())])]),
            ..Facts::default()
        },
        warehouses: BTreeMap::from([(
            warehouse,
            pgveil::govern::snapshot::WarehouseRules { extension_schemas: vec!["public".to_owned()] },
        )]),
        has_hash_key: true,
        quarantine: false,
        ..SnapshotParts::default()
    };
    let (snapshot, _) = Snapshot::build(parts).map_err(|findings| findings.to_string())?;
    let subject = snapshot.subject("ana", None).unwrap();
    let view = snapshot.view(&subject, &product).unwrap();
    assert!(view.columns.iter().all(|column| column.masked) && view.guarded);
    Ok(pgveil::sql::render_query(&view.query()))
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
        // Too large to be counted in the column's own type.
        (Mask::Bucket("16385".to_owned()), vec!["i2", "i4", "i8"]),
        (Mask::Bucket("1073741825".to_owned()), vec!["i2", "i4", "i8"]),
        (Mask::Bucket("4611686018427387905".to_owned()), vec!["i2", "i4", "i8"]),
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
    let server = TestPostgres::start();
    server.rows("", SETUP).unwrap();
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
    server.rows(&options(""), &script).unwrap();
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
    let kept = server.rows("", &script).unwrap();
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
        results.push(server.rows(&options(setting), &fixed).unwrap());
    }
    assert_eq!(results[0], results[1]);
    assert_eq!(results[0], results[2]);
    let distinct: std::collections::BTreeSet<_> = results[0].iter().collect();
    assert!(distinct.len() > 20, "the digests tell values apart");
    values_are_right(&server, &facts);
    a_masked_value_is_a_real_hmac(&server, &facts);
}

fn values_are_right(server: &TestPostgres, facts: &RelationFacts) {
    let value = |mask: Mask, column: &str| -> Vec<String> {
        let query = masked(facts, &[(column, Some(mask))]).unwrap();
        let name = pgveil::names::quote_identifier(column);
        let sql = format!("SELECT coalesce(q.{name}::text, 'NULL') FROM ({query}) q");
        server.rows(&options("-c TimeZone=UTC"), &sql).unwrap().into_iter().map(|mut row| row.remove(0)).collect()
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
    let not_null = server.rows(&options(""), &format!("SELECT count(*) FROM ({}) q WHERE dm IS NULL", default("dm")));
    assert_eq!(not_null.unwrap()[0][0], "3", "a NOT NULL domain is shown as its base type");
}

/// Rows at the ends of the integer types, around zero and everywhere between, for other numbers too.
const NUMBERS: &str = "
    CREATE TEMP TABLE wide AS
        SELECT ('x' || substr(md5(g::text), 1, 16))::bit(64)::bigint AS x FROM generate_series(1, 1500) g
        UNION ALL SELECT -9223372036854775808 + g FROM generate_series(0, 40) g
        UNION ALL SELECT 9223372036854775807 - g FROM generate_series(0, 40) g
        UNION ALL SELECT sign * (power::numeric(30) + g)::bigint FROM generate_series(-2, 2) g, (VALUES (-1), (1)) s(sign),
            (SELECT 2::numeric ^ e FROM unnest(ARRAY[3, 14, 15, 16, 29, 30, 31, 32, 45, 61, 62]) e) p(power);
    TRUNCATE people;
    INSERT INTO people (id, dm, i8, i4, i2, n, n52, n30, f4, f8)
        SELECT row_number() OVER (), 'd@e', x, i4, i2, x / 1000.0, i2 / 100.0, i2 % 1000, x / 1e15, x / 1e12
        FROM (SELECT x, CASE WHEN x BETWEEN -2147483648 AND 2147483647 THEN x ELSE x >> 32 END AS i4,
            CASE WHEN x BETWEEN -32768 AND 32767 THEN x ELSE x >> 48 END AS i2 FROM wide
            UNION ALL SELECT NULL, -2147483648 + g, -32768 + g FROM generate_series(0, 40) g
            UNION ALL SELECT NULL, 2147483647 - g, 32767 - g FROM generate_series(0, 40) g
            UNION ALL SELECT NULL, NULL, NULL) v;
    UPDATE people SET n = 'NaN', n52 = 'NaN', n30 = 'NaN', f4 = 'NaN', f8 = 'NaN' WHERE id = 1;
    UPDATE people SET n = 'infinity', f4 = 'infinity', f8 = '-infinity' WHERE id = 2;
    UPDATE people SET n = '-infinity', f4 = '-0', f8 = '-0' WHERE id = 3;
";

#[test]
fn a_bucket_is_the_one_that_exact_arithmetic_gives() {
    let server = TestPostgres::start();
    server.rows("", SETUP).unwrap();
    let facts = read_facts(&server);
    server.rows("", NUMBERS).unwrap();
    let rows: usize =
        server.rows("", "SELECT count(*) FROM people WHERE i2 IS NOT NULL").unwrap()[0][0].parse().unwrap();
    assert!(rows > 1_600, "{rows}");
    let steps = [
        "1",
        "2",
        "3",
        "7",
        "10",
        "0010",
        "999",
        "16383",
        "16384",
        "16385",
        "32767",
        "32768",
        "32769",
        "65536",
        "1073741823",
        "1073741824",
        "1073741825",
        "2147483647",
        "2147483648",
        "2147483649",
        "4294967296",
        "4611686018427387903",
        "4611686018427387904",
        "4611686018427387905",
        "9223372036854775807",
        "9223372036854775808",
        "9223372036854775809",
        "100000000000000000000000",
    ];
    let mut statements = Vec::new();
    let mut asked = Vec::new();
    let mut ask = |column: &str, step: &str| {
        let query = masked(
            &facts,
            &[("id", Some(Mask::Sql("{column}".to_owned()))), (column, Some(Mask::Bucket(step.to_owned())))],
        )
        .unwrap_or_else(|findings| panic!("{step} on {column}: {findings}"));
        let exact = exact_bucket(column, step);
        statements.push(format!(
            "SELECT count(*), count(q.{column}), \
             coalesce(min(p.{column}::text || ' ' || q.{column}::text || ' ' || ({exact})::text) \
             FILTER (WHERE q.{column}::text IS DISTINCT FROM ({exact})::text), '') \
             FROM public.people p JOIN ({query}) q USING (id);"
        ));
        asked.push(format!("{step} on {column}"));
    };
    for column in ["i2", "i4", "i8", "n", "n52", "n30", "f4", "f8"] {
        for step in steps {
            ask(column, step);
        }
    }
    for column in ["n", "n52", "n30", "f4", "f8"] {
        for step in ["0.25", "0.003", "1e3", "2.50"] {
            ask(column, step);
        }
    }
    // A script is an argument of psql, whose length has a limit.
    let answers: Vec<_> =
        statements.chunks(20).flat_map(|script| server.rows(&options(""), &script.concat()).unwrap()).collect();
    assert_eq!(answers.len(), asked.len());
    for (answer, asked) in answers.iter().zip(asked) {
        assert!(answer[0].parse::<usize>().unwrap() > 1_600 && answer[1] != "0", "{asked}: {answer:?}");
        assert_eq!(answer[2], "", "{asked}: the value, its bucket, and what it should be");
    }
}

/// What FORMATS says, computed in the slowest and surest way.
fn exact_bucket(column: &str, step: &str) -> String {
    let (of_type, smallest) = match column {
        "i2" => ("int2", "-32768"),
        "i4" => ("int4", "-2147483648"),
        "i8" => ("int8", "-9223372036854775808"),
        "n" => ("numeric", "-infinity"),
        "n52" => ("numeric(5,2)", "-999.99"),
        "n30" => ("numeric(3,0)", "-999"),
        float => {
            let step = format!("CAST({step} AS double precision)");
            let of_type = if float == "f4" { "real" } else { "double precision" };
            return format!("CAST(floor(CAST(p.{float} AS double precision) / {step}) * {step} AS {of_type})");
        }
    };
    let value = format!("CAST(p.{column} AS numeric)");
    let rest = format!("mod({value}, {step})");
    let lower = format!("({value} - {rest} - (CASE WHEN {rest} < 0 THEN {step} ELSE 0 END))");
    format!(
        "CAST(CASE WHEN p.{column} IS NOT NULL THEN \
         CASE WHEN {lower} < CAST('{smallest}' AS numeric) THEN CAST('{smallest}' AS numeric) ELSE {lower} END END AS {of_type})"
    )
}

fn a_masked_value_is_a_real_hmac(server: &TestPostgres, facts: &RelationFacts) {
    use hmac::{Hmac, Mac};
    let query = masked(facts, &[("odd \"name", Some(Mask::Hash))]).unwrap();
    let rows = server.rows(&options(""), &query).unwrap();
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
    let server = TestPostgres::start();
    server.rows("", SETUP).unwrap();
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
