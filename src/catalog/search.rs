//! Search over names, descriptions, tags, owners and columns: ranked, and forgiving about typing errors. Pure.
//!
//! Each word of a product weighs as much as the most telling field that it stands in, and the more the fewer products have it.
//! A word of the query fits a word that is equal, that begins with it, that holds it, or that is one or two slips away.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use super::{Catalog, Product};

/// Words of a query that are looked at; more say nothing new.
const MOST_WORDS: usize = 8;
/// Letters of a word of a query that are looked at.
const MOST_LETTERS: usize = 64;

/// How much it tells that a word stands in a field.
mod weight {
    pub const NAME: f32 = 8.0;
    pub const TAG: f32 = 5.0;
    pub const COLUMN: f32 = 4.0;
    pub const DOMAIN: f32 = 3.0;
    pub const DESCRIPTION: f32 = 2.5;
    pub const OWNER: f32 = 2.0;
    pub const COLUMN_DESCRIPTION: f32 = 1.0;
}

/// The words of a catalog.
#[derive(Debug, Default)]
pub struct SearchIndex {
    products: Vec<Arc<Product>>,
    words: Vec<Word>,
}

#[derive(Debug)]
struct Word {
    text: String,
    letters: usize,
    /// One bit for each letter that occurs (see [`letters`]): most words are told apart by it.
    bits: u64,
    /// Products, in order, with the weight of the field.
    found_in: Vec<(u32, f32)>,
}

/// A product that fits.
#[derive(Clone, Debug)]
pub struct Hit {
    /// Which.
    pub product: Arc<Product>,
    /// How well; only the order means something.
    pub score: f32,
}

impl SearchIndex {
    /// Indexes every product.
    pub fn new(catalog: &Catalog) -> Self {
        let products: Vec<Arc<Product>> = catalog.iter().cloned().collect();
        let mut words: BTreeMap<String, Vec<(u32, f32)>> = BTreeMap::new();
        for (number, product) in (0_u32..).zip(&products) {
            for (word, weight) in words_of(product) {
                words.entry(word).or_default().push((number, weight));
            }
        }
        let words = words
            .into_iter()
            .map(|(text, found_in)| Word { letters: text.chars().count(), bits: letters(&text), text, found_in })
            .collect();
        Self { products, words }
    }

    /// What fits the query, best first, equals in the order of ids; everything when the query has no word. Products that fit
    /// all words come alone; only where there is none do those that fit some.
    pub fn search(&self, query: &str) -> Vec<Hit> {
        let wanted: BTreeSet<String> = words(query).take(MOST_WORDS).collect();
        if wanted.is_empty() {
            return self.products.iter().map(|product| Hit { product: Arc::clone(product), score: 0.0 }).collect();
        }
        let mut found: HashMap<u32, (usize, f32)> = HashMap::new();
        for word in &wanted {
            for (product, score) in self.fitting(word) {
                let entry = found.entry(product).or_insert((0, 0.0));
                entry.0 += 1;
                entry.1 += score;
            }
        }
        let most = found.values().map(|(fitting, _)| *fitting).max().unwrap_or(0);
        let mut hits: Vec<(u32, f32)> = found
            .into_iter()
            .filter(|(_, (fitting, _))| *fitting == most)
            .map(|(product, (_, s))| (product, s))
            .collect();
        hits.sort_by(|(a, one), (b, other)| other.total_cmp(one).then(a.cmp(b)));
        hits.into_iter()
            .filter_map(|(product, score)| {
                Some(Hit { product: Arc::clone(self.products.get(usize::try_from(product).ok()?)?), score })
            })
            .collect()
    }

    /// The products that have a word like this, each with what its best word is worth.
    fn fitting(&self, wanted: &str) -> HashMap<u32, f32> {
        let wanted: String = wanted.chars().take(MOST_LETTERS).collect();
        let (length, bits) = (wanted.chars().count(), letters(&wanted));
        let mut best: HashMap<u32, f32> = HashMap::new();
        for word in &self.words {
            let Some(likeness) = likeness(&wanted, length, bits, word) else { continue };
            let rarity = rarity(word.found_in.len(), self.products.len());
            for (product, weight) in &word.found_in {
                let score = likeness * rarity * weight;
                let known = best.entry(*product).or_insert(score);
                *known = known.max(score);
            }
        }
        best
    }
}

/// What share of an equal word's worth this one has.
fn likeness(wanted: &str, length: usize, bits: u64, word: &Word) -> Option<f32> {
    if word.text == wanted {
        return Some(1.0);
    }
    if length >= 2 && word.text.starts_with(wanted) {
        return Some(0.7);
    }
    if length >= 3 && word.letters > length && word.text.contains(wanted) {
        return Some(0.4);
    }
    let slips = match length {
        0..=3 => return None,
        4..=7 => 1,
        _ => 2,
    };
    // Each slip takes a letter, brings one, or both.
    if word.letters.abs_diff(length) > slips || (word.bits ^ bits).count_ones() as usize > 2 * slips {
        return None;
    }
    match strsim::osa_distance(wanted, &word.text) {
        1 => Some(0.5),
        2 if slips == 2 => Some(0.3),
        _ => None,
    }
}

/// From 1 for a word that every product has.
fn rarity(found_in: usize, of: usize) -> f32 {
    #[expect(clippy::cast_precision_loss, reason = "a rank needs no more")]
    let share = of.max(1) as f32 / found_in.max(1) as f32;
    1.0 + share.ln().max(0.0)
}

fn letters(word: &str) -> u64 {
    word.chars().fold(0, |bits, letter| bits | 1 << (u32::from(letter) % 64))
}

/// Every word of a product, once, with the weight of the most telling field.
fn words_of(product: &Product) -> BTreeMap<String, f32> {
    let mut found = BTreeMap::new();
    let mut add = |text: &str, weight: f32| {
        for word in words(text) {
            let known = found.entry(word).or_insert(weight);
            *known = known.max(weight);
        }
    };
    add(product.id.product(), weight::NAME);
    add(&product.name, weight::NAME);
    add(product.id.domain().as_str(), weight::DOMAIN);
    add(&product.description, weight::DESCRIPTION);
    product.tags.iter().for_each(|tag| add(tag, weight::TAG));
    add(&product.owner.team, weight::OWNER);
    add(&product.owner.contact, weight::OWNER);
    for column in &product.columns {
        add(&column.name, weight::COLUMN);
        add(&column.description, weight::COLUMN_DESCRIPTION);
    }
    found
}

/// Letters and digits that stand together, in small letters.
fn words(text: &str) -> impl Iterator<Item = String> {
    text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).map(str::to_lowercase)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::tests::catalog_of;

    fn found(index: &SearchIndex, query: &str) -> Vec<String> {
        index.search(query).iter().map(|hit| hit.product.id.to_string()).collect()
    }

    fn index() -> SearchIndex {
        SearchIndex::new(&catalog_of(&[
            ("marketing.attribution", "Campaign Attribution", "Which campaign brought an order", &["touch_at"]),
            ("sales.orders", "Orders", "Every order that was paid", &["customer_id", "campaign"]),
            ("ops.shipments", "Shipments", "Parcels on their way", &["order_id", "carrier"]),
        ]))
    }

    #[test]
    fn a_word_in_the_name_tells_more_than_one_in_the_description_or_a_column() {
        assert_eq!(found(&index(), "campaign"), ["marketing.attribution", "sales.orders"]);
        assert_eq!(found(&index(), "orders").first().map(String::as_str), Some("sales.orders"));
        assert_eq!(found(&index(), "ORDER"), ["sales.orders", "ops.shipments", "marketing.attribution"]);
    }

    #[test]
    fn all_words_count_and_some_only_where_none_fits_all() {
        assert_eq!(found(&index(), "order carrier"), ["ops.shipments"]);
        assert_eq!(found(&index(), "carrier nonsense"), ["ops.shipments"]);
        assert!(found(&index(), "nonsense").is_empty());
        assert_eq!(found(&index(), " ,; ").len(), 3);
    }

    #[test]
    fn slips_are_forgiven_in_long_words_alone() {
        for slip in ["atribution", "attributoin", "attributions", "attrbutin", "atrtibution"] {
            assert_eq!(found(&index(), slip), ["marketing.attribution"], "{slip}");
        }
        assert!(found(&index(), "attrixxxion").is_empty());
        assert!(found(&index(), "oders").contains(&"sales.orders".to_owned()));
        assert!(found(&index(), "wax").is_empty());
    }

    #[test]
    fn an_endless_query_is_cut() {
        let query = "order ".repeat(100_000) + &"x".repeat(1_000_000);
        assert_eq!(found(&index(), &query).len(), 3);
    }
}
