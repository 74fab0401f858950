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
        column("email", "string", "pii = true"),
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
