//! Every template expanded, for a subject who sees something and for one who sees nothing.

use std::collections::BTreeSet;

use super::functions::{TEXTS, function, output_of};
use super::*;
use crate::sql::{parse_query, prove, render, statement::Statement};

/// The system relations of PostgreSQL 15.
pub(super) fn relations() -> Vec<SystemRelation> {
    let text = include_str!("../../tests/golden/system.txt");
    let relation = |line: &str| {
        let (schema, rest) = line.split_once('.').unwrap();
        let (name, columns) = rest.split_once(' ').unwrap();
        let column = |column: &str| {
            let words: Vec<&str> = column.split(' ').collect();
            let (type_schema, type_name) = words[1].split_once('.').unwrap();
            SystemColumn {
                name: words[0].to_owned(),
                type_schema: type_schema.to_owned(),
                type_name: type_name.to_owned(),
                type_oid: words[2].parse().unwrap(),
            }
        };
        SystemRelation {
            schema: schema.to_owned(),
            name: name.to_owned(),
            oid: 1,
            schema_oid: 11,
            columns: columns.split(", ").map(column).collect(),
        }
    };
    text.lines().map(relation).collect()
}

pub(super) fn visible() -> Visible {
    let column = |name: &str, number, masked| ShownColumn {
        name: name.to_owned(),
        number,
        masked,
        description: format!("it's \"{name}\""),
    };
    let product = |n: u32, name: &str| ShownProduct {
        oid: 1_000_000_000 + 64 * n,
        relid: 20_000 + n,
        schema_oid: 1_500_000_000,
        schema: "growth-team".to_owned(),
        name: name.to_owned(),
        description: "d".to_owned(),
        columns: vec![column("id", 1, false), column("email", 4, true)],
        keys: vec![ShownKey { primary: true, columns: vec![0] }],
    };
    Visible {
        schemas: vec![ShownSchema { oid: 1_500_000_000, name: "growth-team".to_owned(), description: String::new() }],
        products: vec![product(0, "orders"), product(1, "people")],
        types: [(17_000, "mood".to_owned())].into(),
        session: Session { user: "ana".to_owned(), user_oid: 1, database: "w".to_owned(), database_oid: 2 },
        own: Vec::new(),
    }
}

fn parses(what: &str, text: &str) {
    let query = parse_query(text).unwrap_or_else(|error| panic!("{what}: {error}\n{text}"));
    let statement = Statement::Query(query);
    let print = render(&statement);
    assert!(prove(&statement, &print).is_ok(), "{what}: {text}\n{print}");
}

#[test]
fn every_overlay_is_a_query_that_prints_as_itself() {
    let overlays = Overlays::build(&relations());
    assert!(overlays.iter().count() > 100);
    for visible in [visible(), Visible { session: Session::default(), ..Visible::default() }] {
        let maps = visible.maps();
        let expander = Expander { overlays: &overlays, maps: &maps };
        for overlay in overlays.iter() {
            let what = format!("{}.{}", overlay.schema, overlay.name);
            let all: Vec<&str> = overlay.columns.iter().map(|column| column.name.as_str()).collect();
            for fenced in [true, false] {
                parses(&what, &expander.query(overlay, &all, &Constraints::new(), fenced));
            }
            parses(&what, &expander.query(overlay, &[], &Constraints::new(), false));
            let none: Constraints = all.iter().map(|column| ((*column).to_owned(), Domain::empty())).collect();
            parses(&what, &expander.query(overlay, &all, &none, true));
        }
    }
}

#[test]
fn every_function_is_an_expression_whatever_it_is_called_with() {
    let overlays = Overlays::build(&relations());
    let visible = visible();
    let maps = visible.maps();
    let path = Path::default();
    let asked = Asked { expander: Expander { overlays: &overlays, maps: &maps }, visible: &visible, path: &path };
    let constant =
        |text: &str| Argument { text: text.to_owned(), constant: true, domain: Domain::values(["1".to_owned()]) };
    let column = || Argument { text: "s.oid".to_owned(), constant: false, domain: Domain::Any };
    for (name, _) in TEXTS {
        let (own, count) = match name.rsplit_once('_') {
            Some((own, "output")) => (output_of(own), 1),
            Some((own, count)) => (function(own, count.parse().unwrap()), count.parse().unwrap()),
            None => panic!("{name}"),
        };
        let own = own.unwrap_or_else(|| panic!("{name}"));
        for argument in [constant("'1'"), constant("NULL"), constant("$1"), column()] {
            let arguments = vec![argument; count];
            parses(name, &format!("SELECT {} FROM t AS s", own.call(&arguments, &asked)));
        }
    }
}

#[test]
fn what_constants_rule_out_does_not_travel() {
    let overlays = Overlays::build(&relations());
    let visible = visible();
    let maps = visible.maps();
    let expander = Expander { overlays: &overlays, maps: &maps };
    let class = overlays.get("pg_catalog", "pg_class").unwrap();
    let of =
        |column: &str, value: &str| -> Constraints { [(column.to_owned(), Domain::values([value.to_owned()]))].into() };
    let text = expander.query(class, &["oid", "relname"], &of("oid", "1000000064"), true);
    assert!(text.contains("people") && !text.contains("orders") && !text.contains("OFFSET"), "{text}");
    let text = expander.query(class, &["oid"], &of("oid", "1259"), false);
    assert!(text.contains("pg_catalog.pg_class AS c") && !text.contains("UNION"), "{text}");
    let text = expander.query(class, &["relname"], &of("relname", "orders"), false);
    assert!(text.contains("orders") && !text.contains("people") && text.contains("UNION"), "{text}");
    // Equalities carry it on.
    let attribute = overlays.get("pg_catalog", "pg_attribute").unwrap();
    let mut links = Links::default();
    let place = |reference, column: &str| Place { reference, column: column.to_owned() };
    links.constant(place(0, "relname"), Domain::values(["orders".to_owned()]));
    links.equal(place(0, "oid"), place(1, "attrelid"));
    let solved = links.solve(&[Some(class.clone()), Some(attribute.clone())], &expander);
    let text = expander.query(attribute, &["attname"], &solved[1], false);
    assert!(text.contains("20000") && !text.contains("20001"), "{text}");
}

#[test]
fn no_name_of_a_template_is_read_past_its_schema() {
    let mut unknown = BTreeSet::new();
    let overlays = Overlays::build(&relations());
    let known: BTreeSet<(String, String)> = relations().into_iter().map(|r| (r.schema, r.name)).collect();
    let maps = Visible::default().maps();
    let expander = Expander { overlays: &overlays, maps: &maps };
    for overlay in overlays.iter() {
        let all: Vec<&str> = overlay.columns.iter().map(|column| column.name.as_str()).collect();
        let mut names = Names::default();
        names.add(&expander.query(overlay, &all, &Constraints::new(), false));
        let types = ["pg_catalog", "information_schema"];
        unknown.extend(names.relations.into_iter().filter(|(schema, name)| {
            !known.contains(&(schema.clone(), name.clone()))
                && (!types.contains(&schema.as_str()) || name.starts_with("pg_"))
        }));
    }
    assert!(
        unknown.iter().all(|(_, name)| name == "pg_node_tree"
            || name == "pg_lsn"
            || name.ends_with("ndistinct")
            || name.ends_with("dependencies")
            || name.ends_with("mcv_list")),
        "{unknown:?}"
    );
}
