//! Relations that change behind a product while pgveil serves: nothing undeclared, unmasked or hidden is ever shown.

use std::time::{Duration, Instant};

use crate::common::proxy::Proxy;
use crate::common::wire::Wire;
use crate::{Case, Fixture};

pub const CASES: &[Case] = &[
    ("relations::a_column_of_the_name_is_masked_whichever_it_is", renamed),
    ("relations::a_column_that_is_gone_withholds_its_product_alone", gone),
    ("relations::a_column_that_its_mask_does_not_suit_withholds_its_product", retyped),
    ("relations::a_view_in_the_place_of_a_table_is_fenced_before_it_is_read", view),
    ("relations::a_relation_created_anew_is_seen", anew),
    ("relations::a_retyped_column_does_not_hold_up_other_files", reloaded),
    ("relations::a_product_may_be_over_any_kind_of_relation", kinds),
];

/// Tries until it holds; a loaded machine needs a while.
fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !holds() {
        assert!(Instant::now() < deadline, "{what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn run(wire: &mut Wire, statements: &[&str]) {
    for sql in statements {
        let answer = wire.one(sql);
        assert!(answer.error.is_none(), "{sql}: {answer:?}");
    }
}

/// A table of its own, and a pgveil that serves it as `marketing.NAME`.
fn serving(f: &Fixture, name: &str) -> (Proxy, Wire) {
    serving_with(f, name, "")
}

/// The same with more to say of the column `email`.
fn serving_with(f: &Fixture, name: &str, email: &str) -> (Proxy, Wire) {
    let mut owner = f.warehouse.superuser("warehouse");
    run(
        &mut owner,
        &[
            &format!(
                "CREATE TABLE public.marketing_{name} (id bigint PRIMARY KEY, email text, region text, secret text)"
            ),
            &format!("INSERT INTO public.marketing_{name} VALUES (1, 'raw-value-one', '10', 'undeclared')"),
            &format!("GRANT SELECT ON public.marketing_{name} TO pgveil"),
        ],
    );
    let column = |name: &str, kind: &str, more: &str| {
        format!("[[schema]]\ncolumn = \"{name}\"\ntype = \"{kind}\"\ndescription = \"{name}\"\n{more}\n")
    };
    let product = format!(
        "id = \"marketing.{name}\"\ndomain = \"marketing\"\nname = \"{name}\"\ndescription = \"of a test\"\nversion = 1\n\
         status = \"published\"\ntags = []\n[owner]\nteam = \"T\"\ncontact = \"t@example.com\"\n{}{}{}",
        column("id", "integer", "nullable = false"),
        column("email", "string", &format!("pii = true\n{email}")),
        column("region", "string", ""),
    );
    let proxy = Proxy::start(&f.warehouse, |dir| {
        std::fs::write(dir.join(format!("catalog/{name}.toml")), &product).unwrap();
    });
    (proxy, owner)
}

fn columns(wire: &mut Wire, sql: &str) -> Vec<String> {
    wire.one(sql).columns.iter().map(|column| column.name.clone()).collect()
}

fn renamed(f: &Fixture) {
    let (proxy, mut owner) = serving(f, "renamed");
    let mut wire = proxy.login("analyst");
    let email = "SELECT email FROM marketing.renamed";
    assert_eq!(wire.one(email).scalar(), "***-one");
    run(
        &mut owner,
        &[
            "ALTER TABLE public.marketing_renamed RENAME COLUMN email TO email_old",
            "ALTER TABLE public.marketing_renamed ADD COLUMN email text DEFAULT 'another-value'",
        ],
    );
    assert_eq!(wire.one(email).scalar(), "***alue");
    proxy.signal("HUP");
    eventually("the new column is told of", || proxy.log().contains("catalog and policy are reloaded"));
    assert_eq!(wire.one(email).scalar(), "***alue");
    assert_eq!(columns(&mut wire, "SELECT * FROM marketing.renamed"), ["id", "email", "region"]);
    assert_eq!(wire.one("SELECT email_old FROM marketing.renamed").sqlstate(), "42703");
    assert_eq!(wire.one("SELECT secret FROM marketing.renamed").sqlstate(), "42703");
}

fn gone(f: &Fixture) {
    let (proxy, mut owner) = serving(f, "gone");
    let mut wire = proxy.login("analyst");
    assert_eq!(wire.one("SELECT region FROM marketing.gone").scalar(), "10");
    run(&mut owner, &["ALTER TABLE public.marketing_gone RENAME COLUMN region TO land"]);
    assert!(wire.one("SELECT region FROM marketing.gone").error.is_some());
    eventually("the product is withheld", || wire.one("SELECT id FROM marketing.gone").sqlstate() == "57P03");
    assert!(proxy.log().contains("public.marketing_gone has no longer the column"), "{}", proxy.log());
    let ready = proxy.http("/readyz").unwrap();
    assert!(ready.contains("200") && ready.contains("marketing.gone"), "{ready}");
    assert!(wire.one("SELECT campaign_id FROM marketing.campaigns LIMIT 1").error.is_none());
    run(&mut owner, &["ALTER TABLE public.marketing_gone RENAME COLUMN land TO region"]);
    proxy.signal("HUP");
    eventually("it serves again", || wire.one("SELECT region FROM marketing.gone").error.is_none());
}

fn retyped(f: &Fixture) {
    let (proxy, mut owner) = serving(f, "retyped");
    let mut wire = proxy.login("analyst");
    assert_eq!(wire.one("SELECT email FROM marketing.retyped").scalar(), "***-one");
    run(
        &mut owner,
        &[
            "ALTER TABLE public.marketing_retyped ALTER COLUMN email TYPE bigint USING 123456789",
            "ALTER TABLE public.marketing_retyped RENAME COLUMN region TO land",
        ],
    );
    let answer = wire.one("SELECT email FROM marketing.retyped");
    assert!(!format!("{answer:?}").contains("123456789"), "{answer:?}");
    assert!(wire.one("SELECT region FROM marketing.retyped").error.is_some());
    eventually("the product is withheld", || wire.one("SELECT id FROM marketing.retyped").sqlstate() == "57P03");
    assert!(proxy.log().contains("which was text"), "{}", proxy.log());
    assert!(wire.one("SELECT campaign_id FROM marketing.campaigns LIMIT 1").error.is_none());
}

fn view(f: &Fixture) {
    let (proxy, mut owner) = serving(f, "seen");
    let mut wire = proxy.login("analyst");
    let cast = "SELECT count(*) FROM marketing.seen WHERE region::int > 0";
    assert_eq!(wire.one(cast).scalar(), "1");
    run(
        &mut owner,
        &[
            "ALTER TABLE public.marketing_seen RENAME TO marketing_seen_below",
            "INSERT INTO public.marketing_seen_below SELECT n, 'x', 'hidden-' || n, 'h' FROM generate_series(2, 300) n",
            // The condition of the view is dearer: the client's would come first.
            "CREATE VIEW public.marketing_seen AS SELECT * FROM public.marketing_seen_below \
             WHERE length(md5(md5(md5(md5(region))))) + length(region) < 36",
            "GRANT SELECT ON public.marketing_seen TO pgveil",
            "REVOKE ALL ON public.marketing_seen_below FROM pgveil",
        ],
    );
    // It fails because the relation is no table any more, and never because of a hidden row.
    let mut codes = Vec::new();
    eventually("it is fenced", || {
        let answer = wire.one(cast);
        codes.extend(answer.error.is_some().then(|| answer.sqlstate().to_owned()));
        answer.error.is_none() && answer.scalar() == "1"
    });
    assert!(!codes.is_empty() && codes.iter().all(|code| code == "42703"), "{codes:?}");
    assert!(proxy.log().contains("public.marketing_seen was a table and is a view"), "{}", proxy.log());
}

fn anew(f: &Fixture) {
    let (proxy, mut owner) = serving(f, "anew");
    let mut wire = proxy.login("analyst");
    assert_eq!(wire.one("SELECT email FROM marketing.anew").scalar(), "***-one");
    run(&mut owner, &["DROP TABLE public.marketing_anew"]);
    assert!(wire.one("SELECT email FROM marketing.anew").error.is_some());
    run(
        &mut owner,
        &[
            "CREATE TABLE public.marketing_anew (secret text, region text, email text, id bigint)",
            "INSERT INTO public.marketing_anew VALUES ('undeclared', '20', 'raw-value-two', 2)",
            "GRANT SELECT ON public.marketing_anew TO pgveil",
        ],
    );
    proxy.signal("HUP");
    eventually("it serves again", || wire.one("SELECT email FROM marketing.anew").error.is_none());
    let answer = wire.one("SELECT * FROM marketing.anew");
    assert_eq!(answer.columns.iter().map(|c| c.name.as_str()).collect::<Vec<_>>(), ["id", "email", "region"]);
    assert_eq!(answer.text_rows(), [["2", "***-two", "20"]]);
}

/// The warehouse's change withholds the product, whoever finds it first; the files' own mistakes refuse the files.
fn reloaded(f: &Fixture) {
    let (mut proxy, mut owner) = serving_with(f, "reloaded", "mask = \"last4\"");
    let mut wire = proxy.login("analyst");
    let (other, own) = ("SELECT name FROM ops.couriers LIMIT 1", "SELECT id FROM marketing.reloaded");
    assert_eq!(wire.one(other).sqlstate(), "42501");
    assert!(wire.one(own).error.is_none());
    run(&mut owner, &["ALTER TABLE public.marketing_reloaded ALTER COLUMN email TYPE bigint USING 123456789"]);
    let edit = |name: &str, from: &str, to: &str| {
        let path = proxy.files.dir().join(name);
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.contains(from), "{name}: {text}");
        std::fs::write(path, text.replace(from, to)).unwrap();
    };
    edit("policy.toml", "[roles.analyst]\n", "[roles.analyst]\ncopy_max_rows = 7\n");
    proxy.signal("HUP");
    eventually("it is withheld", || wire.one(own).sqlstate() == "57P03");
    eventually("the other files are in force", || {
        wire.one("COPY (SELECT n FROM generate_series(1, 9) n) TO STDOUT").tag == "COPY 7"
    });
    assert!(!proxy.log().contains("the files have errors"), "{}", proxy.log());
    assert!(proxy.log().contains("last4"), "{}", proxy.log());
    // Again, and after a restart.
    edit("policy.toml", "copy_max_rows = 7\n", "copy_max_rows = 5\n");
    proxy.signal("HUP");
    eventually("still", || wire.one("COPY (SELECT n FROM generate_series(1, 9) n) TO STDOUT").tag == "COPY 5");
    proxy.restart();
    let mut wire = proxy.login("analyst");
    assert_eq!(wire.one(own).sqlstate(), "57P03");
    assert!(wire.one("SELECT campaign_id FROM marketing.campaigns LIMIT 1").error.is_none());
    // Its own file is wrong when somebody changes it and it still does not fit.
    let edit = |name: &str, from: &str, to: &str| {
        let path = proxy.files.dir().join(name);
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.contains(from), "{name}: {text}");
        std::fs::write(path, text.replace(from, to)).unwrap();
    };
    edit("catalog/reloaded.toml", "mask = \"last4\"", "mask = \"redact\"");
    proxy.signal("HUP");
    eventually("the files are refused", || proxy.log().contains("the files have errors"));
    edit(
        "catalog/reloaded.toml",
        "type = \"string\"\ndescription = \"email\"",
        "type = \"integer\"\ndescription = \"email\"",
    );
    edit("catalog/reloaded.toml", "mask = \"redact\"", "mask = \"null\"");
    proxy.signal("HUP");
    eventually("it serves again", || wire.one("SELECT email IS NULL FROM marketing.reloaded").error.is_none());
    assert_eq!(wire.one("SELECT email IS NULL FROM marketing.reloaded").scalar(), "t");
}

/// One product a line: its name, its relation, and what `check --warehouse` says of it.
const KINDS: [(&str, &str, &[&str]); 12] = [
    ("k_table", "kinds.base", &["undeclared"]),
    ("k_table_too", "kinds.base", &["undeclared"]),
    ("k_view", "kinds.seen", &["view"]),
    ("k_barrier", "kinds.barred", &["view"]),
    ("k_materialised", "kinds.stored", &["materialized_view"]),
    ("k_foreign", "kinds.far", &["foreign_table"]),
    ("k_file", "kinds.file", &["foreign_table"]),
    ("k_parted", "kinds.parted", &["parent"]),
    ("k_part", "kinds.part_eu", &["child"]),
    ("k_foreign_part", "kinds.part_far", &["child", "foreign_table"]),
    ("k_parent", "kinds.parent", &["parent"]),
    ("k_child", "kinds.child", &["child"]),
];

fn kinds(f: &Fixture) {
    let mut owner = f.warehouse.superuser("warehouse");
    let port = f.warehouse.server.port();
    let rows = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(rows.path(), ROWS).unwrap();
    // The server runs as somebody else.
    let readable = <std::fs::Permissions as std::os::unix::fs::PermissionsExt>::from_mode(0o644);
    std::fs::set_permissions(rows.path(), readable).unwrap();
    let file = rows.path().display();
    let password = crate::common::proxy::SUPERUSER_PASSWORD;
    let superuser = pgveil::demo::postgres::SUPERUSER;
    let columns = "id bigint, email text, region text, note text, secret text";
    for sql in [
        "CREATE SCHEMA kinds; GRANT USAGE ON SCHEMA kinds TO pgveil".to_owned(),
        format!("CREATE TABLE kinds.base ({columns})"),
        "INSERT INTO kinds.base VALUES (1, 'raw-value-one', 'EU', '1', 'undeclared'), (2, 'raw-value-two', 'US', 'hidden', 'undeclared')"
            .to_owned(),
        "CREATE VIEW kinds.seen AS SELECT * FROM kinds.base".to_owned(),
        "CREATE VIEW kinds.barred WITH (security_barrier) AS SELECT * FROM kinds.base".to_owned(),
        "CREATE MATERIALIZED VIEW kinds.stored AS SELECT * FROM kinds.base".to_owned(),
        "CREATE EXTENSION postgres_fdw; CREATE EXTENSION file_fdw".to_owned(),
        format!(
            "CREATE SERVER far FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '127.0.0.1', port '{port}', dbname 'warehouse'); \
             CREATE USER MAPPING FOR pgveil SERVER far OPTIONS (user '{superuser}', password '{password}'); \
             CREATE SERVER files FOREIGN DATA WRAPPER file_fdw"
        ),
        format!("CREATE FOREIGN TABLE kinds.far ({columns}) SERVER far OPTIONS (schema_name 'kinds', table_name 'base')"),
        format!("CREATE FOREIGN TABLE kinds.file ({columns}) SERVER files OPTIONS (filename '{file}', format 'csv')"),
        format!("CREATE TABLE kinds.parted ({columns}) PARTITION BY LIST (region)"),
        "CREATE TABLE kinds.part_eu PARTITION OF kinds.parted FOR VALUES IN ('EU')".to_owned(),
        "CREATE TABLE kinds.part_us PARTITION OF kinds.parted FOR VALUES IN ('US')".to_owned(),
        "CREATE FOREIGN TABLE kinds.part_far PARTITION OF kinds.parted FOR VALUES IN ('AU') SERVER far OPTIONS (schema_name 'kinds', table_name 'australia')"
            .to_owned(),
        format!("CREATE TABLE kinds.australia ({columns})"),
        "INSERT INTO kinds.australia VALUES (1, 'raw-value-one', 'AU', '1', 'undeclared')".to_owned(),
        "INSERT INTO kinds.parted SELECT * FROM kinds.base".to_owned(),
        format!("CREATE TABLE kinds.parent ({columns})"),
        "CREATE TABLE kinds.child (more text DEFAULT 'undeclared') INHERITS (kinds.parent)".to_owned(),
        "INSERT INTO kinds.parent SELECT * FROM kinds.base WHERE region = 'US'; \
         INSERT INTO kinds.child SELECT * FROM kinds.base WHERE region = 'EU'"
            .to_owned(),
        "GRANT SELECT ON ALL TABLES IN SCHEMA kinds TO pgveil".to_owned(),
    ] {
        for answer in owner.simple(&sql) {
            assert!(answer.error.is_none(), "{sql}: {answer:?}");
        }
    }
    let proxy = Proxy::start(&f.warehouse, |dir| {
        let policy = std::fs::read_to_string(dir.join("policy.toml")).unwrap();
        let policy = policy.replace("\"public.marketing_*\"", "\"public.marketing_*\", \"kinds.*\"");
        std::fs::write(dir.join("policy.toml"), policy).unwrap();
        for (name, relation, _) in KINDS {
            std::fs::write(dir.join(format!("catalog/{name}.toml")), kind_of_product(name, relation)).unwrap();
        }
    });
    let mut wire = proxy.login("analyst");
    for (name, ..) in KINDS {
        let product = format!("marketing.{name}");
        let region = if name == "k_foreign_part" { "AU" } else { "EU" };
        let email = if name == "k_table_too" { "***" } else { "***-one" };
        let all = wire.one(&format!("SELECT * FROM {product} WHERE region = '{region}'"));
        assert!(all.error.is_none(), "{name}: {all:?}");
        assert_eq!(all.columns.iter().map(|c| c.name.as_str()).collect::<Vec<_>>(), ["id", "email", "region", "note"]);
        assert_eq!(all.text_rows(), [["1", email, region, "1"]], "{name}");
        let whole = wire.one(&format!("SELECT to_json(t)::text FROM {product} t WHERE t.region = '{region}'"));
        assert!(whole.scalar().contains(email) && !whole.scalar().contains("undeclared"), "{name}: {whole:?}");
        for (sql, code) in [
            (format!("SELECT secret FROM {product}"), "42703"),
            (format!("SELECT more FROM {product}"), "42703"),
            (format!("SELECT tableoid FROM {product}"), "42703"),
            (format!("SELECT t.ctid FROM {product} t"), "42703"),
        ] {
            assert_eq!(wire.one(&sql).sqlstate(), code, "{sql}");
        }
        // A hidden row would fail the cast.
        for condition in ["note::int = 1", "1 / (CASE note WHEN 'hidden' THEN 0 ELSE 1 END) = 1", "note ~ '^1$'"] {
            let trap = wire.one(&format!("SELECT count(*) FROM {product} WHERE {condition}"));
            assert!(trap.error.is_none(), "{name}: {condition}: {trap:?}");
            let rows = if name == "k_parted" { "2" } else { "1" };
            assert_eq!(trap.scalar(), rows, "{name}: {condition}");
        }
        let plan = wire.one(&format!("EXPLAIN SELECT * FROM {product} WHERE id = 1"));
        assert!(plan.error.is_none() && !format!("{plan:?}").contains("kinds"), "{name}: {plan:?}");
    }
    // Above the child there is the parent's row as well, and ONLY is about what a client sees.
    assert_eq!(wire.one("SELECT count(*) FROM ONLY marketing.k_parent").scalar(), "1");
    named_by_check(&proxy);
}

fn named_by_check(proxy: &Proxy) {
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_pgveil"))
        .args(["check", "--warehouse", "--format", "json", "--config"])
        .arg(proxy.files.config())
        .output()
        .unwrap();
    let said: serde_json::Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stdout)));
    let text = said.to_string();
    for (name, relation, codes) in KINDS {
        for code in codes {
            let is_it = |finding: &serde_json::Value| {
                finding["code"] == *code
                    && finding["product"] == format!("marketing.{name}")
                    && finding["message"].as_str().is_some_and(|message| message.contains(relation))
            };
            assert!(findings(&said).iter().any(|finding| is_it(finding)), "{name} {code}: {text}");
        }
    }
}

/// Every object with a `code`, wherever it stands.
fn findings(value: &serde_json::Value) -> Vec<&serde_json::Value> {
    match value {
        serde_json::Value::Array(items) => items.iter().flat_map(findings).collect(),
        serde_json::Value::Object(fields) if fields.contains_key("code") => vec![value],
        serde_json::Value::Object(fields) => fields.values().flat_map(findings).collect(),
        _ => Vec::new(),
    }
}

const ROWS: &str = "1,raw-value-one,EU,1,undeclared\n2,raw-value-two,US,hidden,undeclared\n";

fn kind_of_product(name: &str, relation: &str) -> String {
    let mask = if name == "k_table_too" { "redact" } else { "last4" };
    let column = |name: &str, kind: &str, more: &str| {
        format!("[[schema]]\ncolumn = \"{name}\"\ntype = \"{kind}\"\ndescription = \"{name}\"\n{more}\n")
    };
    format!(
        "id = \"marketing.{name}\"\ndomain = \"marketing\"\nname = \"{name}\"\ndescription = \"of a test\"\nversion = 1\n\
         status = \"published\"\ntags = []\nrelation = \"{relation}\"\n[owner]\nteam = \"T\"\ncontact = \"t@example.com\"\n\
         {}{}{}{}[[row_filters]]\nroles = [\"analyst\"]\nwhere = \"region <> 'US'\"\n",
        column("id", "integer", ""),
        column("email", "string", &format!("pii = true\nmask = \"{mask}\"")),
        column("region", "string", ""),
        column("note", "string", ""),
    )
}
