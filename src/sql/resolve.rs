//! Which names stand for what at a place of a statement: Postgres' own scoping (`parse_relation.c`, `parse_clause.c`).
//!
//! A [`Scopes`] is a stack. Each query level has a namespace of entries, which grows from left to right while its FROM is
//! read; inner levels see outer ones. Names of WITH queries lie on a stack of their own. Nothing here knows policy: an
//! [`Origin`] is two numbers whose meaning is the walker's.

use std::sync::Arc;

use super::ast::Ident;
use super::names::exact;

/// A column of a reference to a governed relation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Origin {
    /// Which reference, in the walker's numbering.
    pub reference: usize,
    /// Which of its columns.
    pub column: usize,
}

/// A column that has a name at some place of a statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    /// Its exact name there.
    pub name: String,
    /// The governed columns that it shows as they are; more than one after USING.
    pub origins: Vec<Origin>,
    /// The governed column that it is, unchanged, through however many derived tables; `None`: computed, or merged of two.
    pub shows: Option<Origin>,
    /// The fields of the whole row that it holds, where that is certain.
    pub row: Option<Arc<[String]>>,
}

impl Column {
    /// A column that no governed one shows through.
    pub fn computed(name: impl Into<String>) -> Self {
        Self { name: name.into(), origins: Vec::new(), shows: None, row: None }
    }
}

/// The columns of a relation or a query's result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Columns {
    /// In order.
    pub list: Vec<Column>,
    /// Whether these are all; false where they cannot be known before the statement runs.
    pub complete: bool,
}

impl Columns {
    /// All columns, by name.
    pub fn named<S: Into<String>>(names: impl IntoIterator<Item = S>) -> Self {
        Self { list: names.into_iter().map(Column::computed).collect(), complete: true }
    }
    /// Columns of which nothing is known yet.
    pub fn unknown() -> Self {
        Self { list: Vec::new(), complete: false }
    }
    /// Whether a column of this name is among them.
    pub fn has(&self, name: &str) -> bool {
        self.list.iter().any(|column| column.name == name)
    }
    /// Everything that is behind the columns of this name.
    pub fn origins<'a>(&'a self, name: &'a str) -> impl Iterator<Item = Origin> + 'a {
        self.list.iter().filter(move |column| column.name == name).flat_map(|column| column.origins.iter().copied())
    }
    /// The columns under the names of an alias list; the rest keeps its names.
    pub fn renamed(&mut self, names: &[String]) {
        for (at, name) in names.iter().enumerate() {
            match self.list.get_mut(at) {
                Some(column) => column.name.clone_from(name),
                // More names than columns: an error, unless the columns were not known.
                None => self.list.push(Column::computed(name.clone())),
            }
        }
    }
    /// The same names without what is behind them: a derived table's columns were read inside of it.
    pub fn sealed(self) -> Self {
        let sealed = |column: Column| Column { origins: Vec::new(), ..column };
        Self { list: self.list.into_iter().map(sealed).collect(), ..self }
    }
    /// The same names alone: what a set operation gives is no one column.
    pub fn mixed(self) -> Self {
        Self { list: self.list.into_iter().map(|column| Column::computed(column.name)).collect(), ..self }
    }
}

/// One relation in a namespace.
#[derive(Clone, Debug)]
pub struct Entry {
    /// By which name it is referred to; `None`: an unaliased join, which has columns only.
    pub name: Option<String>,
    /// How the rewritten statement refers to it.
    pub written: Ident,
    /// Which reference to a governed relation it is, when it stands there without an alias: then `schema.table` names it too.
    pub unaliased: Option<usize>,
    /// Its columns.
    pub columns: Columns,
    /// Whether they are found without a qualifier (not so below an unaliased join, whose own entry has them).
    pub columns_visible: bool,
    /// Visible to LATERAL neighbours alone, while the FROM clause is being read.
    pub lateral_only: bool,
}

impl Entry {
    /// A relation under an alias.
    pub fn aliased(name: &str, columns: Columns) -> Self {
        Self {
            name: Some(name.to_owned()),
            written: exact(name),
            unaliased: None,
            columns,
            columns_visible: true,
            lateral_only: false,
        }
    }
    /// The columns of a join without an alias.
    pub fn join(columns: Columns) -> Self {
        Self { name: None, written: exact(""), unaliased: None, columns, columns_visible: true, lateral_only: false }
    }
}

/// The namespace of one query level.
#[derive(Clone, Debug, Default)]
pub struct Scope {
    /// In the order of FROM.
    pub entries: Vec<Entry>,
    /// Whether a LATERAL item is being read, which sees its neighbours to the left.
    pub lateral_active: bool,
}

impl Scope {
    fn visible(&self) -> impl Iterator<Item = &Entry> {
        self.entries.iter().filter(|entry| !entry.lateral_only || self.lateral_active)
    }
}

/// A query of WITH.
#[derive(Clone, Debug)]
pub struct Cte {
    /// Its exact name.
    pub name: String,
    /// What it shows.
    pub columns: Columns,
}

/// More than one relation of a namespace has the name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ambiguous;

/// What a column name without a qualifier stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ColumnLookup {
    /// A column, with everything behind it.
    Found(Vec<Origin>),
    /// Perhaps a column: some visible relation's columns are not known. What may be behind it is listed.
    Perhaps(Vec<Origin>),
    /// No visible relation has it.
    Missing,
}

/// The namespaces and WITH queries at a place of a statement.
#[derive(Clone, Debug, Default)]
pub struct Scopes {
    levels: Vec<Scope>,
    ctes: Vec<Vec<Cte>>,
}

impl Scopes {
    /// Begins a query level.
    pub fn enter(&mut self) {
        self.levels.push(Scope::default());
    }
    /// Ends it.
    pub fn leave(&mut self) {
        self.levels.pop();
    }
    /// The innermost namespace.
    pub fn current(&mut self) -> &mut Scope {
        if self.levels.is_empty() {
            self.levels.push(Scope::default());
        }
        let last = self.levels.len() - 1;
        // The stack was filled just above.
        #[expect(clippy::indexing_slicing, reason = "the stack is not empty")]
        &mut self.levels[last]
    }
    /// Every entry that a name can reach, the innermost level first.
    pub fn reachable(&self) -> impl Iterator<Item = &Entry> {
        self.levels.iter().rev().flat_map(Scope::visible)
    }
    /// Every entry of every level, reachable or not.
    pub fn all(&self) -> impl Iterator<Item = &Entry> {
        self.levels.iter().flat_map(|scope| scope.entries.iter())
    }

    /// The relation that a qualifier of one part means: the innermost level that has the name decides.
    pub fn relation(&self, name: &str) -> Result<Option<&Entry>, Ambiguous> {
        self.innermost(|entry| entry.name.as_deref() == Some(name))
    }
    /// The relation that `schema.table` means: an unaliased reference that `is_it` accepts.
    pub fn unaliased(&self, is_it: impl Fn(usize) -> bool) -> Result<Option<&Entry>, Ambiguous> {
        self.innermost(|entry| entry.name.is_some() && entry.unaliased.is_some_and(&is_it))
    }
    fn innermost(&self, is_it: impl Fn(&Entry) -> bool) -> Result<Option<&Entry>, Ambiguous> {
        for scope in self.levels.iter().rev() {
            let mut found = scope.visible().filter(|entry| is_it(entry));
            if let Some(entry) = found.next() {
                return if found.next().is_some() { Err(Ambiguous) } else { Ok(Some(entry)) };
            }
        }
        Ok(None)
    }

    /// What a column name without a qualifier stands for: the innermost level that has it decides.
    pub fn column(&self, name: &str) -> ColumnLookup {
        let mut perhaps: Option<Vec<Origin>> = None;
        for scope in self.levels.iter().rev() {
            let mut found = false;
            let mut origins = Vec::new();
            for entry in scope.visible().filter(|entry| entry.columns_visible) {
                if entry.columns.has(name) {
                    found = true;
                    origins.extend(entry.columns.origins(name));
                } else if !entry.columns.complete {
                    perhaps.get_or_insert_default();
                }
            }
            if found {
                return match perhaps {
                    None => ColumnLookup::Found(origins),
                    Some(mut before) => {
                        before.extend(origins);
                        ColumnLookup::Perhaps(before)
                    }
                };
            }
        }
        perhaps.map_or(ColumnLookup::Missing, ColumnLookup::Perhaps)
    }

    /// The column that a name without a qualifier stands for, when that is certain and it is the only one.
    pub fn only_column(&self, name: &str) -> Option<&Column> {
        for scope in self.levels.iter().rev() {
            let visible = || scope.visible().filter(|entry| entry.columns_visible);
            if !visible().all(|entry| entry.columns.complete) {
                return None;
            }
            let mut found = visible().flat_map(|entry| &entry.columns.list).filter(|column| column.name == name);
            if let Some(column) = found.next() {
                return found.next().is_none().then_some(column);
            }
        }
        None
    }
    /// Whether the innermost level has a column of this name for certain.
    pub fn is_innermost_column(&self, name: &str) -> bool {
        let mut entries = self.levels.last().into_iter().flat_map(Scope::visible).filter(|entry| entry.columns_visible);
        entries.any(|entry| entry.columns.has(name))
    }
    /// Whether the innermost level has a relation of this name.
    pub fn is_innermost_relation(&self, name: &str) -> bool {
        let mut entries = self.levels.last().into_iter().flat_map(Scope::visible);
        entries.any(|entry| entry.name.as_deref() == Some(name))
    }

    /// Begins a WITH clause.
    pub fn enter_with(&mut self) {
        self.ctes.push(Vec::new());
    }
    /// Ends it.
    pub fn leave_with(&mut self) {
        self.ctes.pop();
    }
    /// The number of the WITH clause that is being read.
    pub fn clause(&self) -> usize {
        self.ctes.len().saturating_sub(1)
    }
    /// Makes a query of a WITH clause visible, or replaces what is known of it.
    pub fn define_cte(&mut self, clause: usize, cte: Cte) {
        if let Some(clause) = self.ctes.get_mut(clause) {
            match clause.iter_mut().find(|known| known.name == cte.name) {
                Some(known) => *known = cte,
                None => clause.push(cte),
            }
        }
    }
    /// The innermost WITH query of this name.
    pub fn cte(&self, name: &str) -> Option<&Cte> {
        self.ctes.iter().rev().find_map(|clause| clause.iter().find(|cte| cte.name == name))
    }
    /// Whether the WITH clause that is being read defines the name already.
    pub fn defines(&self, name: &str) -> bool {
        self.ctes.last().is_some_and(|clause| clause.iter().any(|cte| cte.name == name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn columns(names: &[&str], reference: usize) -> Columns {
        let list = names.iter().enumerate();
        let list = list
            .map(|(column, name)| Column {
                name: (*name).to_owned(),
                origins: vec![Origin { reference, column }],
                shows: Some(Origin { reference, column }),
                row: None,
            })
            .collect();
        Columns { list, complete: true }
    }

    #[test]
    fn inner_levels_hide_outer_ones() {
        let mut scopes = Scopes::default();
        scopes.enter();
        scopes.current().entries.push(Entry::aliased("o", columns(&["id", "total"], 0)));
        scopes.enter();
        scopes.current().entries.push(Entry::aliased("i", columns(&["id"], 1)));
        assert_eq!(scopes.column("id"), ColumnLookup::Found(vec![Origin { reference: 1, column: 0 }]));
        assert_eq!(scopes.column("total"), ColumnLookup::Found(vec![Origin { reference: 0, column: 1 }]));
        assert_eq!(scopes.column("none"), ColumnLookup::Missing);
        assert!(scopes.relation("o").unwrap().is_some());
        scopes.leave();
        assert!(scopes.relation("i").unwrap().is_none());
    }

    #[test]
    fn neighbours_are_seen_by_lateral_items_alone() {
        let mut scopes = Scopes::default();
        scopes.enter();
        scopes.current().entries.push(Entry { lateral_only: true, ..Entry::aliased("t", columns(&["id"], 0)) });
        scopes.enter();
        assert_eq!(scopes.column("id"), ColumnLookup::Missing);
        scopes.leave();
        scopes.current().lateral_active = true;
        scopes.enter();
        assert_eq!(scopes.column("id"), ColumnLookup::Found(vec![Origin { reference: 0, column: 0 }]));
    }

    #[test]
    fn unknown_columns_make_a_name_uncertain_but_keep_what_may_be_behind_it() {
        let mut scopes = Scopes::default();
        scopes.enter();
        scopes.current().entries.push(Entry::aliased("t", columns(&["email"], 0)));
        scopes.enter();
        scopes.current().entries.push(Entry::aliased("f", Columns::unknown()));
        assert_eq!(scopes.column("email"), ColumnLookup::Perhaps(vec![Origin { reference: 0, column: 0 }]));
        assert_eq!(scopes.column("other"), ColumnLookup::Perhaps(Vec::new()));
    }

    #[test]
    fn two_relations_of_one_name_are_ambiguous() {
        let mut scopes = Scopes::default();
        scopes.enter();
        for reference in 0..2 {
            let entry = Entry { unaliased: Some(reference), ..Entry::aliased("orders", columns(&["id"], reference)) };
            scopes.current().entries.push(entry);
        }
        assert_eq!(scopes.relation("orders").err(), Some(Ambiguous));
        assert!(scopes.unaliased(|reference| reference == 1).unwrap().is_some());
    }

    #[test]
    fn with_queries_shadow_outwards() {
        let mut scopes = Scopes::default();
        scopes.enter_with();
        scopes.define_cte(0, Cte { name: "c".to_owned(), columns: Columns::named(["a"]) });
        scopes.enter_with();
        assert!(scopes.cte("c").is_some_and(|cte| cte.columns.has("a")) && !scopes.defines("c"));
        scopes.define_cte(1, Cte { name: "c".to_owned(), columns: Columns::named(["b"]) });
        assert!(scopes.cte("c").is_some_and(|cte| cte.columns.has("b")));
        scopes.leave_with();
        assert!(scopes.cte("c").is_some_and(|cte| cte.columns.has("a")));
    }
}
