//! What a text of pgveil's own reads and calls, for the second parser's summary of the statement that it becomes a part of.

use std::collections::BTreeSet;

use crate::sql::{self, WordKind};

/// Schema and name of relations and functions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Names {
    /// The warehouse's relations. A type's name may be among them: no relation is called so.
    pub relations: BTreeSet<(String, String)>,
    /// Functions; without a schema: what the grammar makes.
    pub functions: BTreeSet<(Option<String>, String)>,
}

impl Names {
    /// Adds what a text names with the schema of the system.
    pub fn add(&mut self, text: &str) {
        let Ok(words) = sql::words(text) else { return };
        for (at, word) in words.iter().enumerate() {
            let WordKind::Name(schema) = &word.kind else { continue };
            let behind = |place: usize| words.get(at + place);
            if schema == "unnest" && behind(1).is_some_and(|next| next.is_sign("(")) {
                self.functions.insert((None, schema.clone()));
                self.functions.insert((Some("pg_catalog".to_owned()), schema.clone()));
            }
            let system = matches!(schema.as_str(), "pg_catalog" | "information_schema");
            let Some(name) = behind(2).and_then(sql::Word::name).filter(|_| system) else { continue };
            if !behind(1).is_some_and(|dot| dot.is_sign(".")) {
                continue;
            }
            if behind(3).is_some_and(|next| next.is_sign("(")) {
                self.functions.insert((Some(schema.clone()), name.to_owned()));
            } else {
                self.relations.insert((schema.clone(), name.to_owned()));
            }
        }
    }
}
