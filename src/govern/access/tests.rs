use super::super::testing::{build, parts, product, role, user, warehouse};
use super::*;
use crate::catalog::Deprecation;
use crate::names::ProductId;

const TODAY: Date = Date::constant(2026, 6, 1);

fn access(product: Product, roles: Vec<(&str, Role)>) -> Access {
    let names: Vec<&str> = roles.iter().map(|(name, _)| *name).collect();
    let mut parts = parts(vec![product.clone()], vec![("ana", user(&names, &[]))]);
    parts.policy.roles.extend(roles.into_iter().map(|(name, role)| (RoleName::new(name), role)));
    let snapshot = build(parts).unwrap();
    snapshot.access(&snapshot.subject("ana", None).unwrap(), &product, TODAY)
}

fn denied(access: Access) -> (String, String) {
    match access {
        Access::Denied(denial) => {
            assert_eq!(denial.error.sqlstate, sqlstate::INSUFFICIENT_PRIVILEGE);
            (denial.error.message, denial.error.hint.unwrap())
        }
        other => panic!("{other:?}"),
    }
}

fn blind(mut role: Role) -> Role {
    role.discover.clear();
    role
}

#[test]
fn only_a_role_that_covers_the_product_grants_it() {
    let granted = access(product("crm.people"), vec![("b", role(&["crm.*"], &[])), ("a", role(&["ops.*"], &[]))]);
    assert_eq!(granted, Access::Granted(Granted { roles: vec![RoleName::new("b")], notices: vec![] }));
    let (message, hint) = denied(access(product("crm.people"), vec![("a", role(&["ops.*"], &[]))]));
    assert_eq!(message, "permission denied for data product crm.people");
    assert_eq!(hint, "Ask its owner for access: CRM (crm@example.com, #crm).");
    assert_eq!(access(product("crm.people"), vec![("a", blind(role(&["ops.*"], &[])))]), Access::Hidden);
}

#[test]
fn a_draft_is_for_roles_that_name_it() {
    let mut draft = product("crm.people");
    draft.status = Status::Draft;
    let mut tester = role(&["crm.*"], &[]);
    let (message, hint) = denied(access(draft.clone(), vec![("a", tester.clone())]));
    assert!(message.contains("draft"), "{message}");
    assert!(hint.contains("CRM"), "{hint}");
    tester.drafts = vec![crate::names::ProductPattern::parse("crm.people").unwrap()];
    assert!(matches!(access(draft, vec![("a", tester)]), Access::Granted(_)));
}

#[test]
fn a_deprecated_product_tells_of_its_replacement_and_ends_on_its_sunset() {
    let deprecated = |sunset| {
        let mut product = product("crm.people");
        product.status = Status::Deprecated;
        product.deprecation = Some(Deprecation {
            replaced_by: ProductId::parse("crm.persons"),
            sunset: Some(sunset),
            message: Some("Numbers stopped in August.".to_owned()),
        });
        product
    };
    let Access::Granted(granted) = access(deprecated(Date::constant(2026, 6, 2)), vec![("a", role(&["*"], &[]))])
    else {
        panic!()
    };
    let [notice] = granted.notices.as_slice() else { panic!() };
    assert_eq!(notice.message, "data product crm.people is deprecated and will be denied from 2026-06-02 on");
    assert_eq!(notice.hint.as_deref(), Some("Use crm.persons instead."));
    assert_eq!(notice.detail.as_deref(), Some("Numbers stopped in August."));
    let (message, hint) = denied(access(deprecated(TODAY), vec![("a", role(&["*"], &[]))]));
    assert_eq!(message, "data product crm.people is deprecated and no longer served since 2026-06-01");
    assert!(hint.starts_with("Use crm.persons instead."), "{hint}");
}

#[test]
fn rights_are_united_over_roles() {
    let mut silent = role(&["crm.*"], &[]);
    silent.copy_out = false;
    silent.explain = false;
    let loud = role(&["ops.*"], &[]);
    let mut parts = parts(
        vec![product("crm.people"), product("ops.jobs")],
        vec![("one", user(&["silent"], &[])), ("two", user(&["silent", "loud"], &[]))],
    );
    parts.policy.roles.insert(RoleName::new("silent"), silent);
    parts.policy.roles.insert(RoleName::new("loud"), loud);
    let snapshot = build(parts).unwrap();
    let (one, two) = (snapshot.subject("one", None).unwrap(), snapshot.subject("two", None).unwrap());
    assert!(!snapshot.may_copy_out(&one) && !snapshot.may_explain(&one));
    assert!(snapshot.may_copy_out(&two) && snapshot.may_explain(&two));
    assert_eq!(snapshot.visible_domains(&one, &warehouse(), TODAY), ["crm"]);
    assert_eq!(snapshot.visible_domains(&two, &warehouse(), TODAY), ["crm", "ops"]);
    assert_eq!(snapshot.discoverable_products(&one, &warehouse(), TODAY).count(), 2);
}

#[test]
fn a_breach_is_told_or_denied_as_the_product_says() {
    use super::super::breach::Staleness;
    use crate::catalog::OnBreach;
    let breach = Breach {
        stale: Some(Staleness::new(std::time::Duration::from_secs(11_520), std::time::Duration::from_secs(3_600))),
        failed: vec!["a".to_owned(), "b".to_owned()],
    };
    let said = "data product crm.people is more than 3 hours stale (at most 1 hour is promised) and breaks its contract \
                (failed checks: a, b)";
    let access = |on_breach, breached: &str| {
        let product = Product { on_breach, ..product("crm.people") };
        let mut parts = parts(vec![product.clone()], vec![("ana", user(&["a"], &[]))]);
        parts.policy.roles.insert(RoleName::new("a"), role(&["crm.*"], &[]));
        parts.breaches.insert(ProductId::parse(breached).unwrap(), breach.clone());
        let snapshot = build(parts).unwrap();
        snapshot.access(&snapshot.subject("ana", None).unwrap(), &product, TODAY)
    };
    let notices = |access| match access {
        Access::Granted(granted) => granted.notices,
        other => panic!("{other:?}"),
    };
    let told = notices(access(OnBreach::Notice, "crm.people"));
    assert_eq!((told.len(), told[0].message.as_str()), (1, said));
    assert_eq!(told[0].hint.as_deref(), Some("Its owner is CRM (crm@example.com, #crm)."));
    let (message, hint) = denied(access(OnBreach::Deny, "crm.people"));
    assert_eq!((message.as_str(), hint.as_str()), (said, "Its owner is CRM (crm@example.com, #crm)."));
    assert!(notices(access(OnBreach::Ignore, "crm.people")).is_empty());
    // Another product's breach concerns nobody here.
    assert!(notices(access(OnBreach::Deny, "crm.others")).is_empty());
}
