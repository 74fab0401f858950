//! What a statement needs: the products that it reads, through which columns, and what it reads of the session.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::catalog::Product;
use crate::introspect::{Names, Overlay};
use crate::names::ProductId;
use crate::sql::resolve::Origin;

use super::access::Granted;
use super::fence::Fence;
use super::permit::ProductUse;
use super::view::{ProductView, ViewColumn};

/// A product that the statement reads, as its subject may see it.
#[derive(Clone, Debug)]
pub struct ProductNeed {
    /// Which.
    pub product: Arc<Product>,
    /// By which roles, with which notices.
    pub granted: Granted,
    /// What the subject sees of it.
    pub view: Arc<ProductView>,
    /// What became of its fence.
    pub fence: Fence,
}

/// A system relation that the statement reads.
#[derive(Clone, Debug)]
pub struct SystemNeed {
    /// Which.
    pub overlay: Arc<Overlay>,
    /// Its columns, like a product's.
    pub columns: Arc<[ViewColumn]>,
}

/// What a reference is one to.
#[derive(Clone, Debug)]
enum Referred {
    /// Place in `products`.
    Product(usize),
    /// A system relation.
    System(SystemNeed),
}

/// A place of the statement where a product or a system relation stands.
#[derive(Clone, Debug)]
struct Reference {
    to: Referred,
    /// The columns without which the rest of the statement would not mean the same.
    kept: BTreeSet<usize>,
}

/// Everything that a statement needs.
#[derive(Clone, Debug, Default)]
pub struct Requirements {
    /// Each product once, in the order in which the statement names them.
    pub products: Vec<ProductNeed>,
    references: Vec<Reference>,
    /// Which columns are read: place in `products`, place in the view's columns.
    read: BTreeSet<(usize, usize)>,
    /// Every function that the rewritten statement calls by name.
    pub functions: BTreeSet<(Option<String>, String)>,
    /// Names of WITH queries, which a second look at the statement must not take for relations.
    pub with_names: BTreeSet<String>,
    /// Whether it reads the system catalogs, by a relation, a function or a cast.
    pub introspects: bool,
    /// What stands in their place, reads and calls.
    pub system: Names,
    /// Whether a value of the session went into the statement: then the decision holds for this session alone.
    pub session_values: bool,
    /// Whether the value of a literal had a say in what was decided or rewritten.
    pub literal_values: bool,
}

impl Requirements {
    /// The place of a product that is needed already.
    pub fn place_of(&self, id: &ProductId) -> Option<usize> {
        self.products.iter().position(|need| need.product.id == *id)
    }
    /// Notes a reference to the product at this place; its number tells it from other references to the same product.
    pub fn add_reference(&mut self, place: usize) -> usize {
        self.references.push(Reference { to: Referred::Product(place), kept: BTreeSet::new() });
        self.references.len() - 1
    }
    /// Notes a reference to a system relation.
    pub fn add_system_reference(&mut self, need: SystemNeed) -> usize {
        self.references.push(Reference { to: Referred::System(need), kept: BTreeSet::new() });
        self.references.len() - 1
    }
    /// The product that a reference is one to.
    pub fn referenced(&self, reference: usize) -> Option<&ProductNeed> {
        match self.references.get(reference)?.to {
            Referred::Product(place) => self.products.get(place),
            Referred::System(_) => None,
        }
    }
    /// The system relation that a reference is one to.
    pub fn system_referenced(&self, reference: usize) -> Option<&SystemNeed> {
        match &self.references.get(reference)?.to {
            Referred::Product(_) => None,
            Referred::System(need) => Some(need),
        }
    }
    /// The columns of what a reference is one to.
    pub fn columns(&self, reference: usize) -> Option<&[ViewColumn]> {
        match &self.references.get(reference)?.to {
            Referred::Product(place) => self.products.get(*place).map(|need| need.view.columns.as_slice()),
            Referred::System(need) => Some(&need.columns),
        }
    }
    /// How many references there are; each is numbered.
    pub fn references(&self) -> usize {
        self.references.len()
    }
    /// Notes what becomes of the fences. `stands` says for a reference why its fence does; `None`: it is left out. A product
    /// that is fenced somewhere counts as fenced.
    pub fn judge_fences(&mut self, stands: impl Fn(usize) -> Option<String>) {
        for (reference, at) in self.references.iter().enumerate() {
            let Referred::Product(place) = at.to else { continue };
            let Some(need) = self.products.get_mut(place).filter(|need| need.view.fenced) else { continue };
            match (&need.fence, stands(reference)) {
                (Fence::Stands(_), _) => {}
                (Fence::None | Fence::LeftOut, Some(reason)) => need.fence = Fence::Stands(reason),
                (Fence::None | Fence::LeftOut, None) => need.fence = Fence::LeftOut,
            }
        }
    }
    /// Notes that a column is read.
    pub fn read(&mut self, origin: Origin) {
        if let Some(reference) = self.references.get_mut(origin.reference) {
            if let Referred::Product(place) = reference.to {
                self.read.insert((place, origin.column));
            }
            reference.kept.insert(origin.column);
        }
    }
    /// Notes that a column must stay where it is, read or not.
    pub fn keep(&mut self, origin: Origin) {
        if let Some(reference) = self.references.get_mut(origin.reference) {
            reference.kept.insert(origin.column);
        }
    }
    /// The columns of a reference that must stay; as far as the statement has been read.
    pub fn kept(&self, reference: usize) -> Option<&BTreeSet<usize>> {
        self.references.get(reference).map(|reference| &reference.kept)
    }
    /// The ids of the products.
    pub fn ids(&self) -> Vec<ProductId> {
        let mut ids: Vec<_> = self.products.iter().map(|need| need.product.id.clone()).collect();
        ids.sort();
        ids
    }
    /// For the permit: each product once, in the order of ids.
    pub fn uses(&self) -> Vec<ProductUse> {
        let use_of = |need: &ProductNeed| ProductUse {
            id: need.product.id.clone(),
            guarded: need.view.guarded,
            fence: need.fence.clone(),
        };
        let mut uses: Vec<_> = self.products.iter().map(use_of).collect();
        uses.sort_by(|a, b| a.id.cmp(&b.id));
        uses
    }
    /// `DOMAIN.PRODUCT.COLUMN` of each PII column that is read, in order: masked ones and raw ones.
    pub fn personal(&self) -> (Vec<String>, Vec<String>) {
        let (mut masked, mut raw) = (Vec::new(), Vec::new());
        for (place, column) in &self.read {
            let Some(need) = self.products.get(*place) else { continue };
            let Some(column) = need.view.columns.get(*column).filter(|column| column.pii) else { continue };
            let list = if column.masked { &mut masked } else { &mut raw };
            list.push(format!("{}.{}", need.product.id, column.name));
        }
        masked.sort();
        raw.sort();
        (masked, raw)
    }
}
