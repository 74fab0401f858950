//! What has become of the relations: differences of facts, in words for the log.

use crate::govern::facts::{Facts, RelationFacts, RelationKind};
use crate::names::RelationName;

/// A line for each difference.
pub(super) fn between(before: &Facts, now: &Facts) -> Vec<String> {
    let mut lines = Vec::new();
    for (warehouse, relations) in &now.relations {
        let former = before.relations.get(warehouse).map(Vec::as_slice).unwrap_or_default();
        for (name, old) in former {
            match relations.iter().find(|(other, _)| other == name) {
                Some((_, new)) => of_relation(name, old, new, &mut lines),
                None => lines.push(format!("{name} is gone")),
            }
        }
        let new = relations.iter().filter(|(name, _)| !former.iter().any(|(other, _)| other == name));
        lines.extend(new.map(|(name, _)| format!("{name} is there")));
    }
    lines
}

fn of_relation(name: &RelationName, old: &RelationFacts, new: &RelationFacts, lines: &mut Vec<String>) {
    if old == new {
        return;
    }
    let before = lines.len();
    let mut note = |what: String| lines.push(format!("{name} {what}"));
    if old.kind != new.kind {
        note(format!("was {} and is {}", word(old.kind), word(new.kind)));
    }
    if old.oid != new.oid {
        note("was dropped and created anew".to_owned());
    }
    if old.barrier != new.barrier {
        note(format!("{} security_barrier", if new.barrier { "has" } else { "has no longer" }));
    }
    for column in &old.columns {
        match new.column(&column.name) {
            None => note(format!("has no longer the column \"{}\"", column.name)),
            Some(other) if other.sql_type != column.sql_type => {
                note(format!("has \"{}\" as {}, which was {}", column.name, other.sql_type, column.sql_type));
            }
            Some(_) => {}
        }
    }
    for column in new.columns.iter().filter(|column| old.column(&column.name).is_none()) {
        note(format!("has a new column \"{}\", which only a contract can show", column.name));
    }
    if old.primary_key != new.primary_key {
        note("has another primary key".to_owned());
    }
    if lines.len() == before {
        lines.push(format!("{name} has other keys, parents or rights"));
    }
}

fn word(kind: RelationKind) -> &'static str {
    match kind {
        RelationKind::Table => "a table",
        RelationKind::PartitionedTable => "a partitioned table",
        RelationKind::View => "a view",
        RelationKind::MaterializedView => "a materialized view",
        RelationKind::ForeignTable => "a foreign table",
    }
}
