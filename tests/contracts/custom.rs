//! `custom_sql` reaches its own domain, whole, and nothing else.

use super::Case;
use super::postgres::TestPostgres;
use super::shop::{Shop, columns, quality, told};

pub const CASES: &[Case] = &[
    ("custom_sql_sees_its_domain_whole", sees_its_domain_whole),
    ("custom_sql_reaches_no_further", reaches_no_further),
    ("custom_sql_that_can_never_run_is_a_load_error", load_errors),
    ("custom_sql_whose_answer_is_no_number", no_number),
];

const TABLES: &str = "
    CREATE TABLE people (id int, email text, region text);
    INSERT INTO people VALUES (1, 'anna@example.com', 'EU'), (2, 'bad', 'US'), (3, 'worse', 'EU');
    CREATE TABLE orders (id int, person int); INSERT INTO orders VALUES (1, 1), (2, 9);
    CREATE TABLE wages (id int); INSERT INTO wages VALUES (1);
    GRANT SELECT ON ALL TABLES IN SCHEMA public TO pgveil;
    -- Policy allows it, and its owner may write.
    CREATE FUNCTION wipe() RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER AS
        $$ BEGIN DELETE FROM public.people; RETURN 0; END $$;";

fn shop(server: &TestPostgres, database: &str, statements: &[(&str, &str)]) -> Shop {
    let shop = Shop::new(server, database, TABLES);
    shop.write(
        "policy.toml",
        "[roles.analyst]\nproducts = [\"*\"]\n[roles.nobody]\nproducts = []\n[functions]\nallow = [\"public.wipe\"]\n",
    );
    let own: String = statements
        .iter()
        .map(|(name, sql)| quality(name, "custom_sql", &format!("params = {{ sql = '''{sql}''' }}")))
        .collect();
    let people = [
        columns(&["id integer", "region string"]),
        "[[schema]]\ncolumn = \"email\"\ntype = \"string\"\npii = true\nmask = \"redact\"\n".to_owned(),
        own,
        // Binds everyone there is.
        "[[row_filters]]\nexcept = []\nwhere = \"region = 'EU'\"\n".to_owned(),
    ]
    .concat();
    shop.product("crm.people", "public.people", &people);
    shop.product("crm.orders", "public.orders", &columns(&["id integer", "person integer"]));
    shop.product("hr.wages", "public.wages", &columns(&["id integer"]));
    shop
}

fn sees_its_domain_whole(server: &TestPostgres) {
    let shop = shop(
        server,
        "whole",
        &[
            ("raw", "SELECT count(*) FROM crm.people WHERE email NOT LIKE '%@%'"),
            ("flat", "SELECT count(*) FROM crm_people WHERE region = 'US'"),
            ("joined", "SELECT count(*) FROM orders o LEFT JOIN people p ON p.id = o.person WHERE p.id IS NULL"),
            ("many", "SELECT 0 FROM crm.people, generate_series(1, 100000)"),
        ],
    );
    let ran = shop.run(&["crm.people", "--format", "json"]);
    let validation = ran.only();
    // Neither the mask nor the row filter hides what a check must see.
    assert_eq!(told(&validation, "raw"), (false, true, "2 violations".to_owned()), "{}", ran.out);
    assert_eq!(told(&validation, "flat"), (false, true, "1 violation".to_owned()));
    assert_eq!(told(&validation, "joined"), (false, true, "1 violation".to_owned()));
    assert!(told(&validation, "many").0);
}

fn reaches_no_further(server: &TestPostgres) {
    let shop = shop(
        server,
        "further",
        &[
            ("other_domain", "SELECT count(*) FROM hr.wages"),
            ("other_domain_flat", "SELECT count(*) FROM hr_wages"),
            ("physical", "SELECT count(*) FROM public.wages"),
            ("catalogs", "SELECT count(*) FROM pg_catalog.pg_authid"),
            ("file", "SELECT length(pg_read_file('/etc/passwd'))"),
            ("sleep", "SELECT 0 FROM pg_sleep(1)"),
            ("writes", "SELECT public.wipe()"),
            ("undeclared", "SELECT count(ctid) FROM crm.people"),
        ],
    );
    let ran = shop.run(&["crm.people", "--format", "json"]);
    assert_eq!(ran.code, 1, "{}{}", ran.out, ran.err);
    let validation = ran.only();
    for name in ["other_domain", "other_domain_flat", "physical", "catalogs", "file", "sleep", "writes", "undeclared"] {
        let (passed, ran, message) = told(&validation, name);
        assert!(!passed && !ran, "{name}: {message}");
        assert!(
            message.starts_with("could not be checked: its sql is denied: ") || message.contains("SQLSTATE"),
            "{name}: {message}"
        );
    }
    assert!(told(&validation, "writes").2.contains("it would have written (SQLSTATE 25006)"), "{validation:#}");
    // Not even that it exists.
    let (_, _, message) = told(&validation, "other_domain");
    assert!(message.contains("relation \"hr.wages\" does not exist"), "{message}");
    assert_eq!(server.sql("further", "SELECT count(*) FROM people"), "3");
}

fn load_errors(server: &TestPostgres) {
    for (n, (sql, expected)) in [
        ("SELECT 1; SELECT 2", "the check's sql has more than one statement"),
        ("DELETE FROM crm.people", "the check's sql is no query"),
        ("WITH x AS (DELETE FROM crm.people RETURNING 1) SELECT count(*) FROM x", "the check's sql is no query"),
        ("BEGIN", "the check's sql is no query"),
        ("SELEC 1", "the check's sql cannot be read"),
    ]
    .into_iter()
    .enumerate()
    {
        let shop = shop(server, &format!("load{n}"), &[("own", sql)]);
        for args in [&["contract", "run"][..], &["check"]] {
            let output = shop.command(args).output().unwrap();
            assert_ne!(output.status.code(), Some(0), "{sql}");
            let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
            assert!(said.contains(expected) && said.contains("crm_people.toml:"), "{sql}: {said}");
            assert!(said.contains('^'), "{said}");
        }
    }
}

fn no_number(server: &TestPostgres) {
    let shop = shop(
        server,
        "numbers",
        &[
            ("none", "SELECT id FROM crm.people WHERE false"),
            ("null", "SELECT sum(id) FROM crm.people WHERE false"),
            ("truth", "SELECT true"),
            ("word", "SELECT region FROM crm.people ORDER BY id"),
            ("zero", "SELECT 0.00"),
            ("half", "SELECT avg(x) FROM (VALUES (0), (1)) AS v (x)"),
        ],
    );
    let validation = shop.run(&["crm.people", "--format", "json"]).only();
    for (name, end) in [
        ("none", "its sql gave no row; its first column must be the number of violations"),
        ("null", "its sql gave NULL for the number of violations; write coalesce(…, 0)"),
        ("truth", "the first column of its sql is not a number of violations"),
        ("word", "the first column of its sql is not a number of violations"),
    ] {
        let (passed, ran, message) = told(&validation, name);
        assert!(!passed && !ran && message.ends_with(end), "{name}: {message}");
    }
    assert!(told(&validation, "zero").0);
    assert_eq!(told(&validation, "half"), (false, true, "0.5 violations".to_owned()));
}
