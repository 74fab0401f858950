//! The key of the `hash` mask on its way to the warehouse.
//!
//! It travels in the start-up options of a connection, as HMAC's two padded keys: SQL cannot XOR bytes, and the key
//! itself need not be there at all.

use sha2::{Digest, Sha256};

/// The block size of SHA-256.
const BLOCK: usize = 64;
/// `current_setting` name of the outer padded key, hex.
pub(super) const OUTER: &str = "pgveil.ko";
/// `current_setting` name of the inner padded key, hex.
pub(super) const INNER: &str = "pgveil.ki";

/// Names and values of the settings that a connection to the warehouse is started with (`options=-c name=value`). The values
/// are secrets.
pub fn hash_key_options(key: &[u8]) -> [(&'static str, String); 2] {
    let mut block = [0_u8; BLOCK];
    let hashed;
    let short = if key.len() > BLOCK {
        hashed = Sha256::digest(key);
        hashed.as_slice()
    } else {
        key
    };
    for (to, from) in block.iter_mut().zip(short) {
        *to = *from;
    }
    let padded = |pad: u8| crate::hex::text(block.map(|byte| byte ^ pad));
    [(INNER, padded(0x36)), (OUTER, padded(0x5c))]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_hashes_over_the_padded_keys_are_hmac() {
        use hmac::{Hmac, Mac};
        for key in [&b"k"[..], &[7; 64], &[9; 100]] {
            let [(_, inner), (_, outer)] = hash_key_options(key);
            let bytes = |hex: &str| -> Vec<u8> {
                (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
            };
            let message = b"ana@example.com";
            let inside = Sha256::digest([bytes(&inner).as_slice(), message].concat());
            let own = Sha256::digest([bytes(&outer).as_slice(), inside.as_slice()].concat());
            let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
            mac.update(message);
            assert_eq!(own.as_slice(), mac.finalize().into_bytes().as_slice());
        }
    }
}
