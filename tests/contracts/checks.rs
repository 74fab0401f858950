//! Each check passing, failing and unable to run.

use std::sync::atomic::{AtomicBool, Ordering};

use super::Case;
use super::postgres::{Nobody, TestPostgres};
use super::shop::{Shop, check, columns, quality, told};

pub const CASES: &[Case] = &[
    ("every_check_passes", every_check_passes),
    ("every_check_fails", every_check_fails),
    ("bounds_of_every_type", bounds_of_every_type),
    ("freshness_by_every_kind_of_moment", freshness_by_every_kind_of_moment),
    ("keys_of_the_warehouse_and_compound_keys", keys),
    ("what_is_missing_or_retyped_is_told", missing_and_retyped),
    ("a_check_that_fails_alone_leaves_the_others_their_answers", one_fails_alone),
    ("what_takes_too_long_has_failed", too_long),
    ("a_warehouse_that_is_not_there_fails_every_check", unreachable),
    ("no_message_holds_a_value", no_message_holds_a_value),
    ("a_name_cannot_leave_its_quotes", names_stay_in_their_quotes),
    ("connections_are_bounded", connections_are_bounded),
    ("a_table_junit_and_exit_codes", table_junit_and_exit_codes),
];

const ORDERS: &str = "
    CREATE TABLE orders (id bigint NOT NULL, email text, total numeric(10,2), at timestamptz, hidden int);
    INSERT INTO orders SELECT n, 'a' || n, n, now() - interval '10 minutes', 0 FROM generate_series(1, 20) AS n;
    GRANT SELECT ON ALL TABLES IN SCHEMA public TO pgveil;";

fn orders() -> String {
    [
        columns(&["id integer !", "email string", "total decimal", "at timestamp"]),
        quality("nulls", "not_null", "column = \"email\""),
        quality("keys", "unique", "column = \"id\""),
        quality("total", "range", "column = \"total\"\nparams = { min = 0, max = 100 }"),
        quality("fresh", "freshness", "column = \"at\"\nparams = { max_stale_hours = 2 }"),
        quality("rows", "row_count", "params = { min_rows = 10, max_rows = 1000 }\nseverity = \"warning\""),
        quality("own", "custom_sql", "params = { sql = \"SELECT count(*) FROM shop.orders WHERE total > 1000\" }"),
    ]
    .concat()
}

fn every_check_passes(server: &TestPostgres) {
    let shop = Shop::new(server, "passes", ORDERS);
    shop.product("shop.orders", "public.orders", &orders());
    let ran = shop.run_json();
    assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
    let validation = ran.only();
    assert_eq!(validation["passed"], true);
    assert_eq!(validation["rows"], 20);
    let age = validation["stale_seconds"].as_u64().unwrap();
    assert!((600..3600).contains(&age), "{age}");
    for (name, message) in [
        ("schema", "every column is there, with its type and nullability"),
        ("nulls", "no null values in email"),
        ("keys", "no two rows are equal in id"),
        ("total", "every value of total is from 0 to 100"),
        ("rows", "20 rows"),
        ("own", "no violations"),
    ] {
        assert_eq!(told(&validation, name), (true, true, message.to_owned()), "{name}");
    }
    let (passed, _, message) = told(&validation, "fresh");
    assert!(passed && message.ends_with("stale, at most 2 h"), "{message}");
    // What the contract does not name is a warning, and nothing fails for it.
    assert_eq!(validation["warnings"][0], "columns of public.orders that the contract does not name: hidden");
}

fn every_check_fails(server: &TestPostgres) {
    let shop = Shop::new(server, "fails", ORDERS);
    server.sql(
        "fails",
        "UPDATE orders SET at = now() - interval '3 hours 10 minutes';
         INSERT INTO orders SELECT 7, NULL, 5000, NULL FROM generate_series(1, 2);
         INSERT INTO orders SELECT n, NULL, -1, NULL FROM generate_series(1001, 2200) AS n;
         INSERT INTO orders VALUES (8, 'x', 'NaN', NULL)",
    );
    shop.product("shop.orders", "public.orders", &orders());
    let ran = shop.run_json();
    assert_eq!(ran.code, 1, "{}{}", ran.out, ran.err);
    let validation = ran.only();
    assert_eq!(validation["passed"], false);
    for (name, message, value) in [
        ("nulls", "1,202 null values in email", 1202.0),
        ("keys", "2 duplicate keys in id (5 rows)", 2.0),
        // NaN is above everything.
        ("total", "1,203 values of total outside of 0 to 100", 1203.0),
        ("fresh", "data is 3.2 h stale, at most 2 h", 3.17),
        ("rows", "1,223 rows, at most 1,000", 1223.0),
        ("own", "3 violations", 3.0),
    ] {
        assert_eq!(told(&validation, name), (false, true, message.to_owned()), "{name}");
        assert_eq!(check(&validation, name)["value"].as_f64().unwrap(), value, "{name}");
    }
    assert_eq!(check(&validation, "rows")["severity"], "warning");
    // A warning alone breaks nothing.
    server.sql("fails", "TRUNCATE orders; INSERT INTO orders VALUES (1, 'a', 1, now())");
    let ran = shop.run_json();
    assert_eq!(ran.code, 0, "{}", ran.out);
    assert_eq!(told(&ran.only(), "rows"), (false, true, "1 row, at least 10".to_owned()));
    // Nothing tells how fresh an empty table is.
    server.sql("fails", "TRUNCATE orders");
    let validation = shop.run_json().only();
    assert_eq!(told(&validation, "fresh"), (false, true, "no row has a moment in at".to_owned()));
    assert!(validation["stale_seconds"].is_null());
}

fn bounds_of_every_type(server: &TestPostgres) {
    let shop = Shop::new(
        server,
        "bounds",
        "CREATE TYPE mood AS ENUM ('low', 'mid', 'high');
         CREATE TABLE t (small int2, f float4, d date, ts timestamp, tz timestamptz, clock time, span interval, word varchar(3), m mood);
         INSERT INTO t VALUES (3, 0.5, '2025-03-01', '2025-03-01', '2025-03-01 00:00:00+00', '08:30', '2 days', 'bbb', 'mid');
         GRANT SELECT ON t TO pgveil",
    );
    let names = [
        ("small", "integer", "2.5", "3"),
        ("f", "float", "0.4", "0.5"),
        ("d", "date", "2025-02-28", "2025-03-01"),
        ("ts", "timestamp", "2025-02-28T23:59:59", "2025-03-01"),
        ("tz", "timestamp", "2025-02-28T23:59:59Z", "2025-03-01T01:00:00+01:00"),
        ("clock", "time", "08:29:59", "08:30:00"),
        ("span", "interval", "\"47 hours\"", "\"2 days\""),
        ("word", "string", "\"bbab\"", "\"bbb\""),
        ("m", "string", "\"low\"", "\"mid\""),
    ];
    let mut text = columns(&names.map(|(name, kind, ..)| format!("{name} {kind}")).each_ref().map(String::as_str));
    for (name, _, within, at) in names {
        text +=
            &quality(&format!("{name}_in"), "range", &format!("column = \"{name}\"\nparams = {{ min = {within} }}"));
        text += &quality(&format!("{name}_at"), "range", &format!("column = \"{name}\"\nparams = {{ max = {at} }}"));
        text +=
            &quality(&format!("{name}_out"), "range", &format!("column = \"{name}\"\nparams = {{ max = {within} }}"));
    }
    shop.product("shop.t", "public.t", &text);
    let ran = shop.run_json();
    let validation = ran.only();
    for (name, ..) in names {
        for (suffix, passes) in [("in", true), ("at", true), ("out", false)] {
            let (passed, ran, message) = told(&validation, &format!("{name}_{suffix}"));
            assert!(ran && passed == passes, "{name}_{suffix}: {message}");
        }
    }
}

fn freshness_by_every_kind_of_moment(server: &TestPostgres) {
    let shop = Shop::new(
        server,
        "moments",
        "CREATE TABLE t (zoned timestamptz, local timestamp, day date, odd timestamptz);
         INSERT INTO t VALUES
           (now() - interval '5 hours', (now() AT TIME ZONE 'UTC') - interval '5 hours', ((now() AT TIME ZONE 'UTC') - interval '3 days')::date, 'infinity'),
           (now() - interval '50 hours', NULL, ((now() AT TIME ZONE 'UTC') - interval '9 days')::date, '-infinity'),
           -- Tomorrow makes nothing fresh.
           (now() + interval '1 day', (now() AT TIME ZONE 'UTC') + interval '1 day', ((now() AT TIME ZONE 'UTC') + interval '1 day')::date, now() + interval '1 year');
         GRANT SELECT ON t TO pgveil",
    );
    let fresh = |name: &str, column: &str, hours: f64| {
        quality(name, "freshness", &format!("column = \"{column}\"\nparams = {{ max_stale_hours = {hours:?} }}"))
    };
    let text = [
        columns(&["zoned timestamp", "local timestamp", "day date", "odd timestamp"]),
        fresh("zoned_good", "zoned", 6.0),
        fresh("zoned_bad", "zoned", 4.0),
        fresh("local_good", "local", 6.0),
        fresh("local_bad", "local", 4.0),
        // From the beginning of its day.
        fresh("day_good", "day", 96.5),
        fresh("day_bad", "day", 71.5),
        fresh("odd", "odd", 1.0),
    ]
    .concat();
    shop.product("shop.t", "public.t", &text);
    // What the warehouse would assume of its sessions must not matter.
    server.sql("moments", "ALTER ROLE pgveil IN DATABASE moments SET \"TimeZone\" = 'Pacific/Kiritimati'");
    let validation = shop.run_json().only();
    for name in ["zoned", "local", "day"] {
        assert!(told(&validation, &format!("{name}_good")).0, "{validation:#}");
        let (passed, ran, message) = told(&validation, &format!("{name}_bad"));
        assert!(!passed && ran, "{name}: {message}");
    }
    assert_eq!(told(&validation, "odd"), (false, true, "no row has a moment in odd".to_owned()));
}

fn keys(server: &TestPostgres) {
    let shop = Shop::new(
        server,
        "keys",
        "CREATE TABLE t (id int PRIMARY KEY, a int, b text, j json);
         CREATE TABLE parent (id int PRIMARY KEY); CREATE TABLE child () INHERITS (parent);
         INSERT INTO t VALUES (1, 1, 'x'), (2, 1, 'y'), (3, 1, 'y'), (4, NULL, 'y'), (5, NULL, 'y');
         INSERT INTO parent VALUES (1); INSERT INTO child VALUES (1);
         GRANT SELECT ON ALL TABLES IN SCHEMA public TO pgveil",
    );
    let text = [
        columns(&["id integer", "a integer", "b string", "j json"]),
        quality("primary", "unique", "params = { columns = [\"b\", \"id\"] }"),
        quality("pair", "unique", "params = { columns = [\"a\", \"b\"] }"),
        quality("no_equality", "unique", "column = \"j\""),
    ]
    .concat();
    shop.product("shop.t", "public.t", &text);
    let parent = columns(&["id integer"]) + &quality("primary", "unique", "column = \"id\"");
    shop.product("shop.parent", "public.parent", &parent);
    let ran = shop.run_json();
    let validations = ran.json()["validations"].clone();
    // The parent's key says nothing of its children.
    assert_eq!(told(&validations[0], "primary"), (false, true, "1 duplicate key in id (2 rows)".to_owned()));
    assert_eq!(told(&validations[1], "primary").2, "the warehouse itself forbids duplicates");
    // NULLs are not equal to each other.
    assert_eq!(told(&validations[1], "pair"), (false, true, "1 duplicate key in a, b (2 rows)".to_owned()));
    let (passed, ran, message) = told(&validations[1], "no_equality");
    assert!(!passed && !ran && message.contains("cannot be compared so (SQLSTATE 42883)"), "{message}");
}

fn missing_and_retyped(server: &TestPostgres) {
    let shop = Shop::new(
        server,
        "missing",
        "CREATE TABLE t (id text, total text, at text, note text);
         INSERT INTO t VALUES ('1', '5', '2020-01-01', NULL), ('2', '6', '2020-01-01', NULL);
         CREATE VIEW v AS SELECT * FROM t;
         GRANT SELECT ON ALL TABLES IN SCHEMA public TO pgveil",
    );
    let text = [
        columns(&["id integer", "total decimal", "at timestamp", "gone string", "note string !"]),
        quality("gone", "not_null", "column = \"gone\""),
        quality("gone_keys", "unique", "params = { columns = [\"id\", \"gone\"] }"),
        quality("total", "range", "column = \"total\"\nparams = { min = 0 }"),
        quality("fresh", "freshness", "column = \"at\"\nparams = { max_stale_hours = 2 }"),
        quality("ids", "not_null", "column = \"id\""),
    ]
    .concat();
    shop.product("shop.t", "public.v", &text);
    shop.product(
        "shop.nowhere",
        "public.nowhere",
        &(columns(&["id integer"]) + &quality("rows", "row_count", "params = { min_rows = 1 }")),
    );
    let ran = shop.run_json();
    assert_eq!(ran.code, 1);
    let validations = ran.json()["validations"].clone();
    let (nowhere, t) = (&validations[0], &validations[1]);
    assert_eq!(told(nowhere, "schema"), (false, true, "relation public.nowhere does not exist".to_owned()));
    assert_eq!(told(nowhere, "rows").2, "could not be checked: relation public.nowhere does not exist");
    let (passed, _, message) = told(t, "schema");
    assert!(!passed);
    for fault in [
        "column \"id\" is text in the warehouse, which is no integer",
        "column \"total\" is text in the warehouse, which is no decimal",
        "public.v has no column \"gone\"",
        // A view's columns are never NOT NULL: the rows are looked at.
        "2 null values in note, which is not nullable by the contract",
    ] {
        assert!(message.contains(fault), "{fault}: {message}");
    }
    for (name, message) in [
        ("gone", "could not be checked: column gone does not exist"),
        ("gone_keys", "could not be checked: column gone does not exist"),
        ("total", "could not be checked: column total is text in the warehouse, where the contract says decimal"),
        ("fresh", "could not be checked: column at is text, which tells no moment"),
    ] {
        assert_eq!(told(t, name), (false, false, message.to_owned()));
    }
    assert_eq!(told(t, "ids"), (true, true, "no null values in id".to_owned()));
}

/// A view that fails in one column.
fn one_fails_alone(server: &TestPostgres) {
    let shop = Shop::new(
        server,
        "alone",
        "CREATE TABLE t (id int, z int, kept int, at timestamptz);
         INSERT INTO t VALUES (1, 0, 1, now()), (2, 0, 2, now());
         CREATE VIEW v AS SELECT id, 1 / z AS broken, kept, at FROM t;
         GRANT SELECT (id, broken, at) ON v TO pgveil",
    );
    let text = [
        columns(&["id integer", "broken integer", "kept integer", "at timestamp"]),
        quality("broken", "not_null", "column = \"broken\""),
        quality("kept", "not_null", "column = \"kept\""),
        quality("ids", "range", "column = \"id\"\nparams = { min = 2 }"),
        quality("fresh", "freshness", "column = \"at\"\nparams = { max_stale_hours = 2 }"),
        quality("broken_keys", "unique", "column = \"broken\""),
        quality("keys", "unique", "column = \"id\""),
    ]
    .concat();
    shop.product("shop.v", "public.v", &text);
    let validation = shop.run_json().only();
    let (_, ran, message) = told(&validation, "broken");
    assert!(!ran && message.contains("a division by zero (SQLSTATE 22012)"), "{message}");
    let (_, ran, message) = told(&validation, "kept");
    assert!(!ran && message.contains("may not read what it needs"), "{message}");
    let (_, ran, message) = told(&validation, "broken_keys");
    assert!(!ran && message.contains("22012"), "{message}");
    assert_eq!(told(&validation, "ids"), (false, true, "1 value of id below 2".to_owned()));
    assert!(told(&validation, "fresh").0 && told(&validation, "keys").0);
    assert_eq!(validation["rows"], 2);
}

fn too_long(server: &TestPostgres) {
    let shop = Shop::new(
        server,
        "slow",
        "CREATE VIEW slow AS SELECT 1 AS id FROM pg_sleep(600);
         CREATE TABLE locked (id int);
         GRANT SELECT ON slow, locked TO pgveil",
    );
    shop.append("pgveil.toml", "[contracts]\ntimeout = \"1s\"\n");
    let text = columns(&["id integer"]) + &quality("rows", "row_count", "params = { min_rows = 1 }");
    shop.product("shop.slow", "public.slow", &text);
    shop.product("shop.locked", "public.locked", &text);
    std::thread::scope(|scope| {
        let holder = scope.spawn(|| {
            // Held until it is cancelled.
            let _ = server.rows("", "\\c slow\nBEGIN; LOCK locked; SELECT pg_sleep(600);");
        });
        let held = "SELECT count(*) FROM pg_locks l JOIN pg_class c ON c.oid = l.relation \
                    WHERE c.relname = 'locked' AND l.mode = 'AccessExclusiveLock' AND l.granted";
        let deadline = std::time::Instant::now() + std::time::Duration::from_secs(60);
        while server.sql("slow", held) != "1" {
            assert!(std::time::Instant::now() < deadline, "nobody holds the lock");
        }
        let ran = shop.run_json();
        server.sql("postgres", "SELECT pg_terminate_backend(pid) FROM pg_locks l JOIN pg_database d ON d.oid = l.database WHERE d.datname = 'slow' AND l.mode = 'AccessExclusiveLock'");
        holder.join().unwrap();
        assert_eq!(ran.code, 1);
        for validation in ran.json()["validations"].as_array().unwrap() {
            let (passed, ran, message) = told(validation, "rows");
            assert!(!passed && !ran, "{message}");
            assert_eq!(message, "could not be checked: it took longer than 1 s ([contracts] timeout)");
        }
    });
}

fn unreachable(server: &TestPostgres) {
    let shop = Shop::new(server, "away", ORDERS);
    shop.product("shop.orders", "public.orders", &orders());
    let nobody = Nobody::listens();
    shop.write(
        "pgveil.toml",
        &format!("[warehouses.w]\ndsn = \"postgres://u:hunter2@127.0.0.1:{}/x\"\n", nobody.port()),
    );
    let ran = shop.run_json();
    assert_eq!(ran.code, 1, "{}", ran.err);
    let validation = ran.only();
    for check in validation["checks"].as_array().unwrap() {
        assert_eq!((&check["passed"], &check["ran"]), (&false.into(), &false.into()));
        assert!(check["message"].as_str().unwrap().contains("nobody listens"), "{check}");
    }
    assert!(!format!("{}{}", ran.out, ran.err).contains("hunter2"));
}

/// The warehouse quotes values in its messages; pgveil has sentences of its own.
fn no_message_holds_a_value(server: &TestPostgres) {
    let shop = Shop::new(
        server,
        "canary",
        "CREATE TABLE t (id int, secret text); INSERT INTO t VALUES (1, 'CANARY-4711');
         CREATE VIEW v AS SELECT id, secret, secret::int AS n FROM t;
         GRANT SELECT ON ALL TABLES IN SCHEMA public TO pgveil",
    );
    let text = [
        columns(&["id integer", "secret string", "n integer"]),
        quality("n", "not_null", "column = \"n\""),
        quality("keys", "unique", "column = \"n\""),
        quality("cast", "custom_sql", "params = { sql = \"SELECT secret::int FROM shop.v\" }"),
        quality("value", "custom_sql", "params = { sql = \"SELECT secret FROM shop.v\" }"),
        quality("numbers", "custom_sql", "params = { sql = \"SELECT sum(n) FROM shop.v\" }"),
    ]
    .concat();
    shop.product("shop.v", "public.v", &text);
    for format in ["text", "json", "junit"] {
        let ran = shop.run(&["--format", format]);
        assert_eq!(ran.code, 1);
        assert!(!format!("{}{}", ran.out, ran.err).contains("CANARY"), "{}{}", ran.out, ran.err);
    }
    let validation = shop.run_json().only();
    for name in ["n", "keys", "cast", "numbers"] {
        let (_, ran, message) = told(&validation, name);
        assert!(!ran && message.contains("22P02"), "{name}: {message}");
    }
    let (_, ran, message) = told(&validation, "value");
    assert!(!ran && message.ends_with("the first column of its sql is not a number of violations"), "{message}");
}

fn names_stay_in_their_quotes(server: &TestPostgres) {
    let shop = Shop::new(
        server,
        "quotes",
        r#"CREATE TABLE "t"";-- x" ("a"" IS NULL); DROP TABLE kept; --" text);
           CREATE TABLE kept (id int); INSERT INTO "t"";-- x" VALUES (NULL), ('b');
           GRANT SELECT ON ALL TABLES IN SCHEMA public TO pgveil"#,
    );
    let column = r#"'a" IS NULL); DROP TABLE kept; --'"#;
    let text = [
        format!("[[schema]]\ncolumn = {column}\ntype = \"string\"\n"),
        quality("nulls", "not_null", &format!("column = {column}")),
        quality("keys", "unique", &format!("column = {column}")),
        quality("range", "range", &format!("column = {column}\nparams = {{ min = \"'); DROP TABLE kept; --\" }}")),
    ]
    .concat();
    shop.product("shop.t", r#"public.\"t\"\";-- x\""#, &text);
    let ran = shop.run_json();
    let validation = ran.only();
    assert!(told(&validation, "nulls").2.starts_with("1 null value in a\" IS NULL)"), "{validation:#}");
    assert!(told(&validation, "keys").0 && told(&validation, "range").0, "{validation:#}");
    assert_eq!(server.sql("quotes", "SELECT count(*) FROM kept"), "0");
}

fn connections_are_bounded(server: &TestPostgres) {
    let mut sql = String::new();
    for n in 0..12 {
        sql += &format!("CREATE VIEW v{n} AS SELECT {n} AS id FROM pg_sleep(0.2); GRANT SELECT ON v{n} TO pgveil;");
    }
    let shop = Shop::new(server, "bounded", &sql);
    shop.append("pgveil.toml", "[contracts]\nconnections = 3\n");
    for n in 0..12 {
        let text = columns(&["id integer"]) + &quality("rows", "row_count", "params = { min_rows = 1 }");
        shop.product(&format!("shop.v{n}"), &format!("public.v{n}"), &text);
    }
    let ended = AtomicBool::new(false);
    let most = std::thread::scope(|scope| {
        let watch = scope.spawn(|| {
            let mut most = 0;
            while !ended.load(Ordering::Relaxed) {
                let sql = "SELECT count(*) FROM pg_stat_activity WHERE datname = 'bounded' AND usename = 'pgveil' AND query LIKE '%\"v%'";
                most = most.max(server.sql("postgres", sql).parse::<u64>().unwrap());
            }
            most
        });
        let ran = shop.run_json();
        ended.store(true, Ordering::Relaxed);
        assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
        assert_eq!(ran.json()["validations"].as_array().unwrap().len(), 12);
        watch.join().unwrap()
    });
    assert!((1..=3).contains(&most), "{most} connections at once");
}

fn table_junit_and_exit_codes(server: &TestPostgres) {
    let shop = Shop::new(server, "printed", ORDERS);
    shop.product("shop.orders", "public.orders", &orders());
    let ran = shop.run(&[]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert!(ran.out.contains("shop.orders (version 1, 20 rows, newest "), "{}", ran.out);
    assert!(ran.out.contains("  ok    nulls   not_null    no null values in email\n"), "{}", ran.out);
    assert!(ran.out.ends_with("1 product, 7 checks: 0 products failed, with 0 errors and 0 warnings\n"), "{}", ran.out);

    server.sql("printed", "UPDATE orders SET email = NULL WHERE id = 1; DELETE FROM orders WHERE id > 5");
    let ran = shop.run(&["shop.orders"]);
    assert_eq!(ran.code, 1);
    assert!(ran.out.contains("  FAIL  nulls   not_null    1 null value in email\n"), "{}", ran.out);
    assert!(ran.out.contains("  warn  rows    row_count   5 rows, at least 10\n"), "{}", ran.out);
    let ran = shop.run(&["shop.*", "--format", "junit"]);
    assert_eq!(ran.code, 1);
    assert!(ran.out.contains("<testsuites name=\"pgveil contract run\" tests=\"7\" failures=\"1\">"), "{}", ran.out);
    assert!(ran.out.contains("<failure type=\"not_null\" message=\"1 null value in email\">"), "{}", ran.out);
    assert!(ran.out.contains("<system-out>warning: 5 rows, at least 10</system-out>"), "{}", ran.out);

    let ran = shop.run(&["shop.ordrs"]);
    assert_eq!(ran.code, 2);
    assert!(ran.err.contains("there is no product \"shop.ordrs\"; did you mean \"shop.orders\"?"), "{}", ran.err);
    assert_eq!(shop.run(&["--format", "yaml"]).code, 2);
}
