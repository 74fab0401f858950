//! Facts of real relations.

use std::collections::BTreeMap;

use crate::catalog::Catalog;
use crate::govern::facts::{RelationFacts, RelationKind, TypeKind};
use crate::names::RelationName;
use crate::upstream::connect::Target;
use crate::upstream::facts::{read, read_all};
use crate::upstream::test_postgres::{Nobody, Setup};

use super::{config, server};

const SCHEMA: &str = r#"
CREATE SCHEMA f;
CREATE DOMAIN f.short AS varchar(10);
CREATE DOMAIN f.shorter AS f.short NOT NULL;
CREATE TYPE f.mood AS ENUM ('good', 'bad');
CREATE TABLE f.t (
    id bigint PRIMARY KEY,
    "Odd name" varchar(20) COLLATE "C" NOT NULL,
    gone int,
    amount numeric(10,2),
    tags text[],
    nick f.shorter,
    mood f.mood,
    at timestamptz(3),
    span int4range,
    UNIQUE ("Odd name", amount) INCLUDE (at),
    UNIQUE (at) DEFERRABLE
);
CREATE UNIQUE INDEX ON f.t (amount) WHERE amount > 0;
ALTER TABLE f.t DROP COLUMN gone;
CREATE TABLE f.child () INHERITS (f.t);
CREATE TABLE f.parts (a int, b int) PARTITION BY RANGE (a);
CREATE TABLE f.part1 PARTITION OF f.parts FOR VALUES FROM (0) TO (10);
CREATE VIEW f.plain AS SELECT id FROM f.t;
CREATE VIEW f.barrier WITH (security_barrier = on) AS SELECT id FROM f.t;
CREATE VIEW f.barrier_over_plain WITH (security_barrier) AS SELECT (SELECT max(id) FROM f.plain) AS m FROM f.barrier;
CREATE MATERIALIZED VIEW f.stored AS SELECT id FROM f.plain;
"#;

fn name(relation: &str) -> RelationName {
    RelationName { schema: "f".to_owned(), name: relation.to_owned() }
}

async fn facts() -> impl Fn(&str) -> Option<RelationFacts> {
    server().sql("postgres", SCHEMA);
    let target = Target::new(&config(&server().dsn("postgres")), Vec::new()).unwrap();
    let wanted: Vec<RelationName> =
        ["t", "child", "parts", "part1", "plain", "barrier", "barrier_over_plain", "stored", "nowhere"]
            .map(name)
            .to_vec();
    let facts = read(&target, &wanted).await.unwrap();
    move |relation| facts.iter().find(|(n, _)| *n == name(relation)).map(|(_, facts)| facts.clone())
}

#[tokio::test]
async fn every_fact_of_relations_of_every_kind() {
    let of = facts().await;
    let t = of("t").unwrap();
    assert_eq!((t.kind, t.has_children, t.parents.as_slice()), (RelationKind::Table, true, &[][..]));
    assert_eq!(t.primary_key, ["id"]);
    assert_eq!(t.unique_keys, [["Odd name", "amount"]], "not the deferrable, not the partial one");
    let names: Vec<&str> = t.columns.iter().map(|c| c.name.as_str()).collect();
    assert_eq!(names, ["id", "Odd name", "amount", "tags", "nick", "mood", "at", "span"]);
    assert_eq!(t.column("amount").unwrap().number, 4, "numbers stay when a column is dropped");
    for (column, sql_type, kind, base, base_sql, not_null) in [
        ("id", "bigint", TypeKind::Base, "int8", "bigint", true),
        ("Odd name", "character varying(20)", TypeKind::Base, "varchar", "character varying(20)", true),
        ("amount", "numeric(10,2)", TypeKind::Base, "numeric", "numeric(10,2)", false),
        ("tags", "text[]", TypeKind::Array, "_text", "text[]", false),
        ("nick", "f.shorter", TypeKind::Domain, "varchar", "character varying(10)", true),
        ("mood", "f.mood", TypeKind::Enum, "mood", "f.mood", false),
        ("at", "timestamp(3) with time zone", TypeKind::Base, "timestamptz", "timestamp(3) with time zone", false),
        ("span", "int4range", TypeKind::Range, "int4range", "int4range", false),
    ] {
        let facts = t.column(column).unwrap();
        assert_eq!(
            (facts.sql_type.as_str(), facts.type_kind, facts.base_type_name.as_str(), facts.base_sql_type.as_str()),
            (sql_type, kind, base, base_sql),
            "{column}"
        );
        assert_eq!(facts.not_null, not_null, "{column}");
    }
    assert_eq!(t.column("Odd name").unwrap().collation, Some(("pg_catalog".to_owned(), "C".to_owned())));
    assert_eq!(t.column("nick").unwrap().typmod, 14);
    assert_eq!(t.column("nick").unwrap().type_schema, "f");

    assert_eq!(of("child").unwrap().parents, [name("t")]);
    assert_eq!(of("parts").unwrap().kind, RelationKind::PartitionedTable);
    assert!(of("parts").unwrap().has_children);
    assert_eq!(of("part1").unwrap().parents, [name("parts")]);
    for (view, kind, barrier) in [
        ("plain", RelationKind::View, false),
        ("barrier", RelationKind::View, true),
        ("barrier_over_plain", RelationKind::View, false),
        ("stored", RelationKind::MaterializedView, true),
    ] {
        let facts = of(view).unwrap();
        assert_eq!((facts.kind, facts.barrier), (kind, barrier), "{view}");
    }
    assert!(of("nowhere").is_none());
}

#[tokio::test]
async fn the_control_plane_gets_in_as_the_data_path_does() {
    let server = Setup::default().auth("scram-sha-256", "hunter2").tls_only().start();
    let root = server.authority().display().to_string();
    let good = format!("{}?sslmode=verify-full&sslrootcert={root}", server.dsn("postgres"));
    let target = Target::new(&config(&good), Vec::new()).unwrap();
    assert_eq!(read(&target, &[]).await.unwrap(), []);

    let clear = Setup::default().auth("password", "hunter2").tls().start();
    let overheard = format!("{}?sslmode=disable", clear.dsn("postgres"));
    let target = Target::new(&config(&overheard), Vec::new()).unwrap();
    assert!(read(&target, &[]).await.is_err(), "the password is not sent in the clear");
    let private = format!("{}?sslmode=require", clear.dsn("postgres"));
    assert!(read(&Target::new(&config(&private), Vec::new()).unwrap(), &[]).await.is_ok());

    let wrong = format!("{}?sslmode=require", clear.dsn_of("postgres", Some("hunter3"), "postgres"));
    let error = read(&Target::new(&config(&wrong), Vec::new()).unwrap(), &[]).await.unwrap_err();
    assert!(error.to_string().contains("28P01") && !error.to_string().contains("hunter3"), "{error}");
}

#[tokio::test]
async fn a_warehouse_that_is_not_there_does_not_hide_the_others() {
    let nobody = Nobody::listens();
    let gone = format!("postgres://u@127.0.0.1:{}/db", nobody.port());
    let warehouses = BTreeMap::from([
        ("analytics".into(), config(&server().dsn("postgres"))),
        ("archive".into(), config(&gone)),
        ("broken".into(), config("mysql://u@h/db")),
    ]);
    let (facts, failures) = read_all(&warehouses, &Catalog::default()).await;
    assert_eq!(facts.relations.into_keys().collect::<Vec<_>>(), ["analytics".into()]);
    let failures: Vec<String> = failures.into_iter().map(|(name, error)| format!("{name}: {error}")).collect();
    assert!(failures[0].starts_with("archive: nobody listens at 127.0.0.1:"), "{failures:?}");
    assert!(failures[1].starts_with("broken: the DSN does not begin with postgres://"), "{failures:?}");
}
