//! The WITH queries that a statement needs: each overlay and each map once for every cut.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::sync::Arc;

use crate::names::quote_identifier;
use crate::sql::ast::With;
use crate::sql::{self, SqlError};

use super::OWN;
use super::map::{self, ShownProduct, Visible};
use super::overlay::{Overlay, Overlays};
use super::scan::{Names, Piece, Placeholder};

/// Which products the rows of an overlay may be about: all, or those that constants of the statement leave.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cut {
    /// All that are visible.
    #[default]
    Whole,
    /// These alone: their OIDs.
    To(BTreeSet<u32>),
}

impl Cut {
    pub(super) fn keeps(&self, product: &ShownProduct) -> bool {
        match self {
            Self::Whole => true,
            Self::To(oids) => oids.contains(&product.oid),
        }
    }
    /// What both leave.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Whole, cut) | (cut, Self::Whole) => cut,
            (Self::To(a), Self::To(b)) => Self::To(a.intersection(&b).copied().collect()),
        }
    }
}

/// A WITH query that is needed.
#[derive(Clone, Debug, PartialEq)]
struct Part {
    what: Placeholder,
    cut: Cut,
    name: String,
    pieces: Vec<Piece>,
}

/// What a statement needs, in the order in which WITH must define it.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    parts: Vec<Part>,
    names: Names,
}

/// What is put before a statement.
#[derive(Clone, Debug)]
pub struct Prelude {
    /// The queries.
    pub with: With,
    /// What they read and call.
    pub names: Names,
    /// What they are called.
    pub with_names: BTreeSet<String>,
}

impl Plan {
    /// Whether nothing is needed.
    pub fn is_empty(&self) -> bool {
        self.parts.is_empty()
    }

    /// The WITH query of an overlay under a cut; it is needed from now on.
    pub fn overlay(&mut self, overlay: &Arc<Overlay>, cut: &Cut, overlays: &Overlays) -> Result<String, String> {
        let what = Placeholder::Overlay { schema: overlay.schema, name: overlay.name.clone(), whole: false };
        self.part(what, cut, overlays, 0)
    }

    fn part(&mut self, what: Placeholder, cut: &Cut, overlays: &Overlays, depth: usize) -> Result<String, String> {
        let (what, cut) = match what {
            Placeholder::Overlay { schema, name, whole } => {
                let cut = if whole { Cut::Whole } else { cut.clone() };
                (Placeholder::Overlay { schema, name, whole: false }, cut)
            }
            Placeholder::Map { name, whole } => {
                let cut = if whole { Cut::Whole } else { cut.clone() };
                (Placeholder::Map { name, whole: false }, cut)
            }
        };
        if let Some(known) = self.parts.iter().find(|part| part.what == what && part.cut == cut) {
            return Ok(known.name.clone());
        }
        if depth > 16 {
            return Err(format!("{what:?} is made of itself"));
        }
        let pieces = match &what {
            Placeholder::Map { .. } => Vec::new(),
            Placeholder::Overlay { schema, name, .. } => {
                let Some(overlay) = overlays.get(schema, name) else {
                    return Err(format!("there is no overlay of {schema}.{name}"));
                };
                self.names.add(&overlay.names);
                self.pieces(&overlay.pieces, &cut, overlays, depth + 1)?
            }
        };
        let bare = match &what {
            Placeholder::Overlay { schema: "pg_catalog", name, .. } => format!("{OWN}{name}"),
            Placeholder::Overlay { schema, name, .. } => format!("{OWN}{schema}.{name}"),
            Placeholder::Map { name, .. } => format!("{OWN}map {name}"),
        };
        let same = self.parts.iter().filter(|part| part.what == what).count();
        let name = if same == 0 { bare } else { format!("{bare} {}", same + 1) };
        self.parts.push(Part { what, cut, name: name.clone(), pieces });
        Ok(name)
    }

    /// Pieces whose placeholders have become names.
    fn pieces(&mut self, pieces: &[Piece], cut: &Cut, overlays: &Overlays, depth: usize) -> Result<Vec<Piece>, String> {
        let named = |piece: &Piece| match piece {
            Piece::Text(text) => Ok(Piece::Text(text.clone())),
            Piece::Own(what) => {
                let name = self.part(what.clone(), cut, overlays, depth)?;
                Ok(Piece::Text(quote_identifier(&name)))
            }
        };
        pieces.iter().map(named).collect()
    }

    /// The WITH clause.
    pub fn prelude(&self, visible: &Visible) -> Result<Prelude, SqlError> {
        let mut text = String::from("WITH ");
        for (at, part) in self.parts.iter().enumerate() {
            let comma = if at > 0 { ", " } else { "" };
            let (how, body) = match &part.what {
                // Read once, whoever reads it.
                Placeholder::Map { name, .. } => {
                    ("MATERIALIZED", map::query(name, visible, &part.cut).unwrap_or_else(|| "SELECT".to_owned()))
                }
                Placeholder::Overlay { .. } => ("NOT MATERIALIZED", part.pieces.iter().map(text_of).collect()),
            };
            let _ = write!(text, "{comma}{} AS {how} ({body})", quote_identifier(&part.name));
        }
        text.push_str(" SELECT 1");
        let query = sql::parse_query(&text)?;
        let Some(with) = query.with else { return Err(sql::parse_query("WITH").err().unwrap_or_else(lost)) };
        let with_names = self.parts.iter().map(|part| part.name.clone()).collect();
        Ok(Prelude { with, names: self.names.clone(), with_names })
    }
}

fn lost() -> SqlError {
    SqlError::Encoding { message: "a WITH clause is lost".to_owned() }
}

fn text_of(piece: &Piece) -> &str {
    match piece {
        Piece::Text(text) => text,
        Piece::Own(_) => "",
    }
}
