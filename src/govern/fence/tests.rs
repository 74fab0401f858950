//! The rule's bookkeeping; what is a condition, and of which types, is in the golden files.

use std::collections::BTreeSet;

use super::{Condition, Fences, Kind, leak_proof};

fn condition(touched: &[usize], leaks: Option<&str>) -> Condition {
    Condition {
        touched: Some(touched.iter().copied().collect()),
        leaks: leaks.map(str::to_owned),
        of_time: false,
        equates: false,
    }
}

fn kept(conditions: Vec<Condition>) -> BTreeSet<usize> {
    let mut fences = Fences::default();
    conditions.into_iter().for_each(|condition| fences.note(condition));
    (0..3).filter(|reference| fences.reason(*reference).is_some()).collect()
}

#[test]
fn a_condition_that_leaks_keeps_the_fences_of_what_it_reads() {
    assert_eq!(kept(vec![condition(&[0, 1], None)]), BTreeSet::new());
    assert_eq!(kept(vec![condition(&[0, 1], None), condition(&[1], Some("LIKE"))]), BTreeSet::from([1]));
}

#[test]
fn a_condition_of_which_nothing_is_known_keeps_all() {
    let all = BTreeSet::from([0, 1, 2]);
    assert_eq!(kept(vec![condition(&[], Some("random"))]), all, "without a column it stands beside any filter");
    assert_eq!(kept(vec![Condition { touched: None, ..condition(&[], None) }]), all);
    assert_eq!(kept(vec![Condition { touched: None, ..condition(&[], Some("x")) }]), all);
}

#[test]
fn equal_dates_and_timestamps_may_be_compared_with_what_nobody_wrote() {
    let of_time = |touched: &[usize]| Condition { of_time: true, equates: true, ..condition(touched, None) };
    let mixed = || Condition { equates: true, ..condition(&[2], Some("date with timestamp")) };
    assert_eq!(kept(vec![of_time(&[0]), mixed()]), BTreeSet::from([0, 2]));
    assert_eq!(kept(vec![mixed(), of_time(&[0])]), BTreeSet::from([0, 2]));
    assert_eq!(kept(vec![condition(&[1], None), mixed()]), BTreeSet::from([2]));
}

#[test]
fn the_list_has_no_comparison_between_kinds() {
    let list: Vec<_> = leak_proof().collect();
    assert_eq!(list.len(), 6 * (9 + 4 + 7));
    assert!(list.contains(&("<", "int2", "int8")) && list.contains(&("=", "uuid", "uuid")));
    assert!(!list.iter().any(|(_, left, right)| *left == "date" && *right != "date"));
    assert!(!list.iter().any(|(_, left, _)| matches!(*left, "numeric" | "bpchar" | "jsonb")));
}

#[test]
fn only_types_of_the_list_have_a_kind() {
    for oid in [1700, 1042, 3802, 700, 1083, 24, 2205, 16_500] {
        assert_eq!(Kind::of_oid(oid), None, "{oid}");
    }
}
