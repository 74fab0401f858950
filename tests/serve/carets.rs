//! Where an error points: to the same character as Postgres' own, whoever has found it.

use postgres_protocol::message::frontend;

use crate::common::wire::Wire;
use crate::{Case, Fixture};

pub const CASES: &[Case] =
    &[("carets::point_where_postgres_points", where_postgres_points), ("carets::say_nothing_new", nothing_new)];

/// A flat name is the physical relation's name in the demo, so that Postgres itself takes the same texts.
const STATEMENTS: &str = include_str!("carets.sql");

fn statements() -> impl Iterator<Item = &'static str> {
    STATEMENTS.split("\n\n").map(str::trim).filter(|text| !text.is_empty() && !text.starts_with("--:"))
}

/// SQLSTATE and position.
type Mistake = (String, Option<String>);

fn simple(wire: &mut Wire, text: &str) -> Mistake {
    let answers = wire.simple(text);
    let error = answers.into_iter().find_map(|answer| answer.error).unwrap_or_else(|| panic!("no error: {text}"));
    (error[&'C'].clone(), error.get(&'P').cloned())
}

fn prepared(wire: &mut Wire, text: &str) -> Mistake {
    wire.queue(|out| frontend::parse("", text, [], out).unwrap()).sync();
    let error = wire.error_until_ready();
    (error[&'C'].clone(), error.get(&'P').cloned())
}

fn where_postgres_points(f: &Fixture) {
    let mut plain = f.warehouse.superuser("warehouse");
    let mut count = 0;
    let mut differ = Vec::new();
    // The analyst reads guarded products, the administrator the same ones in full.
    for user in ["analyst", "admin"] {
        let mut wire = f.proxy.login(user);
        for text in statements() {
            count += 1;
            let mut compare = |way: &str, expected: Mistake, found: Mistake| {
                // A function that is not known is refused by name.
                let same_code = expected.0 == found.0 || (expected.0 == "42883" && found.0 == "42501");
                // Where Postgres does not point, pgveil may.
                if !same_code || expected.1.is_some() && found.1 != expected.1 {
                    differ.push(format!("{user}, {way}: {text}\n  Postgres {expected:?}\n  pgveil   {found:?}"));
                }
            };
            compare("Query", simple(&mut plain, text), simple(&mut wire, text));
            // Several statements cannot be prepared, and a PREPARE has no errors of its query then.
            if !text.contains(';')
                && !["PREPARE", "DECLARE", "COPY", "EXPLAIN"].iter().any(|word| text.starts_with(word))
            {
                compare("Parse", prepared(&mut plain, text), prepared(&mut wire, text));
            }
        }
    }
    assert!(count > 80, "{count} statements");
    assert!(differ.is_empty(), "{} of {count} differ:\n{}", differ.len(), differ.join("\n"));
}

fn nothing_new(f: &Fixture) {
    // Names that the client has not written, and that the contract does not have, stay unsaid.
    let mut wire = f.proxy.login("analyst");
    for text in statements() {
        let answers = wire.simple(text);
        let error = answers.into_iter().find_map(|answer| answer.error).unwrap();
        let said: String =
            error.iter().filter(|(field, _)| !"PLFR".contains(**field)).map(|(_, v)| v.clone()).collect();
        for hidden in ["public.", "pg_catalog", "pgveil.", "OFFSET", "CASE"] {
            assert!(text.contains(hidden) || !said.contains(hidden), "{text}: {said}");
        }
    }
    let error = wire.one("SELECT lower(order_id) FROM finance_orders").error.unwrap();
    assert_eq!(error[&'M'], "function lower does not exist for arguments of these types");
    assert!(error[&'D'].contains("finance.orders"), "{error:?}");
    assert!(error[&'H'].contains("explicit type casts"), "{error:?}");
    let error = wire.one("SELECT region = 1 FROM finance_orders").error.unwrap();
    assert_eq!(error[&'M'], "operator does not exist for operands of these types: =");
}
