//! OIDs of what pgveil shows: a hash of its name, so that they are the same on every connection and node, before and after a
//! restart.

use std::collections::{BTreeMap, BTreeSet};

use sha2::{Digest, Sha256};

/// The first OID that is given. Some clients read an OID as a signed number of four bytes.
pub const FIRST: u32 = 1_000_000_000;
/// Each thing has so many OIDs in a row: a product's are its relation, its row type, the array of that, indexes, constraints.
pub const BLOCK: u32 = 64;
/// Place of a product's row type in its block.
pub const ROW_TYPE: u32 = 1;
/// Place of the array over the row type.
pub const ARRAY_TYPE: u32 = 2;
/// How many blocks there are below 2^31.
const BLOCKS: u32 = (i32::MAX as u32 - FIRST) / BLOCK;

/// The OIDs of everything of a snapshot.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Oids {
    by_key: BTreeMap<String, u32>,
}

impl Oids {
    /// Gives each key a block. Of keys whose hashes meet, the first in their order keeps its place, the others take the next
    /// free one.
    pub fn assign(keys: impl IntoIterator<Item = String>) -> Self {
        Self::placed(keys, |key| {
            let hash = Sha256::digest(key.as_bytes());
            let number = hash.iter().take(4).fold(0_u32, |number, byte| number << 8 | u32::from(*byte));
            number % BLOCKS
        })
    }

    fn placed(keys: impl IntoIterator<Item = String>, place: impl Fn(&str) -> u32) -> Self {
        let keys: BTreeSet<String> = keys.into_iter().collect();
        let mut taken = BTreeSet::new();
        let mut by_key = BTreeMap::new();
        for key in keys {
            let mut block = place(&key);
            // There are far more blocks than anything has names.
            while !taken.insert(block) {
                block = (block + 1) % BLOCKS;
            }
            by_key.insert(key, FIRST + block * BLOCK);
        }
        Self { by_key }
    }

    /// The first OID of the key's block.
    pub fn of(&self, key: &str) -> Option<u32> {
        self.by_key.get(key).copied()
    }
    /// The key of a schema.
    pub fn schema(name: &str) -> String {
        format!("schema {name}")
    }
    /// The key of a product.
    pub fn product(id: &str) -> String {
        format!("product {id}")
    }
    /// The key of a user.
    pub fn role(name: &str) -> String {
        format!("role {name}")
    }
    /// The key of a database.
    pub fn database(name: &str) -> String {
        format!("database {name}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_oid_is_a_matter_of_the_name_alone() {
        let key = Oids::product("marketing.campaign_attribution");
        let alone = Oids::assign([key.clone()]);
        let among = Oids::assign(["a", "z"].map(Oids::product).into_iter().chain([key.clone()]));
        assert_eq!(alone.of(&key), among.of(&key));
        // A promise to clients that keep it: it does not change with a version of pgveil.
        assert_eq!(alone.of(&key), Some(PROMISED));
        assert!(alone.of("product other").is_none());
    }

    const PROMISED: u32 = 1_276_659_456;

    #[test]
    fn all_lie_where_a_signed_number_holds_them_and_never_overlap() {
        let oids = Oids::assign((0..20_000).map(|n| Oids::product(&format!("d.p{n}"))));
        let mut all: Vec<u32> = oids.by_key.values().copied().collect();
        assert_eq!(all.len(), 20_000);
        all.sort_unstable();
        assert!(all.windows(2).all(|pair| pair[1] - pair[0] >= BLOCK));
        assert!(all[0] >= FIRST && all[19_999] + BLOCK <= i32::MAX as u32);
    }

    #[test]
    fn what_meets_is_placed_in_the_order_of_names() {
        let keys = |order: [&str; 3]| order.map(str::to_owned);
        let first = Oids::placed(keys(["b", "a", "c"]), |_| 7);
        assert_eq!(first, Oids::placed(keys(["c", "b", "a"]), |_| 7));
        assert_eq!(["a", "b", "c"].map(|key| (first.of(key).unwrap() - FIRST) / BLOCK), [7, 8, 9]);
        let last = Oids::placed(keys(["b", "a", "c"]), |_| BLOCKS - 1);
        assert_eq!(["a", "b", "c"].map(|key| (last.of(key).unwrap() - FIRST) / BLOCK), [BLOCKS - 1, 0, 1]);
    }
}
