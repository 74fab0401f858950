use super::super::testing::{build, parts, product, role, user};
use super::*;
use crate::config::User;

/// The limits of a user with its own table, over roles that each cover the products given.
fn statement(defaults: RoleLimits, roles: Vec<(&str, &str, RoleLimits)>, own: RoleLimits, products: &[&str]) -> Limits {
    let names: Vec<&str> = roles.iter().map(|(name, _, _)| *name).collect();
    let ana = User { limits: own, ..user(&names, &[]) };
    let mut parts = parts(vec![product("crm.people"), product("ops.jobs")], vec![("ana", ana)]);
    parts.policy.defaults = defaults;
    for (name, covers, limits) in &roles {
        let mut role = role(&[covers], &[]);
        role.limits = limits.clone();
        parts.policy.roles.insert(RoleName::new(name), role);
    }
    let snapshot = build(parts).unwrap();
    let subject = snapshot.subject("ana", None).unwrap();
    let read: Vec<_> = products.iter().map(|id| product(id)).collect();
    snapshot.statement_limits(&subject, &read)
}

fn rows(max_rows: u64) -> RoleLimits {
    RoleLimits { max_rows: Some(max_rows), ..RoleLimits::default() }
}

#[test]
fn silence_everywhere_gives_the_documented_defaults() {
    let limits = statement(RoleLimits::default(), vec![("a", "*", RoleLimits::default())], RoleLimits::default(), &[]);
    assert_eq!((limits.max_rows, limits.copy_max_rows), (Some(10_000), Some(10_000)));
    assert_eq!(limits.statement_timeout, Some(Duration::from_secs(30)));
    assert_eq!(limits.idle_in_transaction_timeout, Some(Duration::from_secs(300)));
    assert_eq!((limits.max_concurrent, limits.queue_timeout), (Some(8), Duration::from_secs(10)));
    assert_eq!((limits.on_max_rows, limits.max_rows_source.as_str()), (OnMaxRows::Cut, "defaults"));
}

#[test]
fn the_largest_of_the_roles_holds_and_zero_is_unlimited() {
    let of = |a, b| {
        statement(RoleLimits::default(), vec![("a", "*", a), ("b", "*", b)], RoleLimits::default(), &["crm.people"])
    };
    let limits = of(rows(5), rows(7));
    assert_eq!((limits.max_rows, limits.max_rows_source.as_str()), (Some(7), "role b"));
    assert_eq!(of(rows(5), rows(0)).max_rows, None);
    let limits = of(rows(5), RoleLimits::default());
    assert_eq!(
        (limits.max_rows, limits.max_rows_source.as_str()),
        (Some(10_000), "defaults"),
        "a silent role has the default"
    );
}

#[test]
fn only_roles_that_grant_the_product_count_and_of_products_the_narrowest() {
    let of = |products: &[&str]| {
        let roles = vec![("a", "crm.*", rows(50)), ("b", "ops.*", rows(20_000))];
        statement(RoleLimits::default(), roles, RoleLimits::default(), products)
    };
    assert_eq!((of(&["crm.people"]).max_rows, of(&["ops.jobs"]).max_rows), (Some(50), Some(20_000)));
    let both = of(&["ops.jobs", "crm.people"]);
    assert_eq!((both.max_rows, both.max_rows_source.as_str()), (Some(50), "role a"));
    assert_eq!(of(&[]).max_rows, Some(20_000));
}

#[test]
fn the_user_wins_even_over_a_larger_role() {
    let own = RoleLimits {
        statement_timeout: Some(Duration::ZERO),
        on_max_rows: Some(OnMaxRows::Error),
        max_concurrent: Some(0),
        ..rows(3)
    };
    let limits = statement(rows(100), vec![("a", "*", rows(1_000))], own, &["crm.people"]);
    assert_eq!((limits.max_rows, limits.copy_max_rows), (Some(3), Some(3)));
    assert_eq!((limits.max_rows_source.as_str(), limits.on_max_rows), ("user ana", OnMaxRows::Error));
    assert_eq!((limits.statement_timeout, limits.max_concurrent), (None, None));
}

#[test]
fn copy_has_its_own_cap_where_somebody_says_so() {
    let copy = |n| RoleLimits { copy_max_rows: Some(n), ..RoleLimits::default() };
    let of = |defaults, role, own| {
        let limits = statement(defaults, vec![("a", "*", role)], own, &["crm.people"]);
        let (setting, level) = limits.copy_max_rows_source;
        (limits.copy_max_rows, format!("{setting} of {level}"))
    };
    let told = |rows: Option<u64>, source: &str| (rows, source.to_owned());
    let none = RoleLimits::default;
    assert_eq!(of(none(), none(), none()), told(Some(10_000), "max_rows of defaults"));
    assert_eq!(of(none(), rows(5), none()), told(Some(5), "max_rows of role a"));
    assert_eq!(of(none(), rows(5), rows(6)), told(Some(6), "max_rows of user ana"));
    assert_eq!(of(copy(100), rows(5), none()), told(Some(100), "copy_max_rows of defaults"));
    assert_eq!(of(copy(100), copy(0), none()), told(None, "copy_max_rows of role a"));
    assert_eq!(of(copy(100), copy(0), copy(7)), told(Some(7), "copy_max_rows of user ana"));
}
