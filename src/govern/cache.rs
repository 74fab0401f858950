//! Decisions that were taken already, within one generation: bounded, and a hit costs well under a microsecond.
//!
//! What a decision depends on besides the text is interned once per session and change of settings, so that a look-up hashes
//! a number, the text and the parameter types.

use std::hash::Hash;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use dashmap::DashMap;
use jiff::civil::Date;
use quick_cache::sync::Cache;
use quick_cache::{Equivalent, Weighter};

use crate::names::WarehouseName;
use crate::sql::statement::{Parsed, Statement};

use super::decide::{Decision, Plan, SearchPath};
use super::permit::Permit;
use super::shape::Template;
use super::subject::Subject;

/// Bytes of statement text and SQL that the decisions of a snapshot may hold, about.
const CAPACITY: u64 = 64 << 20;
/// How many texts are expected at once.
const EXPECTED_ENTRIES: usize = 20_000;
/// Bytes that the templates of shapes may take, about.
const SHAPE_CAPACITY: u64 = 16 << 20;
/// How many shapes are expected at once.
const EXPECTED_SHAPES: usize = 5_000;
/// Surroundings are few: users × search paths × days.
const MAX_SURROUNDINGS: usize = 100_000;

/// Everything that a decision depends on besides the statement and the snapshot.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Surroundings {
    /// The database that the client is connected to.
    pub warehouse: WarehouseName,
    /// Who asks, with attributes and limits.
    pub subject: Subject,
    /// Along which schemas names are looked up.
    pub search_path: SearchPath,
    /// For sunsets (UTC).
    pub today: Date,
}

/// Interned [`Surroundings`]. It is good for the snapshot that gave it alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SurroundingsId(u64);

/// One statement of a text, decided. The tree is not kept: it is large, and nothing behind the decision needs it.
#[derive(Clone, Debug)]
pub struct Decided {
    /// The statement's own part of the client's text.
    pub text: Arc<str>,
    /// How many characters of the client's text precede it, for error positions.
    pub offset: usize,
    /// Of what has no permit, which has one of its own.
    fingerprint: Option<Arc<str>>,
    /// Whether the first message of its answer is the header of a COPY.
    pub copy_header: bool,
    /// What was decided.
    pub decision: Decision,
}

impl Decided {
    /// A parsed statement and the decision on it.
    pub fn new(parsed: &Parsed, decision: Decision) -> Self {
        let fingerprint = match decision.permit() {
            Some(_) => None,
            None => Some(Arc::from(crate::sql::fingerprint(&parsed.statement))),
        };
        let copy_header = matches!(&parsed.statement, Statement::CopyOut(copy) if copy.options.header);
        Self { text: Arc::from(parsed.text.as_str()), offset: parsed.offset, fingerprint, copy_header, decision }
    }

    /// A query that is allowed.
    pub(in crate::govern) fn of_permit(text: Arc<str>, offset: usize, permit: Arc<Permit>) -> Self {
        Self { text, offset, fingerprint: None, copy_header: false, decision: Decision::Allow(Plan::Upstream(permit)) }
    }

    /// Equal for statements that differ in literals alone.
    pub fn fingerprint(&self) -> &str {
        match (&self.fingerprint, self.decision.permit()) {
            (Some(own), _) => own,
            (None, Some(permit)) => &permit.fingerprint,
            (None, None) => "",
        }
    }
}

/// The statements of one text in their order.
pub type DecidedText = Arc<[Decided]>;

/// See the module.
#[derive(Debug)]
pub struct DecisionCache {
    surroundings: DashMap<Surroundings, SurroundingsId>,
    next: AtomicU64,
    decided: Cache<Key, DecidedText, BySize>,
    shapes: Cache<Key, Known, BySize>,
}

/// What is known of a shape.
#[derive(Clone, Debug)]
pub enum Known {
    /// A text of it was decided.
    Once,
    /// Its decisions depend on its literals.
    Unfit,
    /// How the decision on any text of it is made.
    Template(Arc<Template>),
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Key {
    surroundings: SurroundingsId,
    text: Arc<str>,
    types: Box<[u32]>,
}

/// A key that borrows the client's text.
#[derive(Hash)]
struct KeyRef<'a> {
    surroundings: SurroundingsId,
    text: &'a str,
    types: &'a [u32],
}

impl Equivalent<Key> for KeyRef<'_> {
    fn equivalent(&self, key: &Key) -> bool {
        self.surroundings == key.surroundings && *self.text == *key.text && *self.types == *key.types
    }
}

#[derive(Clone, Debug)]
struct BySize;

impl Weighter<Key, DecidedText> for BySize {
    fn weight(&self, key: &Key, decided: &DecidedText) -> u64 {
        let size =
            |one: &Decided| one.text.len() + one.decision.permit().map_or(0, |permit| permit.sql.len() * 2) + 1_024;
        let statements: usize = decided.iter().map(size).sum();
        (key.text.len() + key.types.len() * 4 + statements) as u64
    }
}

impl Weighter<Key, Known> for BySize {
    fn weight(&self, key: &Key, known: &Known) -> u64 {
        let template = match known {
            Known::Once | Known::Unfit => 0,
            Known::Template(template) => template.size(),
        };
        (key.text.len() + key.types.len() * 4 + template + 128) as u64
    }
}

impl Default for DecisionCache {
    fn default() -> Self {
        Self {
            surroundings: DashMap::new(),
            next: AtomicU64::new(0),
            decided: Cache::with_weighter(EXPECTED_ENTRIES, CAPACITY, BySize),
            shapes: Cache::with_weighter(EXPECTED_SHAPES, SHAPE_CAPACITY, BySize),
        }
    }
}

impl DecisionCache {
    /// A number for these surroundings: a session asks once, and again when one of them changes.
    pub fn intern(&self, surroundings: &Surroundings) -> SurroundingsId {
        if let Some(known) = self.surroundings.get(surroundings) {
            return *known;
        }
        if self.surroundings.len() >= MAX_SURROUNDINGS {
            // Numbers are never reused, so what was decided under a forgotten one is not found again.
            self.surroundings.clear();
        }
        *self
            .surroundings
            .entry(surroundings.clone())
            .or_insert_with(|| SurroundingsId(self.next.fetch_add(1, Ordering::Relaxed)))
    }

    /// What was decided of the text.
    pub fn find(&self, surroundings: SurroundingsId, text: &str, types: &[u32]) -> Option<DecidedText> {
        self.decided.get(&KeyRef { surroundings, text, types })
    }

    /// Keeps what was decided of the text. Not for decisions into which values of the session went.
    pub fn keep(&self, surroundings: SurroundingsId, text: &str, types: &[u32], decided: DecidedText) {
        self.decided.insert(Key { surroundings, text: Arc::from(text), types: types.into() }, decided);
    }

    /// What is known of a shape; its key takes the text's place.
    pub fn known_shape(&self, surroundings: SurroundingsId, key: &str, types: &[u32]) -> Option<Known> {
        self.shapes.get(&KeyRef { surroundings, text: key, types })
    }

    /// Keeps what is known of a shape.
    pub fn keep_shape(&self, surroundings: SurroundingsId, key: &str, types: &[u32], known: Known) {
        self.shapes.insert(Key { surroundings, text: Arc::from(key), types: types.into() }, known);
    }

    /// How many texts are kept, for the metric.
    pub fn len(&self) -> usize {
        self.decided.len()
    }

    /// Whether none is kept.
    pub fn is_empty(&self) -> bool {
        self.decided.is_empty()
    }
}

#[cfg(test)]
mod tests;
