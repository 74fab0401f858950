//! What a template says, found by the lexer that reads every statement.

use std::collections::BTreeSet;

use crate::sql::{self, SqlError};

/// Schema and name of a relation or function.
type Name = (Option<String>, String);

/// What a template adds to a statement, for the second parser's summary of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Names {
    /// Schema and name of the warehouse's relations.
    pub relations: BTreeSet<(String, String)>,
    /// Schema and name of functions.
    pub functions: BTreeSet<Name>,
}

impl Names {
    /// Takes those of another.
    pub fn add(&mut self, other: &Self) {
        self.relations.extend(other.relations.iter().cloned());
        self.functions.extend(other.functions.iter().cloned());
    }
}

/// What stands in a template for something of pgveil's own.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Placeholder {
    /// `shown.X`, `shown_information.X`: the overlay, cut down like the one that it stands in; `whole…`: never cut down.
    Overlay { schema: &'static str, name: String, whole: bool },
    /// `map.X`; `map.all_X`: never cut down.
    Map { name: String, whole: bool },
}

/// A part of a template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Piece {
    /// As it stands.
    Text(String),
    /// The name of a WITH query.
    Own(Placeholder),
}

/// Takes a template apart.
pub(super) fn scan(text: &str) -> Result<(Vec<Piece>, Names), SqlError> {
    let (mut pieces, mut names, mut end) = (Vec::new(), Names::default(), 0);
    for found in sql::dotted(text)? {
        let (schema, name) = (found.schema.as_str(), found.name.clone());
        let overlay = |schema, whole| Placeholder::Overlay { schema, name: name.clone(), whole };
        let own = match schema {
            "shown" => overlay("pg_catalog", false),
            "shown_information" => overlay("information_schema", false),
            "whole" => overlay("pg_catalog", true),
            "whole_information" => overlay("information_schema", true),
            "map" => match name.strip_prefix("all_") {
                Some(name) => Placeholder::Map { name: name.to_owned(), whole: true },
                None => Placeholder::Map { name: name.clone(), whole: false },
            },
            "pg_catalog" | "information_schema" => {
                if found.called {
                    names.functions.insert((Some(found.schema), name));
                } else {
                    names.relations.insert((found.schema, name));
                }
                continue;
            }
            _ => continue,
        };
        pieces.push(Piece::Text(text.get(end..found.range.start).unwrap_or_default().to_owned()));
        pieces.push(Piece::Own(own));
        end = found.range.end;
    }
    pieces.push(Piece::Text(text.get(end..).unwrap_or_default().to_owned()));
    names.functions.extend(GRAMMAR.map(|(schema, name)| (schema.map(str::to_owned), name.to_owned())));
    Ok((pieces, names))
}

/// What Postgres' grammar takes for calls although nobody can write a schema before it.
const GRAMMAR: [(Option<&str>, &str); 2] = [(None, "unnest"), (Some("pg_catalog"), "unnest")];
