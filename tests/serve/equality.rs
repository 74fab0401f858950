//! `predicates = "equality"`: who knows a value finds it behind its hash, and nobody else does.

use crate::common::proxy::{HASH_KEY, Proxy};
use crate::common::wire::Wire;
use crate::{Case, Fixture};

pub const CASES: &[Case] = &[("equality::a_known_value_is_found_and_no_other", known_values)];

fn count(wire: &mut Wire, condition: &str, parameters: &[Option<&str>], binary: bool) -> i64 {
    let sql = format!("SELECT count(*)::text FROM marketing.leads WHERE {condition}");
    let answer = match parameters {
        [] => wire.one(&sql),
        _ => wire.extended(&sql, parameters, binary),
    };
    assert!(answer.error.is_none(), "{sql}: {:?}", answer.error);
    answer.scalar().parse().unwrap()
}

fn known_values(f: &Fixture) {
    let with = Proxy::start(&f.warehouse, |dir| {
        let edit = |name: &str, from: &str, to: &str| {
            let text = std::fs::read_to_string(dir.join(name)).unwrap();
            assert!(text.contains(from), "{name}");
            std::fs::write(dir.join(name), text.replace(from, to)).unwrap();
        };
        edit("catalog/marketing/leads.toml", "mask = \"hash\"\n", "mask = \"hash\"\npredicates = \"equality\"\n");
        edit("pgveil.toml", "[audit]\n", "[audit]\nsql = \"redacted\"\n");
    });
    let raw =
        f.warehouse.superuser("warehouse").one("SELECT email FROM marketing_leads ORDER BY lead_id LIMIT 1").scalar();
    let mut data = f.warehouse.superuser("warehouse");
    let total = "SELECT count(*)::text FROM marketing_leads";
    let all: i64 = data.one(total).scalar().parse().unwrap();
    let found: i64 = data.one(&format!("{total} WHERE email = '{raw}'")).scalar().parse().unwrap();
    assert!(found > 0 && found < all);
    let hash = f.proxy.login("analyst").one("SELECT email FROM marketing.leads ORDER BY lead_id LIMIT 1").scalar();

    let mut without = f.proxy.login("analyst");
    let mut analyst = with.login("analyst");
    let mut admin = with.login("admin");
    // Condition, parameters, and how many rows fit: in the warehouse, and for an analyst without the setting.
    let cases: Vec<(String, Vec<&str>, i64, i64)> = vec![
        (format!("email = '{raw}'"), vec![], found, 0),
        (format!("'{raw}' = marketing.leads.email"), vec![], found, 0),
        (format!("(email) = ('{raw}'::text)"), vec![], found, 0),
        (format!("email <> '{raw}'"), vec![], all - found, all),
        (format!("NOT email = '{raw}'"), vec![], all - found, all),
        (format!("email IN ('{raw}')"), vec![], found, 0),
        (format!("email IN ('nobody', '{raw}', 'none')"), vec![], found, 0),
        (format!("email NOT IN ('nobody', '{raw}')"), vec![], all - found, all),
        (format!("email IS NOT DISTINCT FROM '{raw}'"), vec![], found, 0),
        (format!("email = '{raw}' OR lead_id IS NULL"), vec![], found, 0),
        ("email = $1".to_owned(), vec![&raw], found, 0),
        ("email = $1::varchar".to_owned(), vec![&raw], found, 0),
        ("email IN ($1, $2)".to_owned(), vec!["nobody", &raw], found, 0),
        ("email = 'nobody@nowhere'".to_owned(), vec![], 0, 0),
        ("email = NULL".to_owned(), vec![], 0, 0),
        (format!("email = upper('{raw}')"), vec![], 0, 0),
    ];
    for (condition, parameters, expected, before) in &cases {
        let parameters: Vec<Option<&str>> = parameters.iter().copied().map(Some).collect();
        for binary in [false, true] {
            assert_eq!(count(&mut analyst, condition, &parameters, binary), *expected, "{condition}");
            assert_eq!(count(&mut admin, condition, &parameters, binary), *expected, "admin: {condition}");
            assert_eq!(count(&mut without, condition, &parameters, binary), *before, "without: {condition}");
        }
    }
    // The hash that was seen is found as well, and no part of a value is.
    assert_eq!(count(&mut analyst, &format!("email = '{hash}'"), &[], false), found);
    assert_eq!(count(&mut analyst, "email = $1", &[Some(&hash)], false), found);
    assert_eq!(count(&mut analyst, &format!("email LIKE '{}%'", &raw[..4]), &[], false), 0);
    // Neither the value nor the key is in what is kept.
    let audit = std::fs::read_to_string(with.audit_path()).unwrap();
    for secret in [raw.as_str(), HASH_KEY] {
        assert!(!audit.contains(secret) && !with.log().contains(secret), "{secret}");
    }
}
